"""Bringing the cluster and the kubelet in line with what is discovered: one Configuration, one Instance at a time.

Both functions may be called at any time and do nothing where nothing is to be done. Raises LabError when the API
server is out of reach or refuses; the caller tries again.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from dataclasses import dataclass, field

from edgelab.agent import wanted
from edgelab.agent.discovery import Discovery
from edgelab.agent.plugin import Plugins
from edgelab.agent.resources import ConfigurationResource, InstanceResource, Inventory
from edgelab.agent.wanted import Offer, Plan, Problem
from edgelab.agent.writer import Writer
from edgelab.core.model import Configuration, Instance
from edgelab.kube.events import Reporter
from edgelab.kube.follow import Key


@dataclass(slots=True)
class Reconciler:
    """Decides with `wanted.plan` and acts with the writer and the plugins.

    offers: the devices behind Instances, which `inventory` reads too; `on_offer` is called with the key of each
    Instance whose device appeared, changed or went; `on_share` with that of a Configuration to `share()` soon.
    """

    discovery: Discovery
    writer: Writer
    reporter: Reporter
    plugins: Plugins
    inventory: Inventory
    offers: dict[Key, Offer]
    on_offer: Callable[[Key], None]
    on_share: Callable[[Key], None]
    _of: defaultdict[Key, set[Key]] = field(default_factory=lambda: defaultdict(set))
    _told: dict[str, frozenset[Problem]] = field(default_factory=dict)

    async def configuration(self, key: Key) -> None:
        """Have an Instance for each device of a Configuration; none for one that is being deleted."""
        configuration = self.inventory.configurations.get(key)
        if configuration is None or configuration.deleting:
            await self._retire(key, configuration)
            return
        await self.writer.set_finalizer(configuration, present=True)
        view = self.discovery.want(configuration)
        offers, problems = wanted.offers(configuration.name, view.reported, self.inventory.node)
        self._offer(key, offers)
        await self._tell(configuration, frozenset(view.problems + problems))
        found = self._found(configuration)
        plan = wanted.plan(configuration, offers, found.values(), node=self.inventory.node, settled=view.settled)
        await self._carry_out(configuration, plan, offers, found)

    async def instance(self, key: Key) -> None:
        """Offer an Instance's device to the kubelet, or no longer."""
        instance = self.inventory.instances.get(key)
        if instance is None or instance.deleting or self.inventory.node not in instance.nodes:
            await self._withdraw(key, instance)
            return
        self.inventory.ledger.adopt(instance)
        await self.writer.set_finalizer(instance, present=True)
        await self.inventory.ledger.reassert(key)
        if key in self.offers:
            await self.plugins.start(InstanceResource(key, self.inventory))
        self.on_share((key[0], instance.configuration))

    async def _withdraw(self, key: Key, instance: Instance | None) -> None:
        if self.plugins.serves(("Instance", *key)):
            await self.plugins.stop(key[1])
        if instance is None:
            self.inventory.ledger.let_go(key)
        else:
            await self.writer.set_finalizer(instance, present=False)
        self.on_share(self.inventory.configuration_of(key))

    async def share(self, configuration: Key) -> None:
        """Offer any device of a Configuration to the kubelet while there is one."""
        if self.inventory.instances_of(configuration):
            await self.plugins.start(ConfigurationResource(configuration, self.inventory))
        elif self.plugins.serves(("Configuration", *configuration)):
            await self.plugins.stop(configuration[1])

    async def _retire(self, key: Key, configuration: Configuration | None) -> None:
        self.discovery.drop(key)
        self._offer(key, {})
        if configuration:
            self._told.pop(configuration.uid, None)
            found = self._found(configuration)
            plan = wanted.plan(configuration, {}, found.values(), node=self.inventory.node, settled=True)
            await self._carry_out(configuration, plan, {}, found)
            await self.writer.set_finalizer(configuration, present=False)
        self._of.pop(key, None)
        self.on_share(key)

    def _found(self, configuration: Configuration) -> dict[str, Instance]:
        return {
            instance.name: instance
            for instance in self.inventory.instances.values()
            if instance.namespace == configuration.namespace and instance.configuration == configuration.name
        }

    def _offer(self, configuration: Key, offers: Mapping[str, Offer]) -> None:
        fresh = {(configuration[0], name): offer for name, offer in offers.items()}
        known = self._of[configuration]
        for key in known - fresh.keys():
            self.offers.pop(key, None)
            self.on_offer(key)
        for key, offer in fresh.items():
            if self.offers.get(key) != offer:
                self.offers[key] = offer
                self.on_offer(key)
        self._of[configuration] = set(fresh)
        self.on_share(configuration)

    async def _tell(self, configuration: Configuration, problems: frozenset[Problem]) -> None:
        for problem in problems - self._told.get(configuration.uid, frozenset()):
            await self.reporter.warn(configuration.reference, configuration.namespace, problem.reason, problem.message)
        self._told[configuration.uid] = problems

    async def _carry_out(
        self,
        configuration: Configuration,
        plan: Plan,
        offers: Mapping[str, Offer],
        found: Mapping[str, Instance],
    ) -> None:
        await _all(
            [
                *(self._apply(configuration, offers[name]) for name in plan.apply),
                *(self._leave(configuration, found[name]) for name in plan.withdraw),
                *(self.writer.delete_instance(found[name]) for name in plan.delete),
            ]
        )

    async def _apply(self, configuration: Configuration, offer: Offer) -> None:
        spec = wanted.spec(configuration, offer, nodes=[self.inventory.node])
        await self.writer.apply_instance(wanted.body(configuration, offer.instance, spec))

    async def _leave(self, configuration: Configuration, instance: Instance) -> None:
        await self.writer.apply_instance(wanted.body(configuration, instance.name, wanted.without_node(instance)))


async def _all(calls: Iterable[Coroutine[None, None, None]]) -> None:
    # All are tried before the first failure is told: one refused Instance must not hold up the others.
    outcomes = await asyncio.gather(*calls, return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
