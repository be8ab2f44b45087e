"""Which Instances a Configuration should have, and the plan that gets it there."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest
from edgelab.agent import wanted
from edgelab.agent.wanted import Offer, Plan, Reported
from edgelab.core.model import Configuration, Device, Instance
from hypothesis import given
from hypothesis import strategies as st

NODE, OTHER = "krustlet-wasi", "elsewhere"


def configuration(**spec: Any) -> Configuration:
    metadata = {"name": "echo", "namespace": "default", "uid": "c-1"}
    return Configuration.from_dict({"metadata": metadata, "spec": {"capacity": 2, **spec}})


def offers(*ids: str, shared: bool = True) -> dict[str, Offer]:
    chosen, problems = wanted.offers("echo", [Reported(Device(i, {"D": i}), shared) for i in ids], NODE)
    assert not problems
    return chosen


def instance(offer: Offer, *nodes: str, **changes: Any) -> Instance:
    spec = wanted.spec(configuration(), offer, nodes=nodes or [NODE])
    body = wanted.body(configuration(), offer.instance, spec)
    return replace(Instance.from_dict(body), **changes)


def plan(offered: Mapping[str, Offer], *found: Instance, settled: bool = True, **spec: Any) -> Plan:
    return wanted.plan(configuration(**spec), offered, found, node=NODE, settled=settled)


@pytest.mark.parametrize(
    ("device", "shared", "name"),
    [
        ("foo0", True, "echo-8120fe"),
        ('"foo0"', True, "echo-aae70c"),
        ("foo0", False, "echo-6854ca"),
        ('"foo0"', False, "echo-21f95b"),
    ],
)
def test_an_instance_is_named_as_akri_names_it(device: str, shared: bool, name: str) -> None:
    assert list(offers(device, shared=shared)) == [name]


def test_a_device_reported_twice_is_one_instance() -> None:
    chosen, problems = wanted.offers("echo", [Reported(Device("foo0"), True)] * 2, NODE)
    assert (len(chosen), problems) == (1, ())


def test_the_later_of_two_devices_with_one_digest_is_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wanted.names, "digest", lambda *_, **__: "abcdef")
    chosen, (problem,) = wanted.offers("echo", [Reported(Device(i), True) for i in ("first", "second")], NODE)
    assert chosen["echo-abcdef"].device.id == "first"
    assert problem.reason == "DeviceNameCollision"
    assert "'second'" in problem.message


@pytest.mark.parametrize(("length", "fits"), [(56, True), (57, False)])
def test_a_name_longer_than_a_resource_may_have_is_left_out_and_told(length: int, fits: bool) -> None:
    chosen, problems = wanted.offers("c" * length, [Reported(Device("foo0"), True)], NODE)
    assert bool(chosen) is fits
    assert [problem.reason for problem in problems] == ([] if fits else ["NameTooLong"])


def test_the_configurations_property_wins_over_the_devices() -> None:
    (offer,) = tuple(offers("foo0").values())
    spec = wanted.spec(configuration(brokerProperties={"D": "mine", "X": "1"}), offer, nodes=[NODE])
    assert spec["brokerProperties"] == {"D": "mine", "X": "1"}


def test_a_new_device_is_applied() -> None:
    offered = offers("foo0")
    assert plan(offered) == Plan(apply=tuple(offered))


def test_an_instance_as_wanted_is_left_alone() -> None:
    offered = offers("foo0")
    assert plan(offered, *(instance(offer) for offer in offered.values())) == Plan()


@pytest.mark.parametrize(
    "change",
    [
        {"capacity": 7},
        {"nodes": ()},
        {"owner_uids": ()},
        {"broker_properties": {}},
        {"shared": False},
    ],
)
def test_whatever_differs_is_applied_again(change: dict[str, Any]) -> None:
    offered = offers("foo0")
    (offer,) = tuple(offered.values())
    assert plan(offered, instance(offer, **change)).apply == (offer.instance,)


@pytest.mark.parametrize("change", [{"deleting": True}, {"owner_uids": ("of an earlier Configuration",)}])
def test_an_instance_about_to_go_is_waited_for(change: dict[str, Any]) -> None:
    offered = offers("foo0")
    (offer,) = tuple(offered.values())
    assert plan(offered, instance(offer, **change)) == Plan()
    assert plan({}, instance(offer, **change)) == Plan()


def test_nodes_may_see_different_properties_of_one_shared_device() -> None:
    offered = offers("foo0")
    (offer,) = tuple(offered.values())
    theirs = instance(offer, NODE, OTHER, broker_properties={"D": "seen from there"})
    assert plan(offered, theirs) == Plan()
    assert plan(offered, theirs, brokerProperties={"X": "1"}).apply == (offer.instance,)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        ([NODE], "delete"),
        ([NODE, OTHER], "withdraw"),
        ([OTHER], None),
    ],
)
def test_a_device_that_went(nodes: list[str], expected: str | None) -> None:
    (offer,) = tuple(offers("foo0").values())
    found = instance(offer, *nodes)
    assert plan({}, found) == (Plan(**{expected: (offer.instance,)}) if expected else Plan())


def test_nothing_is_taken_away_before_a_handler_has_answered() -> None:
    (offer,) = tuple(offers("foo0").values())
    assert plan({}, instance(offer), settled=False) == Plan()


devices = st.sets(st.sampled_from([f"foo{number}" for number in range(8)]))


@given(present=devices, reported=devices, settled=st.booleans())
def test_carrying_out_a_plan_leaves_nothing_to_do(present: set[str], reported: set[str], settled: bool) -> None:
    offered = offers(*reported)
    found = {offer.instance: instance(offer) for offer in offers(*present).values()}
    todo = plan(offered, *found.values(), settled=settled)
    after = {name: found[name] for name in found if name not in todo.delete}
    after |= {name: instance(offered[name]) for name in todo.apply}
    assert plan(offered, *after.values(), settled=settled) == Plan()
    assert set(after) == set(offered) | (set() if settled else set(found))
