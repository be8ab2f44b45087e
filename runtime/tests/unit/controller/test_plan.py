"""What is done for an Instance, decided from the whole situation."""

from dataclasses import replace
from typing import Any

import pytest
from edgelab.controller.model import Broker, Node, Owned
from edgelab.controller.objects import broker_pod, digest
from edgelab.controller.plan import Plan, Situation, for_configuration, for_instance
from edgelab.core.model import Configuration, Instance
from hypothesis import given
from hypothesis import strategies as st

RESOURCE = "akri.sh/c-aae70c"
BROKER_SPEC = {"containers": [{"name": "b", "resources": {"limits": {"{{PLACEHOLDER}}": "1"}}}]}
PORTS = {"ports": [{"port": 80}]}


def configuration(**spec: Any) -> Configuration:
    meta = {"name": "c", "namespace": "ns", "uid": "config", "generation": 3}
    return Configuration.from_dict({"metadata": meta, "spec": {"brokerSpec": {"brokerPodSpec": BROKER_SPEC}} | spec})


def instance(*nodes: str, uid: str = "instance", deleting: bool = False, shared: bool = True) -> Instance:
    meta: dict[str, Any] = {"name": "c-aae70c", "namespace": "ns", "uid": uid}
    if deleting:
        meta["deletionTimestamp"] = "2026-11-21T09:00:00Z"
    spec = {"configurationName": "c", "nodes": list(nodes), "shared": shared, "capacity": 2}
    return Instance.from_dict({"metadata": meta, "spec": spec})


def offering(*nodes: str, count: int = 2) -> dict[str, Node]:
    return {name: Node(name, ready=True, devices={RESOURCE: count}) for name in nodes}


def broker(node: str = "n1", phase: str = "Running", **changes: Any) -> Broker:
    made = Broker(
        kind="Pod",
        namespace="ns",
        name=f"{node}-c-aae70c-pod",
        uid=f"{node}-pod",
        deleting=False,
        instance="c-aae70c",
        configuration="c",
        owner_kind="Instance",
        owner_uid="instance",
        digest=digest(BROKER_SPEC),
        node=node,
        phase=phase,
        started=0.0,
    )
    return replace(made, **changes)


def owned(kind: str, **changes: Any) -> Owned:
    return replace(
        Owned(kind, "ns", f"a-{kind}", f"uid-{kind}", False, "c-aae70c", "c", "Instance", "instance", ""), **changes
    )


def situation(**changes: Any) -> Situation:
    usual = Situation(
        instance=instance("n1"),
        configuration=configuration(),
        brokers=(),
        jobs=(),
        services=(),
        nodes=offering("n1"),
        job_was_made=False,
        replace_after=lambda _: 0.0,
    )
    return replace(usual, **changes)


def created(plan: Plan) -> list[str]:
    return [body["metadata"]["name"] for body in plan.create]


def deleted(plan: Plan) -> list[str]:
    return [one.name for one in plan.delete]


WITHOUT_DEVICE = {"brokerSpec": {"brokerPodSpec": {"containers": [{"name": "b"}]}}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["n1-c-aae70c-pod"]),
        ({"instance": instance("n1", shared=False)}, ["c-aae70c-pod"]),
        ({"instance": instance("n1", "n2"), "nodes": offering("n1", "n2")}, ["n1-c-aae70c-pod", "n2-c-aae70c-pod"]),
        ({"nodes": {}}, []),
        ({"nodes": offering("n1", count=0)}, []),
        ({"nodes": offering("n2")}, []),
        ({"nodes": {}, "configuration": configuration(**WITHOUT_DEVICE)}, ["n1-c-aae70c-pod"]),
        ({"configuration": configuration(brokerSpec={})}, []),
        ({"configuration": None}, []),
        ({"configuration": replace(configuration(), deleting=True)}, []),
        ({"instance": instance("n1", deleting=True)}, []),
        ({"instance": None}, []),
        ({"brokers": [broker()]}, []),
        ({"brokers": [broker(deleting=True)]}, []),
        ({"brokers": [broker(owner_uid="a predecessor")]}, []),
    ],
)
def test_brokers_are_made_where_the_device_is_offered_and_none_is(changes: dict[str, Any], expected: list[str]) -> None:
    assert created(for_instance(situation(**changes))) == expected


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"brokers": [broker()]}, False),
        ({"brokers": [broker(phase="Pending")]}, False),
        ({"brokers": [broker(phase="Unknown")]}, False),
        ({"brokers": [broker()], "configuration": None}, False),
        ({"brokers": [broker(digest="")]}, False),  # made by Akri's controller
        ({"brokers": [broker(phase="Failed")]}, True),
        ({"brokers": [broker(phase="Succeeded")]}, True),
        ({"brokers": [broker(digest="of another spec")]}, True),
        ({"brokers": [broker()], "configuration": configuration(brokerSpec={})}, True),
        ({"brokers": [broker()], "instance": instance("n2")}, True),
        ({"brokers": [broker()], "instance": instance("n2"), "configuration": None}, True),
        ({"brokers": [broker()], "instance": instance("n1", uid="a successor")}, True),
        ({"brokers": [broker()], "instance": instance("n1", deleting=True)}, True),
        ({"brokers": [broker()], "instance": None}, True),
        ({"brokers": [broker(deleting=True)], "instance": None}, False),
        ({"brokers": [broker(owner_kind="Job")], "instance": None}, False),
        ({"brokers": [broker(owner_kind="")], "instance": None}, False),  # somebody's own Pod with the label
    ],
)
def test_brokers_are_deleted_when_nothing_wants_them_any_more(changes: dict[str, Any], expected: bool) -> None:
    assert bool(deleted(for_instance(situation(**changes)))) == expected


def test_a_broker_that_ended_is_left_until_its_wait_is_over() -> None:
    plan = for_instance(situation(brokers=[broker(phase="Failed")], replace_after=lambda _: 4.0))
    assert plan == Plan(again=4.0)


def test_everything_goes_with_the_instance() -> None:
    seen = situation(instance=None, brokers=[broker()], jobs=[owned("Job")], services=[owned("Service")])
    assert deleted(for_instance(seen)) == ["n1-c-aae70c-pod", "a-Job", "a-Service"]


JOB = {"brokerJobSpec": {"template": {"spec": BROKER_SPEC}}}


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, ["c-aae70c-3-job"]),
        ({"nodes": {}}, []),
        ({"jobs": [owned("Job", name="c-aae70c-2-job")]}, []),  # of an earlier generation: no second one
        ({"job_was_made": True}, []),
    ],
)
def test_an_instance_has_one_job(changes: dict[str, Any], expected: list[str]) -> None:
    assert created(for_instance(situation(configuration=configuration(brokerSpec=JOB), **changes))) == expected


GOOD = owned("Service", digest=digest(PORTS))


@pytest.mark.parametrize(
    ("brokers", "services", "applied", "gone"),
    [
        ([], [], 0, 0),
        ([broker(phase="Pending")], [], 0, 0),
        ([broker()], [], 1, 0),
        ([broker()], [GOOD], 0, 0),
        ([broker(phase="Pending")], [GOOD], 0, 0),
        ([broker()], [replace(GOOD, digest="of another spec")], 1, 0),
        ([broker()], [replace(GOOD, owner_uid="a predecessor")], 1, 0),
        ([broker(deleting=True)], [GOOD], 0, 1),
        ([broker(phase="Failed")], [GOOD], 0, 1),
        ([], [GOOD], 0, 1),
        ([broker(owner_kind="Job", owner_uid="job")], [], 0, 0),
    ],
)
def test_a_service_is_there_from_the_first_running_broker_to_the_last(
    brokers: list[Broker], services: list[Owned], applied: int, gone: int
) -> None:
    seen = situation(
        configuration=configuration(instanceServiceSpec=PORTS),
        brokers=brokers,
        services=services,
        replace_after=lambda _: 1.0,
    )
    plan = for_instance(seen)
    assert len(plan.apply) == applied
    assert sum(one.kind == "Service" for one in plan.delete) == gone
    theirs = [replace(service, owner_uid=service.owner_uid.replace("instance", "config")) for service in services]
    other = for_configuration(configuration(configurationServiceSpec=PORTS), brokers, theirs)
    assert (len(other.apply), len(other.delete)) == (applied, gone)


def test_a_configuration_that_goes_takes_its_service_along() -> None:
    assert deleted(for_configuration(None, [broker()], [GOOD])) == ["a-Service"]


nodes = st.lists(st.sampled_from(["n1", "n2", "n3"]), unique=True)
pods = st.lists(
    st.builds(
        broker,
        node=st.sampled_from(["n1", "n2", "n3"]),
        phase=st.sampled_from(["Pending", "Running", "Failed", "Succeeded", "Unknown"]),
    ),
    unique_by=lambda one: one.name,
)


@given(listed=nodes, offers=nodes, brokers=pods)
def test_carrying_out_plans_ends_with_one_broker_per_node(
    listed: list[str], offers: list[str], brokers: list[Broker]
) -> None:
    """However it starts, a few rounds lead to a state in which nothing is left to do."""
    seen = situation(instance=instance(*listed), nodes=offering(*offers), brokers=brokers)
    for _round in range(3):
        plan = for_instance(seen)
        kept = [one for one in seen.brokers if one not in plan.delete]
        seen = replace(seen, brokers=[*kept, *(made(body) for body in plan.create)])
    assert for_instance(seen) == Plan()
    there = {one.node for one in seen.brokers}
    assert {node for node in listed if node in offers} <= there <= set(listed)
    assert len(seen.brokers) == len(there)


def made(body: dict[str, Any]) -> Broker:
    """A Pod as the API server would list it right after it was created."""
    return Broker.read({"metadata": body["metadata"] | {"uid": "new"}})


def test_what_is_made_is_recognised() -> None:
    one = made(broker_pod(instance("n1"), configuration(), "n1"))
    assert one == replace(broker(), uid="new", phase="Pending")
