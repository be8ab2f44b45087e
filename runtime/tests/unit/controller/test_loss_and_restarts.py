"""Taking a lost node out of an Instance, and how long a broker that ended is left alone."""

from dataclasses import replace
from typing import Any

from edgelab.controller.loss import concerns, forsaken, let_go, release
from edgelab.controller.model import Broker
from edgelab.controller.restarts import LONG_RUN, Restarts
from edgelab.core.backoff import Backoff
from edgelab.core.model import Instance
from hypothesis import given
from hypothesis import strategies as st

NODES = st.sampled_from(["n1", "n2", "a/b~c"])
USAGE = st.one_of(st.just(""), NODES, NODES.map(lambda node: f"C:c-0:{node}"))


def instance(nodes: list[str], usage: dict[str, str]) -> Instance:
    return Instance.from_dict({"metadata": {"name": "i"}, "spec": {"nodes": nodes, "deviceUsage": usage}})


def patched(spec: dict[str, Any], patch: list[dict[str, Any]]) -> dict[str, Any]:
    """What a JSON Patch of tests, replacements and removals makes of `spec`."""
    for step in patch:
        *path, last = [part.replace("~1", "/").replace("~0", "~") for part in step["path"].split("/")[2:]]
        place = spec[path[0]] if path else spec
        match step["op"]:
            case "test":
                assert place[last] == step["value"]
            case "replace":
                place[last] = step["value"]
            case "remove":
                del place[last]
    return spec


@given(
    nodes=st.lists(NODES, unique=True),
    usage=st.dictionaries(st.sampled_from(["i-0", "i-1", "i/~2"]), USAGE),
    lost=NODES,
)
def test_nothing_of_the_lost_node_and_all_of_the_others_stays(
    nodes: list[str], usage: dict[str, str], lost: str
) -> None:
    found = instance(nodes, usage)
    patch = release(found, lost)
    assert bool(patch) == concerns(found, lost)
    spec = patched({"nodes": nodes, "deviceUsage": dict(usage)}, patch)
    assert spec["nodes"] == [node for node in nodes if node != lost]
    assert spec["deviceUsage"] == {slot: use for slot, use in usage.items() if use.split(":")[-1] != lost}


def held(*finalizers: str, managers: tuple[str, ...], deleting: bool = True) -> Instance:
    meta = {
        "name": "i",
        "finalizers": list(finalizers),
        "managedFields": [{"manager": manager} for manager in managers],
        **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if deleting else {}),
    }
    return Instance.from_dict({"metadata": meta, "spec": {}})


def test_only_agents_of_nodes_that_are_gone_are_not_waited_for() -> None:
    found = held("gone", "there", "backup.example/keep", managers=("gone-fin", "there-fin", "there"))
    assert forsaken(found, {"there"}) == ["gone"]
    meta = {"metadata": {"finalizers": list(found.finalizers)}}
    [test, replacement] = let_go(found, ["gone"])
    assert test == {"op": "test", "path": "/metadata/finalizers", "value": meta["metadata"]["finalizers"]}
    assert replacement["value"] == ["there", "backup.example/keep"]


def test_an_object_that_stays_keeps_its_finalizers() -> None:
    assert forsaken(held("gone", managers=("gone-fin",), deleting=False), ()) == []


def ended(uid: str, *, started: float = 0.0, node: str = "n1") -> Broker:
    broker = Broker("Pod", "ns", "p", uid, False, "i", "c", "Instance", "owner", "", node, "Failed", started)
    return replace(broker, uid=uid)


def test_the_wait_doubles_with_each_broker_in_a_row_up_to_a_limit() -> None:
    restarts = Restarts(Backoff(1.0, 4.0))
    waits = [restarts.wait(ended(str(number)), 0.0) for number in range(4)]
    assert waits == [1.0, 2.0, 4.0, 4.0]


def test_the_same_broker_seen_again_waits_only_for_the_rest() -> None:
    restarts = Restarts(Backoff(2.0, 4.0))
    assert [restarts.wait(ended("a"), now) for now in (10.0, 11.5, 12.0)] == [2.0, 0.5, 0.0]


def test_nodes_do_not_wait_for_each_other() -> None:
    restarts = Restarts(Backoff(1.0, 4.0))
    assert restarts.wait(ended("a"), 0.0) == 1.0
    assert restarts.wait(ended("b", node="n2"), 0.0) == 1.0


def test_a_broker_that_worked_for_long_starts_the_count_again() -> None:
    restarts = Restarts(Backoff(1.0, 300.0))
    for number in range(5):
        restarts.wait(ended(str(number)), 0.0)
    assert restarts.wait(ended("long", started=1.0), 1.0 + LONG_RUN) == 1.0


def test_an_instance_that_comes_back_starts_anew() -> None:
    restarts = Restarts(Backoff(1.0, 300.0))
    restarts.wait(ended("a"), 0.0)
    restarts.forget("owner")
    assert restarts.wait(ended("b"), 0.0) == 1.0
