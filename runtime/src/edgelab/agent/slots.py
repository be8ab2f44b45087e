"""Slots of Instances: who holds them, which devices the kubelet may see, which slot to give. Pure.

A slot's key is `<instance>-<index>`; its value in `deviceUsage` is empty (free), `<node>` (held through the
Instance's resource) or `C:<virtual device>:<node>` (held through the Configuration's), as in Akri 0.13.26.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from edgelab.core import names


@dataclass(frozen=True, slots=True)
class Holder:
    """Who holds a slot; `virtual` is the Configuration-level device id through which it does, or empty."""

    node: str
    virtual: str = ""

    def __str__(self) -> str:
        return f"C:{self.virtual}:{self.node}" if self.virtual else self.node


def holder(value: str) -> Holder | None:
    """Read a value of `deviceUsage`; None if the slot is free. A value of no known form holds the slot."""
    if not value:
        return None
    match value.split(":"):
        case ["C", virtual, node]:
            return Holder(node, virtual)
        case _:
            return Holder(value)


def usage(observed: Mapping[str, str], mine: Mapping[str, str], node: str) -> dict[str, Holder]:
    """The held slots: this node's as it knows them itself, the others' as the Instance says."""
    held = {key: found for key, value in observed.items() if (found := holder(value)) and found.node != node}
    return held | {key: found for key, value in mine.items() if (found := holder(value))}


def own(observed: Mapping[str, str], node: str) -> dict[str, str]:
    """The part of `deviceUsage` that belongs to a node."""
    return {key: value for key, value in observed.items() if (found := holder(value)) and found.node == node}


def instance_devices(instance: str, capacity: int, held: Mapping[str, Holder], node: str) -> list[tuple[str, bool]]:
    """Device ids of an Instance's resource, each with its health: a slot that others hold is unhealthy."""
    keys = (names.slot(instance, index) for index in range(capacity))
    return [(key, held.get(key, Holder(node)) == Holder(node)) for key in keys]


def free_slots(instance: str, capacity: int, held: Mapping[str, Holder]) -> list[str]:
    """Keys of the slots that nobody holds, lowest first."""
    keys = (names.slot(instance, index) for index in range(capacity))
    return [key for key in keys if key not in held]


@dataclass(frozen=True, slots=True)
class Virtual:
    """A Configuration-level device: its id, the Instance behind it and, if this node holds it, the slot."""

    id: str
    instance: str
    slot: str = ""


def virtual_devices(
    configuration: str, instances: Sequence[tuple[str, int, Mapping[str, Holder]]], node: str
) -> list[Virtual]:
    """Devices of a Configuration's resource: those that this node holds, and a free one per Instance with a free slot.

    instances: name, capacity and held slots of each. Free ids are the lowest numbers not in use.
    """
    in_use = [
        Virtual(found.virtual, name, key)
        for name, _capacity, held in instances
        for key, found in held.items()
        if found.virtual and found.node == node
    ]
    with_room = sorted(name for name, capacity, held in instances if free_slots(name, capacity, held))
    numbers = _free_numbers(configuration, {device.id for device in in_use}, len(with_room))
    free = [Virtual(names.slot(configuration, number), name) for number, name in zip(numbers, with_room, strict=True)]
    return sorted(in_use + free, key=lambda device: device.id)


def _free_numbers(configuration: str, taken: Collection[str], count: int) -> Iterable[int]:
    candidates = range(count + len(taken))
    return [number for number in candidates if names.slot(configuration, number) not in taken][:count]
