"""Slots: reading `deviceUsage`, what the kubelet sees, which slot to give."""

import pytest
from edgelab.agent import slots
from edgelab.agent.slots import Holder, Virtual
from hypothesis import given
from hypothesis import strategies as st

NODE, OTHER = "here", "there"

holders = st.builds(Holder, st.sampled_from([NODE, OTHER]), st.sampled_from(["", "conf-0", "conf-1", "conf-7"]))
usages = st.dictionaries(st.sampled_from([f"conf-abcdef-{index}" for index in range(6)]), holders)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", None),
        ("here", Holder("here")),
        ("C:conf-3:here", Holder("here", "conf-3")),
        ("C:conf-3", Holder("C:conf-3")),
        ("a:b:c", Holder("a:b:c")),
    ],
)
def test_reading_a_value(value: str, expected: Holder | None) -> None:
    assert slots.holder(value) == expected


@given(holders)
def test_a_value_written_is_read_back(holder: Holder) -> None:
    assert slots.holder(str(holder)) == holder


def test_what_this_node_knows_of_its_own_slots_counts_more_than_what_the_instance_says() -> None:
    observed = {"i-0": NODE, "i-1": OTHER, "i-2": "", "i-3": NODE}
    assert slots.usage(observed, {"i-3": NODE, "i-2": NODE}, NODE) == {
        "i-1": Holder(OTHER),
        "i-2": Holder(NODE),
        "i-3": Holder(NODE),
    }


def test_a_slot_is_healthy_if_this_node_may_use_it_through_the_instance() -> None:
    held = {"i-0": Holder(NODE), "i-1": Holder(OTHER), "i-2": Holder(NODE, "conf-0")}
    assert slots.instance_devices("i", 4, held, NODE) == [("i-0", True), ("i-1", False), ("i-2", False), ("i-3", True)]


@given(usages, st.integers(0, 6))
def test_no_free_slot_is_held(held: dict[str, Holder], capacity: int) -> None:
    free = slots.free_slots("conf-abcdef", capacity, held)
    assert not set(free) & set(held)
    assert len(free) >= capacity - len(held)


def test_free_virtual_devices_take_the_lowest_numbers_not_in_use() -> None:
    instances = [
        ("conf-a", 2, {"conf-a-1": Holder(NODE, "conf-0")}),
        ("conf-b", 1, {"conf-b-0": Holder(OTHER, "conf-1")}),
        ("conf-c", 1, {}),
    ]
    assert slots.virtual_devices("conf", instances, NODE) == [
        Virtual("conf-0", "conf-a", "conf-a-1"),
        Virtual("conf-1", "conf-a"),
        Virtual("conf-2", "conf-c"),
    ]


@given(st.dictionaries(st.sampled_from(["conf-aaaaaa", "conf-bbbbbb", "conf-cccccc"]), st.integers(0, 3)), st.data())
def test_virtual_devices_have_one_id_each_and_one_per_instance_with_room(
    capacities: dict[str, int], data: st.DataObject
) -> None:
    ids = iter(range(100))
    instances = []
    for name, capacity in capacities.items():
        taken = data.draw(st.sets(st.integers(0, capacity)))
        held = {f"{name}-{index}": Holder(NODE, f"conf-{next(ids)}") for index in taken}
        instances.append((name, capacity, held))
    devices = slots.virtual_devices("conf", instances, NODE)
    assert len({device.id for device in devices}) == len(devices)
    free = sorted(device.instance for device in devices if not device.slot)
    assert free == sorted(name for name, capacity, held in instances if slots.free_slots(name, capacity, held))
