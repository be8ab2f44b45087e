"""Which Instances a Configuration should have on this node, and what to do about those that exist. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edgelab.core import names
from edgelab.core.model import API_VERSION, Configuration, Device, Instance


@dataclass(frozen=True, slots=True)
class Reported:
    """A device as a handler reported it; `shared`: several nodes may see the same one."""

    device: Device
    shared: bool


@dataclass(frozen=True, slots=True)
class Problem:
    """Why something does not appear: reason and text of a Kubernetes Event."""

    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Offer:
    """A device that becomes an Instance of this name."""

    instance: str
    digest: str
    device: Device
    shared: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do to the Instances of one Configuration, by name."""

    apply: tuple[str, ...] = ()
    withdraw: tuple[str, ...] = ()
    delete: tuple[str, ...] = ()


def offers(configuration: str, reported: Iterable[Reported], node: str) -> tuple[dict[str, Offer], tuple[Problem, ...]]:
    """The Instances that the reported devices make, by name, and what had to be left out.

    One device reported by several endpoints is one Instance; of two devices with one digest the first one counts.
    """
    chosen: dict[str, Offer] = {}
    problems: list[Problem] = []
    for entry in reported:
        digest = names.digest(entry.device.id, node=node, shared=entry.shared)
        offer = Offer(names.instance(configuration, digest), digest, entry.device, entry.shared)
        problem = _problem(offer, chosen.get(offer.instance))
        if problem:
            problems.append(problem)
        else:
            chosen.setdefault(offer.instance, offer)
    return chosen, tuple(dict.fromkeys(problems))


def _problem(offer: Offer, earlier: Offer | None) -> Problem | None:
    if len(offer.instance) > names.LONGEST_RESOURCE_NAME:
        return Problem(
            "NameTooLong",
            f"Instance {offer.instance} would need the resource {names.resource(offer.instance)}, whose name has "
            f"{len(offer.instance)} characters; Kubernetes allows {names.LONGEST_RESOURCE_NAME}. Shorten the "
            f"Configuration's name to {names.LONGEST_RESOURCE_NAME - 7} characters.",
        )
    if earlier and earlier.device.id != offer.device.id:
        return Problem(
            "DeviceNameCollision",
            f"Device {offer.device.id!r} is left out: its Instance would be named {offer.instance}, as that of "
            f"device {earlier.device.id!r}. Discover the two by different Configurations.",
        )
    return None


def spec(configuration: Configuration, offer: Offer, *, nodes: Iterable[str]) -> dict[str, Any]:
    """The `spec` of an Instance; values of the Configuration win over those of the device, as in Akri 0.13.26."""
    return {
        "brokerProperties": {**offer.device.properties, **configuration.broker_properties},
        "capacity": configuration.capacity,
        "cdiName": names.cdi(configuration.name, offer.digest),
        "configurationName": configuration.name,
        "deviceUsage": {},
        "nodes": list(nodes),
        "shared": offer.shared,
    }


def body(configuration: Configuration, name: str, instance_spec: Mapping[str, Any]) -> dict[str, Any]:
    """An Instance as it is applied."""
    metadata = {
        "name": name,
        "namespace": configuration.namespace,
        "ownerReferences": [configuration.reference.as_owner()],
    }
    return {"apiVersion": API_VERSION, "kind": "Instance", "metadata": metadata, "spec": dict(instance_spec)}


def plan(
    configuration: Configuration,
    wanted: Mapping[str, Offer],
    found: Iterable[Instance],
    *,
    node: str,
    settled: bool,
) -> Plan:
    """What turns the found Instances of the Configuration into the wanted ones.

    An Instance that is being deleted is left alone: it is applied again when it has gone. Unless `settled`, nothing
    is taken away, because a handler has not yet said what it sees.
    """
    present = {instance.name: instance for instance in found}
    extra = [
        name
        for name, instance in present.items()
        if settled and name not in wanted and _is_ours(configuration, instance, node)
    ]
    return Plan(
        apply=tuple(name for name in wanted if _needs_apply(configuration, wanted[name], present.get(name), node)),
        withdraw=tuple(name for name in extra if len(present[name].nodes) > 1),
        delete=tuple(name for name in extra if len(present[name].nodes) == 1),
    )


def _is_ours(configuration: Configuration, instance: Instance, node: str) -> bool:
    return node in instance.nodes and not instance.deleting and configuration.uid in instance.owner_uids


def _needs_apply(configuration: Configuration, offer: Offer, found: Instance | None, node: str) -> bool:
    if found is None:
        return True
    if found.deleting or not _belongs(configuration, found):
        return False
    return not (
        node in found.nodes
        and configuration.uid in found.owner_uids
        and found.capacity == configuration.capacity
        and found.shared == offer.shared
        and found.configuration == configuration.name
        and _properties_agree(configuration, offer, found, node)
    )


def _belongs(configuration: Configuration, found: Instance) -> bool:
    # One that belongs to an earlier Configuration of this name is about to be garbage collected.
    return not found.owner_uids or configuration.uid in found.owner_uids


def _properties_agree(configuration: Configuration, offer: Offer, found: Instance, node: str) -> bool:
    # Nodes may see different properties of one shared device: then only the Configuration's part has one truth, and
    # insisting on the rest would have the agents overwrite each other for ever.
    if set(found.nodes) - {node}:
        return configuration.broker_properties.items() <= found.broker_properties.items()
    return dict(found.broker_properties) == {**offer.device.properties, **configuration.broker_properties}


def without_node(instance: Instance) -> dict[str, Any]:
    """The `spec` by which a node leaves a shared Instance that others still see, as Akri 0.13.26 applies it."""
    return {
        "brokerProperties": dict(instance.broker_properties),
        "capacity": instance.capacity,
        "cdiName": instance.cdi_name,
        "configurationName": instance.configuration,
        "deviceUsage": {},
        "nodes": [],
        "shared": instance.shared,
    }
