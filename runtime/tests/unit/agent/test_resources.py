"""Allocating: an Instance's slots, and any device of a Configuration."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import cast

import pytest
from edgelab.agent import wanted
from edgelab.agent.ledger import Ledger, SlotTakenError
from edgelab.agent.resources import ConfigurationResource, InstanceResource, Inventory, grant
from edgelab.agent.slots import Holder
from edgelab.agent.wanted import Reported
from edgelab.core.errors import LabError
from edgelab.core.model import Configuration, Device, Instance, Mount
from edgelab.kube.follow import Key
from hypothesis import given
from hypothesis import strategies as st

NODE = "here"
CONFIGURATION: Key = ("default", "echo")


@dataclass
class Slots:
    """A ledger that keeps slots in memory; `fails` makes claims of these Instances fail."""

    kept: defaultdict[Key, dict[str, Holder]] = field(default_factory=lambda: defaultdict(dict))
    fails: Collection[str] = ()

    def usage(self, key: Key) -> dict[str, Holder]:
        return dict(self.kept[key])

    async def claim(self, key: Key, wanted: Mapping[str, Holder]) -> None:
        if key[1] in self.fails:
            raise LabError("Claim a slot", "The API server is away")
        if any(self.kept[key].get(slot, holder) != holder for slot, holder in wanted.items()):
            raise SlotTakenError("Claim a slot", "It is held")
        self.kept[key] |= wanted

    async def release(self, key: Key, freed: Collection[str]) -> None:
        self.kept[key] = {slot: holder for slot, holder in self.kept[key].items() if slot not in freed}

    def count(self) -> int:
        return sum(map(len, self.kept.values()))


def inventory(ledger: Slots, *ids: str, capacity: int = 2) -> Inventory:
    spec = {"capacity": capacity, "brokerProperties": {"X": "1"}}
    metadata = {"name": "echo", "namespace": "default", "uid": "c-1"}
    configuration = Configuration.from_dict({"metadata": metadata, "spec": spec})
    offers, _problems = wanted.offers("echo", [Reported(Device(i, {"D": i}), shared=True) for i in ids], NODE)
    bodies = [
        wanted.body(configuration, name, wanted.spec(configuration, offer, nodes=[NODE]))
        for name, offer in offers.items()
    ]
    instances = [Instance.from_dict(body) for body in bodies]
    return Inventory(
        NODE,
        {instance.key: instance for instance in instances},
        {CONFIGURATION: configuration},
        {("default", name): offer for name, offer in offers.items()},
        cast(Ledger, ledger),
    )


def one(ledger: Slots) -> InstanceResource:
    found = inventory(ledger, "foo0")
    (key,) = found.instances
    return InstanceResource(key, found)


async def test_one_answer_per_container_whatever_it_asks_for() -> None:
    resource = one(ledger := Slots())
    grants = await resource.allocate([["echo-8120fe-0", "echo-8120fe-1"], ["echo-8120fe-1"]])
    assert [dict(each.environment) for each in grants] == [
        {"D": "foo0", "D_8120FE": "foo0", "X": "1", "X_8120FE": "1"}
    ] * 2
    assert ledger.count() == 2


async def test_a_slot_that_does_not_exist_is_refused() -> None:
    with pytest.raises(LabError, match="no such slot"):
        await one(ledger := Slots()).allocate([["echo-8120fe-2"]])
    assert ledger.count() == 0


async def test_two_devices_of_a_configuration_are_different_ones() -> None:
    resource = ConfigurationResource(CONFIGURATION, inventory(ledger := Slots(), "foo0", "foo1"))
    (both,) = await resource.allocate([["echo-0", "echo-1"]])
    assert {"D_8120FE": "foo0", "D_A19705": "foo1"}.items() <= both.environment.items()
    assert sorted(str(holder) for held in ledger.kept.values() for holder in held.values()) == [
        "C:echo-0:here",
        "C:echo-1:here",
    ]


async def test_a_device_allocated_again_is_the_same() -> None:
    resource = ConfigurationResource(CONFIGURATION, inventory(ledger := Slots(), "foo0", "foo1"))
    first = await resource.allocate([["echo-1"]])
    assert await resource.allocate([["echo-1"]]) == first
    assert ledger.count() == 1


async def test_nothing_stays_claimed_by_an_allocation_that_fails() -> None:
    ledger = Slots(fails=["echo-a19705"])
    resource = ConfigurationResource(CONFIGURATION, inventory(ledger, "foo0", "foo1"))
    with pytest.raises(LabError, match="API server is away"):
        await resource.allocate([["echo-0", "echo-1"]])
    assert ledger.count() == 0


@given(st.lists(st.lists(st.integers(0, 5), max_size=3), max_size=6), st.integers(1, 3))
async def test_every_id_has_one_slot_and_none_is_claimed_in_vain(
    requests: Sequence[Sequence[int]], capacity: int
) -> None:
    ledger = Slots()
    resource = ConfigurationResource(CONFIGURATION, inventory(ledger, "foo0", "foo1", capacity=capacity))
    granted: set[str] = set()
    for request in requests:
        ids = [f"echo-{number}" for number in request]
        try:
            await resource.allocate([ids])
            granted |= set(ids)
        except LabError:
            assert len(granted | set(ids)) > 2 * capacity
        holders = [holder for held in ledger.kept.values() for holder in held.values()]
        assert sorted(holder.virtual for holder in holders) == sorted(granted)


def test_what_several_devices_give_is_put_together() -> None:
    mount = Mount("/in", "/out")
    devices = [("aaaaaa", Device("a", {"D": "a"}, (mount,)), {}), ("bbbbbb", Device("b", {"D": "b"}, (mount,)), {})]
    both = grant(devices)
    assert dict(both.environment) == {"D": "b", "D_AAAAAA": "a", "D_BBBBBB": "b"}
    assert both.mounts == (mount,)
