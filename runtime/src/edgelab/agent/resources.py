"""What the kubelet may allocate: the slots of one Instance, or any device of a Configuration.

A resource lists its device ids with their health and allocates them: claims the slots, then says what a container
with the devices gets. Nothing stays claimed by an allocation that fails.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from edgelab.agent import slots
from edgelab.agent.ledger import Ledger, SlotTakenError
from edgelab.agent.slots import Holder, Virtual
from edgelab.agent.wanted import Offer
from edgelab.core.errors import LabError
from edgelab.core.model import Configuration, Device, DeviceSpec, Instance, Mount
from edgelab.kube.follow import Key

_CHOICES = 5
"""How often a Configuration's resource chooses again after somebody else was faster."""


@dataclass(frozen=True, slots=True)
class Grant:
    """What a container gets for its devices."""

    environment: Mapping[str, str]
    mounts: tuple[Mount, ...]
    device_specs: tuple[DeviceSpec, ...]


@dataclass(frozen=True, slots=True)
class Inventory:
    """What resources look at: the agent's mirrors, the devices behind Instances, and the slots."""

    node: str
    instances: Mapping[Key, Instance]
    configurations: Mapping[Key, Configuration]
    offers: Mapping[Key, Offer]
    ledger: Ledger

    def instance(self, key: Key) -> tuple[Instance, Offer]:
        """An Instance and its device. Raises LabError when there is none to allocate."""
        instance, offer = self.instances.get(key), self.offers.get(key)
        if instance is None or offer is None or instance.deleting:
            raise LabError(f"Allocate a device of Instance {key[1]}", "Its device is gone")
        return instance, offer

    def configuration_of(self, key: Key) -> Key:
        """The Configuration of an Instance; one that is gone tells it by its name, which ends with the digest."""
        instance = self.instances.get(key)
        return key[0], instance.configuration if instance else key[1].rpartition("-")[0]

    def instances_of(self, configuration: Key) -> list[Instance]:
        """The Instances of a Configuration whose devices this node can give, by name."""
        namespace, name = configuration
        found = (self.instances.get(key) for key in sorted(self.offers) if key[0] == namespace)
        return [
            instance
            for instance in found
            if instance and instance.configuration == name and self.node in instance.nodes and not instance.deleting
        ]

    def grant(self, keys: Sequence[Key]) -> Grant:
        """What a container gets for the devices of these Instances."""
        entries = [(self.instance(key), key) for key in dict.fromkeys(keys)]
        configurations = [
            self.configurations.get((key[0], instance.configuration)) for (instance, _offer), key in entries
        ]
        return grant(
            [
                (offer.digest, offer.device, configuration.broker_properties if configuration else {})
                for ((_instance, offer), _key), configuration in zip(entries, configurations, strict=True)
            ]
        )


def grant(devices: Sequence[tuple[str, Device, Mapping[str, str]]]) -> Grant:
    """Environment, mounts and device nodes for devices, each given with its digest and its Configuration's properties.

    Every property appears as KEY and as KEY_DIGEST, as Akri does since 0.13.8; the Configuration's value wins.
    """
    environment: dict[str, str] = {}
    for digest, device, properties in devices:
        for key, value in {**device.properties, **properties}.items():
            environment |= {key: value, f"{key}_{digest.upper()}": value}
    mounts = dict.fromkeys(mount for _digest, device, _properties in devices for mount in device.mounts)
    specs = dict.fromkeys(spec for _digest, device, _properties in devices for spec in device.device_specs)
    return Grant(environment, tuple(mounts), tuple(specs))


class Resource(Protocol):
    """An extended resource `akri.sh/<name>`; `owner` says whose it is: kind, namespace, name."""

    @property
    def name(self) -> str:
        """Part of the resource's name after the domain."""

    @property
    def owner(self) -> tuple[str, str, str]:
        """Kind, namespace and name of the object behind it."""

    def devices(self) -> list[tuple[str, bool]]:
        """Device ids and whether each is healthy."""

    async def allocate(self, containers: Sequence[Sequence[str]]) -> list[Grant]:
        """Claim the devices of each container. Raises LabError if that cannot be."""


@dataclass(frozen=True, slots=True)
class InstanceResource:
    """`akri.sh/<instance>`: one device id per slot."""

    key: Key
    inventory: Inventory

    @property
    def name(self) -> str:
        """The Instance's name."""
        return self.key[1]

    @property
    def owner(self) -> tuple[str, str, str]:
        """The Instance."""
        return "Instance", *self.key

    def devices(self) -> list[tuple[str, bool]]:
        """The slots; those held by others or through the Configuration are unhealthy."""
        instance = self.inventory.instances.get(self.key)
        capacity = instance.capacity if instance else 0
        return slots.instance_devices(self.name, capacity, self.inventory.ledger.usage(self.key), self.inventory.node)

    async def allocate(self, containers: Sequence[Sequence[str]]) -> list[Grant]:
        """Claim the slots; allocating what this node holds already is fine."""
        known = {device for device, _healthy in self.devices()}
        wanted = [device for container in containers for device in container]
        unknown = sorted(set(wanted) - known)
        if unknown:
            raise LabError(f"Allocate {', '.join(unknown)}", f"Instance {self.name} has no such slot")
        grants = [self.inventory.grant([self.key]) for _container in containers]
        await self.inventory.ledger.claim(self.key, dict.fromkeys(wanted, Holder(self.inventory.node)))
        return grants


@dataclass(frozen=True, slots=True)
class ConfigurationResource:
    """`akri.sh/<configuration>`: any device of the Configuration."""

    key: Key
    inventory: Inventory
    _one_at_a_time: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def name(self) -> str:
        """The Configuration's name."""
        return self.key[1]

    @property
    def owner(self) -> tuple[str, str, str]:
        """The Configuration."""
        return "Configuration", *self.key

    def devices(self) -> list[tuple[str, bool]]:
        """One free device per Instance with a free slot, and those that this node holds."""
        return [(device.id, True) for device in self._virtual()]

    async def allocate(self, containers: Sequence[Sequence[str]]) -> list[Grant]:
        """Claim one slot per device id, of different Instances where possible."""
        async with self._one_at_a_time:
            wanted = [device for container in containers for device in container]
            chosen = await self._claim_all(wanted)
        return [
            self.inventory.grant([(self.key[0], chosen[device]) for device in container]) for container in containers
        ]

    def _virtual(self) -> list[Virtual]:
        usage = self.inventory.ledger.usage
        instances = [
            (instance.name, instance.capacity, usage(instance.key))
            for instance in self.inventory.instances_of(self.key)
        ]
        return slots.virtual_devices(self.name, instances, self.inventory.node)

    async def _claim_all(self, wanted: Sequence[str]) -> dict[str, str]:
        claimed: list[Virtual] = []
        try:
            return {device: await self._claim(device, claimed) for device in wanted}
        except BaseException:
            for virtual in claimed:
                await self.inventory.ledger.release((self.key[0], virtual.instance), [virtual.slot])
            raise

    async def _claim(self, device: str, claimed: list[Virtual]) -> str:
        for _choice in range(_CHOICES):
            choice = self._choose(device, [virtual.instance for virtual in claimed])
            if choice.slot:
                return choice.instance
            try:
                return await self._take(choice, claimed)
            except SlotTakenError:
                continue
        raise SlotTakenError(f"Allocate {device}", "Others were faster each time")

    def _choose(self, device: str, avoided: Sequence[str]) -> Virtual:
        virtual = self._virtual()
        held = [candidate for candidate in virtual if candidate.slot]
        free = [candidate for candidate in virtual if not candidate.slot]
        for candidate in held:
            if candidate.id == device:
                return candidate
        if not free:
            raise SlotTakenError(f"Allocate {device}", f"Every slot of Configuration {self.name} is held")
        # The id is only a ticket: which Instance it stands for is settled now, when it is known which has room.
        best = min(free, key=lambda candidate: (avoided.count(candidate.instance), candidate.id != device))
        return Virtual(device, best.instance)

    async def _take(self, choice: Virtual, claimed: list[Virtual]) -> str:
        key = (self.key[0], choice.instance)
        instance, _offer = self.inventory.instance(key)
        free = slots.free_slots(instance.name, instance.capacity, self.inventory.ledger.usage(key))
        if not free:
            raise SlotTakenError(f"Allocate {choice.id}", f"Instance {instance.name} has no free slot left")
        await self.inventory.ledger.claim(key, {free[0]: Holder(self.inventory.node, choice.id)})
        claimed.append(Virtual(choice.id, choice.instance, free[0]))
        return choice.instance
