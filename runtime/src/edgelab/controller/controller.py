"""The controller: mirrors of the cluster on one side, plans carried out on the other.

News about an object becomes a key of work: an Instance or a Configuration to look at, or a node to take out of an
Instance. Work starts when all mirrors have been listed once, so that nothing is made that is there already.
"""

import asyncio
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal, TypeVar

from lightkube import AsyncClient, operators

from edgelab.controller import loss, plan
from edgelab.controller.cluster import Jobs, Nodes, Pods, Services, Writer
from edgelab.controller.model import Broker, Node, Owned
from edgelab.controller.restarts import Restarts
from edgelab.core import names
from edgelab.core.model import GROUP, Configuration, Instance
from edgelab.kube.client import Configurations, Instances
from edgelab.kube.events import Reporter
from edgelab.kube.follow import Key, Mirror
from edgelab.kube.workers import Workers

log = logging.getLogger(__name__)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Work:
    """One thing to look at; node is set for `release` only."""

    what: Literal["instance", "configuration", "release"]
    namespace: str
    name: str
    node: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.namespace}/{self.name} {self.node}".rstrip()


class Controller:
    """Makes brokers, Jobs and Services for Instances until cancelled. clock: seconds since 1970."""

    def __init__(self, client: AsyncClient, *, clock: Callable[[], float] = time.time) -> None:
        self._client, self._clock = client, clock
        self._reporter = Reporter(client, "akri-controller")
        self._writer = Writer(client, self._reporter)
        self._restarts = Restarts()
        self._jobs_made: set[str] = set()
        self._workers: Workers[Work] = Workers(self._handle)
        labelled = {"namespace": "*", "labels": {names.CONFIGURATION_LABEL: operators.exists()}}
        ours = {"namespace": "*", "labels": {names.CONTROLLER_LABEL: GROUP}}
        everywhere = {"namespace": "*"}
        self._instances = self._mirror(Instances, Instance.from_dict, self._instance_changed, everywhere)
        self._configurations = self._mirror(
            Configurations, Configuration.from_dict, self._configuration_changed, everywhere
        )
        self._nodes = self._mirror(Nodes, Node.from_dict, self._node_changed, {})
        self._pods = self._mirror(Pods, Broker.read, self._owned_changed, labelled)
        self._jobs = self._mirror(Jobs, partial(Owned.from_dict, "Job"), self._owned_changed, ours)
        self._services = self._mirror(Services, partial(Owned.from_dict, "Service"), self._owned_changed, ours)
        self._mirrors: list[Mirror[Any]] = [
            self._instances,
            self._configurations,
            self._nodes,
            self._pods,
            self._jobs,
            self._services,
        ]

    async def run(self) -> None:
        """Work until cancelled."""
        async with self._workers, asyncio.TaskGroup() as tasks:
            for mirror in self._mirrors:
                tasks.create_task(mirror.run())

    async def status(self, _request: Mapping[str, Any]) -> dict[str, Any]:
        """Ready means that the whole cluster has been seen once."""
        return {
            "ready": all(mirror.listed.is_set() for mirror in self._mirrors),
            "instances": len(self._instances.objects),
            "brokers": sum(broker.running for broker in self._pods.objects.values()),
        }

    def _mirror(
        self,
        resource: Any,
        parse: Callable[[Mapping[str, Any]], T],
        changed: Callable[[T | None, T | None], None],
        selectors: Mapping[str, Any],
    ) -> Mirror[T]:
        """A mirror that tells changes of what the controller sees: a Node's heartbeat, for one, is none."""
        before: dict[Key, T] = {}

        def on_change(key: Key) -> None:
            then, now = before.pop(key, None), mirror.objects.get(key)
            if now is not None:
                before[key] = now
            if then != now:
                changed(then, now)

        mirror = Mirror(self._client, resource, parse=parse, on_change=on_change, selectors=selectors)
        return mirror

    def _instance_changed(self, then: Instance | None, now: Instance | None) -> None:
        for one in _distinct(then, now):
            self._workers.add(Work("instance", one.namespace, one.name))
        if now is None and then is not None:
            self._restarts.forget(then.uid)
            self._jobs_made.discard(then.uid)

    def _configuration_changed(self, then: Configuration | None, now: Configuration | None) -> None:
        for one in _distinct(then, now):
            self._workers.add(Work("configuration", one.namespace, one.name))
            for instance in self._instances.objects.values():
                if (instance.namespace, instance.configuration) == one.key:
                    self._workers.add(Work("instance", instance.namespace, instance.name))

    def _owned_changed(self, then: Owned | None, now: Owned | None) -> None:
        for one in _distinct(then, now):
            if one.instance:
                self._workers.add(Work("instance", one.namespace, one.instance))
            if one.configuration:
                self._workers.add(Work("configuration", one.namespace, one.configuration))
        if then is not None and (now is None or now.uid != then.uid):
            self._writer.forget(then.uid)

    def _node_changed(self, then: Node | None, now: Node | None) -> None:
        lost = then is not None and then.ready and not (now and now.ready)
        if now is None and then is not None:
            self._look_at_held_by(then.name)
        for one in _distinct(then, now):
            for instance in self._instances.objects.values():
                if not loss.concerns(instance, one.name):
                    continue
                self._workers.add(Work("instance", instance.namespace, instance.name))
                if lost:
                    self._workers.add(Work("release", instance.namespace, instance.name, one.name))

    def _look_at_held_by(self, node: str) -> None:
        for configuration in self._configurations.objects.values():
            if node in configuration.agents:
                self._workers.add(Work("configuration", configuration.namespace, configuration.name))
        for instance in self._instances.objects.values():
            if node in instance.agents:
                self._workers.add(Work("instance", instance.namespace, instance.name))

    async def _handle(self, work: Work) -> None:
        for mirror in self._mirrors:
            await mirror.listed.wait()
        match work.what:
            case "instance":
                await self._look_at_instance(work)
            case "configuration":
                await self._look_at_configuration(work)
            case "release":
                await self._release(work)

    async def _look_at_instance(self, work: Work) -> None:
        instance = self._instances.objects.get((work.namespace, work.name))
        await self._let_go(instance)
        seen = plan.Situation(
            instance=instance,
            configuration=self._configuration_of(instance),
            brokers=_of_instance(work, self._pods.objects.values()),
            jobs=_of_instance(work, self._jobs.objects.values()),
            services=_of_instance(work, self._services.objects.values()),
            nodes={name: node for (_namespace, name), node in self._nodes.objects.items()},
            job_was_made=instance is not None and instance.uid in self._jobs_made,
            replace_after=lambda broker: self._restarts.wait(broker, self._clock()),
        )
        wanted = await self._decide(lambda: plan.for_instance(seen), work, instance)
        await self._writer.carry_out(wanted, instance.reference if instance else None, work.namespace)
        if instance and any(body["kind"] == "Job" for body in wanted.create):
            self._jobs_made.add(instance.uid)
        if wanted.again is not None:
            self._workers.add(work, after=wanted.again)

    async def _look_at_configuration(self, work: Work) -> None:
        configuration = self._configurations.objects.get((work.namespace, work.name))
        await self._let_go(configuration)
        brokers = _of_configuration(work, self._pods.objects.values())
        services = _of_configuration(work, self._services.objects.values())
        wanted = await self._decide(
            lambda: plan.for_configuration(configuration, brokers, services), work, configuration
        )
        await self._writer.carry_out(wanted, configuration.reference if configuration else None, work.namespace)

    async def _decide(
        self, decide: Callable[[], plan.Plan], work: Work, asker: Instance | Configuration | None
    ) -> plan.Plan:
        try:
            return decide()
        except (AttributeError, TypeError, ValueError) as error:
            if asker is None:
                raise
            log.debug("%s has a malformed spec", work, exc_info=True)
            name = asker.configuration if isinstance(asker, Instance) else work.name
            message = f"A spec of Configuration {name} is not shaped like what it stands for: {error}"
            await self._reporter.warn(asker.reference, work.namespace, "InvalidBrokerSpec", message)
            return plan.Plan()

    def _configuration_of(self, instance: Instance | None) -> Configuration | None:
        if instance is None:
            return None
        configuration = self._configurations.objects.get((instance.namespace, instance.configuration))
        # Of the same name but not the owner: the Instance belongs to a predecessor and is on its way out.
        return configuration if configuration and configuration.uid in instance.owner_uids else None

    async def _let_go(self, owner: Instance | Configuration | None) -> None:
        candidates = loss.forsaken(owner, {name for _namespace, name in self._nodes.objects})
        gone = [name for name in candidates if not await self._writer.node_exists(name)]
        if owner and gone:
            log.info("%s %s need not wait for %s, which is gone", type(owner).__name__, owner.name, ", ".join(gone))
            await self._writer.release(owner, loss.let_go(owner, gone))

    async def _release(self, work: Work) -> None:
        instance = self._instances.objects.get((work.namespace, work.name))
        node = self._nodes.objects.get(("", work.node))
        patch = loss.release(instance, work.node) if instance and not (node and node.ready) else []
        if instance and patch:
            log.info("node %s is lost: taken out of Instance %s", work.node, instance.name)
            await self._writer.release(instance, patch)


def _distinct(then: T | None, now: T | None) -> Iterable[T]:
    return [one for one in (then, now) if one is not None]


O = TypeVar("O", bound=Owned)  # noqa: E741


def _of_instance(work: Work, owned: Iterable[O]) -> list[O]:
    return [one for one in owned if (one.namespace, one.instance) == (work.namespace, work.name)]


def _of_configuration(work: Work, owned: Iterable[O]) -> list[O]:
    key = work.namespace, work.name
    return [one for one in owned if (one.namespace, one.configuration) == key]
