"""What has to be done for an Instance or a Configuration, decided from what is there. Pure.

Unlike Akri's controller, which acts on each piece of news, this looks at the whole each time: so brokers that were
running before the controller get their Services, and nothing depends on news that was missed.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edgelab.controller import objects
from edgelab.controller.model import DIGEST_ANNOTATION, Broker, Node, Owned
from edgelab.core import names
from edgelab.core.model import Configuration, Instance

Object = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Plan:
    """Objects to delete, to create and to apply, and when (in seconds) to look again though nothing changes."""

    delete: tuple[Owned, ...] = ()
    create: tuple[Object, ...] = ()
    apply: tuple[Object, ...] = ()
    again: float | None = None

    def __add__(self, other: "Plan") -> "Plan":
        times = [time for time in (self.again, other.again) if time is not None]
        return Plan(
            self.delete + other.delete,
            self.create + other.create,
            self.apply + other.apply,
            min(times, default=None),
        )


@dataclass(frozen=True, slots=True)
class Situation:
    """What there is for one Instance: brokers, jobs and services are those that carry its name in their labels."""

    instance: Instance | None
    configuration: Configuration | None
    brokers: Sequence[Broker]
    jobs: Sequence[Owned]
    services: Sequence[Owned]
    nodes: Mapping[str, Node]
    job_was_made: bool
    replace_after: Callable[[Broker], float]
    """Seconds until a broker that ended may be replaced."""


def for_instance(seen: Situation) -> Plan:
    """What an Instance needs: its brokers, its Job, its Service; all of them gone when the Instance goes."""
    instance, configuration = seen.instance, seen.configuration
    brokers = [broker for broker in seen.brokers if broker.ours]
    if instance is None or instance.deleting:
        return _delete([*brokers, *seen.jobs, *seen.services])
    stale = [owned for owned in (*brokers, *seen.jobs) if owned.owner_uid != instance.uid]
    plan = _delete(stale) + _services_of(instance, configuration, seen)
    if configuration is None or configuration.deleting:
        return plan + _delete(_on_other_nodes(instance, brokers))
    plan += _brokers(instance, configuration, [broker for broker in brokers if broker not in stale], seen)
    return plan + _job(instance, configuration, seen)


def for_configuration(
    configuration: Configuration | None, brokers: Iterable[Broker], services: Iterable[Owned]
) -> Plan:
    """What a Configuration needs: its Service."""
    if configuration is None or configuration.deleting:
        return _delete(services)
    spec = configuration.configuration_service_spec
    ours = [broker for broker in brokers if broker.ours]
    body = objects.configuration_service(configuration, spec) if spec is not None else None
    return _service(configuration.uid, body, ours, list(services))


def _brokers(instance: Instance, configuration: Configuration, brokers: Sequence[Broker], seen: Situation) -> Plan:
    digest = objects.digest(configuration.broker_pod_spec)
    unwanted = [*_on_other_nodes(instance, brokers), *_outdated(brokers, digest)]
    waits = {broker: seen.replace_after(broker) for broker in brokers if broker.ended and broker not in unwanted}
    due = [broker for broker, wait in waits.items() if wait <= 0]
    again = min((wait for wait in waits.values() if wait > 0), default=None)
    create = tuple(_missing_brokers(instance, configuration, seen))
    return _delete([*unwanted, *due]) + Plan(create=create, again=again)


def _missing_brokers(instance: Instance, configuration: Configuration, seen: Situation) -> Iterator[Object]:
    spec = configuration.broker_pod_spec
    if spec is None:
        return
    taken = {broker.name for broker in seen.brokers}
    for node in instance.nodes:
        name = names.broker_pod(instance.name, node, shared=instance.shared)
        if name not in taken and _offered(instance, spec, [node], seen.nodes):
            yield objects.broker_pod(instance, configuration, node)


def _on_other_nodes(instance: Instance, brokers: Iterable[Broker]) -> list[Broker]:
    return [broker for broker in brokers if broker.node not in instance.nodes]


def _outdated(brokers: Iterable[Broker], digest: str) -> list[Broker]:
    # Akri leaves brokers as they are when their Configuration changes. Those without a digest are Akri's.
    return [broker for broker in brokers if broker.digest not in ("", digest)]


def _offered(
    instance: Instance, pod_spec: Mapping[str, Any], node_names: Iterable[str], nodes: Mapping[str, Node]
) -> bool:
    # Akri creates the Pod at once; the scheduler then finds no such resource yet and comes back a second later.
    if not objects.wants_device(pod_spec):
        return True
    resource = names.resource(instance.name)
    return any(nodes[name].devices.get(resource, 0) > 0 for name in node_names if name in nodes)


def _job(instance: Instance, configuration: Configuration, seen: Situation) -> Plan:
    # One Job per Instance: Akri makes another one when the Configuration's generation has changed.
    spec = configuration.broker_job_spec
    if spec is None or seen.job_was_made or any(job.owner_uid == instance.uid for job in seen.jobs):
        return Plan()
    pod_spec = (spec.get("template") or {}).get("spec") or {}
    if not _offered(instance, pod_spec, instance.nodes, seen.nodes):
        return Plan()
    return Plan(create=(objects.broker_job(instance, configuration),))


def _services_of(instance: Instance, configuration: Configuration | None, seen: Situation) -> Plan:
    spec = configuration.instance_service_spec if configuration else None
    body = objects.instance_service(instance, spec) if spec is not None else None
    brokers = [broker for broker in seen.brokers if broker.owner_uid == instance.uid]
    return _service(instance.uid, body, brokers, seen.services)


def _service(owner_uid: str, body: Object | None, brokers: Sequence[Broker], services: Sequence[Owned]) -> Plan:
    """A Service is there from the first running broker until the last one is gone."""
    if body is None or not any(broker.active for broker in brokers):
        return _delete(services)
    digest = body["metadata"]["annotations"][DIGEST_ANNOTATION]
    good = any(service.owner_uid == owner_uid and service.digest == digest for service in services)
    if good or not any(broker.running for broker in brokers):
        return Plan()
    return Plan(apply=(body,))


def _delete(owned: Iterable[Owned]) -> Plan:
    return Plan(delete=tuple(_unique(one for one in owned if not one.deleting)))


def _unique(owned: Iterable[Owned]) -> Iterator[Owned]:
    seen: set[str] = set()
    for one in owned:
        if one.uid not in seen:
            seen.add(one.uid)
            yield one
