"""Where the chain from a Configuration to its brokers stops, what is reported, and following several kinds at once."""

import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _instances as subject
from ansible_collections.edgelab.akri.plugins.module_utils._instances import instance_names
from ansible_collections.edgelab.akri.plugins.module_utils._instances_chain import stop, warnings_about
from ansible_collections.edgelab.akri.plugins.module_utils._instances_model import Seen, Wanted, places, report
from ansible_collections.edgelab.akri.plugins.module_utils._instances_watch import together

INSTANCE = "akri-debug-echo-aae70c"
RESOURCE = f"akri.sh/{INSTANCE}"
POD = f"krustlet-wasi-{INSTANCE}-pod"
BROKER = {"brokerPodSpec": {"containers": []}}


def configuration(**spec: Any) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "akri-debug-echo",
            "uid": "c1",
            "creationTimestamp": "2026-11-21T09:00:00Z",
            "managedFields": [
                {"manager": "edgelab", "time": "2026-11-21T09:00:05Z"},
                {"manager": "krustlet-wasi-fin", "time": "2026-11-21T09:00:50Z"},
            ],
        },
        "spec": {"discoveryHandler": {"name": "debugEcho"}, "brokerSpec": BROKER, **spec},
    }


def instance(name: str = INSTANCE, nodes: tuple[str, ...] = ("krustlet-wasi",)) -> dict[str, Any]:
    metadata = {"name": name, "namespace": "default", "uid": name}
    return {"metadata": metadata, "spec": {"nodes": list(nodes), "capacity": 2, "shared": True}}


def event(reason: str, at: str = "2026-11-21T09:00:06Z", uid: str = "c1") -> dict[str, Any]:
    return {
        "metadata": {"creationTimestamp": at},
        "type": "Warning",
        "reason": reason,
        "message": "said the handler",
        "lastTimestamp": None,
        "eventTime": at.replace("Z", ".123456Z"),
        "involvedObject": {"uid": uid, "name": INSTANCE},
    }


def pod(node: str = "krustlet-wasi", phase: str = "Pending", state: Any = None, **metadata: Any) -> dict[str, Any]:
    labels = {"akri.sh/instance": INSTANCE, "akri.sh/target-node": "krustlet-wasi"}
    said = {"type": "PodScheduled", "status": "False", "message": f"0/1 nodes: 1 Insufficient {RESOURCE}."}
    return {
        "metadata": {
            "name": POD,
            "namespace": "default",
            "uid": "p1",
            "creationTimestamp": "2026-11-21T09:01:31Z",
            "labels": labels,
            **metadata,
        },
        "spec": {"nodeName": node},
        "status": {
            "phase": phase,
            "conditions": [] if node else [said],
            "containerStatuses": [{"name": "broker", "restartCount": 3, "state": state}] if state else [],
        },
    }


def node(ready: str = "True", amount: str = "2") -> dict[str, Any]:
    conditions = [{"type": "Ready", "status": ready, "message": "kubelet stopped posting"}]
    allocatable = {"cpu": "2", "memory": "4032800Ki", RESOURCE: amount}
    return {"metadata": {"name": "krustlet-wasi"}, "status": {"conditions": conditions, "allocatable": allocatable}}


HANDLER = {"name": "debugEcho", "connected": True, "error": ""}
LOST = {"name": "debugEcho", "connected": False, "error": "Connection refused"}
FOUND = {"configuration": configuration(), "instances": [instance()]}
BROKERS = Wanted(brokers=True)


@pytest.mark.parametrize(
    ("wanted", "seen", "handlers", "at", "said"),
    [
        (Wanted(1), Seen(), None, "configuration", "does not exist"),
        (Wanted(1), Seen(configuration()), [], "handler", "No handler debugEcho is registered"),
        (Wanted(1), Seen(configuration()), [{"name": "udev"}], "handler", "known: udev"),
        (Wanted(1), Seen(configuration()), [LOST], "handler", "Connection refused"),
        (Wanted(1), Seen(configuration()), [HANDLER], "device", "0 devices"),
        (Wanted(1), Seen(configuration()), None, "device", "0 devices"),
        (Wanted(1), Seen(configuration(), events=[event("Unavailable")]), [HANDLER], "discovery", "said the handler"),
        (Wanted(1), Seen(configuration(), events=[event("Unavailable")]), [], "handler", "No handler"),
        (Wanted(0), Seen(**FOUND), None, "instances", INSTANCE),
        (Wanted(1, names=("a", INSTANCE)), Seen(**FOUND), None, "device", "There is no a"),
        (BROKERS, Seen(configuration()), [HANDLER], "device", "0 devices"),
        (BROKERS, Seen(configuration(brokerSpec={}), [instance()]), None, "broker", "no broker"),
        (BROKERS, Seen(**FOUND), None, "node", "no node krustlet-wasi"),
        (BROKERS, Seen(**FOUND, nodes=[node(ready="Unknown")]), None, "node", "kubelet stopped posting"),
        (BROKERS, Seen(**FOUND, nodes=[node(amount="0")]), None, "resource", RESOURCE),
        (BROKERS, Seen(**FOUND, nodes=[node()]), None, "pod", "no broker of"),
        (
            BROKERS,
            Seen(**FOUND, nodes=[node()], events=[event("BrokerRefused", uid="i1")]),
            None,
            "pod",
            "BrokerRefused",
        ),
        (BROKERS, Seen(**FOUND, nodes=[node()], pods=[pod(deletionTimestamp="x")]), None, "pod", "no broker of"),
        (BROKERS, Seen(**FOUND, pods=[pod(node="")]), None, "scheduling", "Insufficient"),
        (
            BROKERS,
            Seen(**FOUND, pods=[pod(state={"waiting": {"reason": "ErrImagePull", "message": "no such tag"}})]),
            None,
            "container",
            "ErrImagePull no such tag",
        ),
        (
            BROKERS,
            Seen(**FOUND, pods=[pod(state={"waiting": {"reason": "CrashLoopBackOff"}})]),
            None,
            "crash",
            "CrashLoopBackOff",
        ),
        (
            BROKERS,
            Seen(**FOUND, pods=[pod(phase="Failed", state={"terminated": {"reason": "Error"}})]),
            None,
            "crash",
            "Error",
        ),
        (BROKERS, Seen(**FOUND, pods=[pod()]), None, "container", "Pending"),
    ],
)
def test_the_first_link_that_does_not_hold_is_named(
    wanted: Wanted, seen: Seen, handlers: list[dict[str, Any]] | None, at: str, said: str
) -> None:
    found = stop(wanted, seen, handlers)
    assert found
    assert found.at == at
    assert said in found.seen


@pytest.mark.parametrize(
    ("wanted", "seen"),
    [
        (Wanted(), Seen()),
        (Wanted(0), Seen()),
        (Wanted(1), Seen(instances=[instance()])),
        (Wanted(1, at_least=True), Seen(instances=[instance(), instance("b")])),
        (Wanted(1, brokers=True), Seen(**FOUND, pods=[pod(phase="Running")])),
    ],
)
def test_nothing_stops_what_is_as_wanted(wanted: Wanted, seen: Seen) -> None:
    assert stop(wanted, seen, None) is None


def test_instances_of_devices_are_called_as_akri_calls_them() -> None:
    assert instance_names("akri-debug-echo", ['"foo0"']) == (INSTANCE,)


def test_refused_details_are_hopeless_but_not_those_of_an_earlier_state() -> None:
    current = stop(Wanted(1), Seen(configuration(), events=[event("InvalidDiscoveryDetails")]), None)
    assert current
    assert (current.at, current.hopeless) == ("discovery", True)
    for old in (
        event("InvalidDiscoveryDetails", "2026-11-21T09:00:04Z"),
        event("InvalidDiscoveryDetails", uid="its predecessor"),
    ):
        found = stop(Wanted(1), Seen(configuration(), events=[old]), None)
        assert found
        assert (found.at, found.hopeless) == ("device", False)


def test_the_newest_warning_comes_last() -> None:
    events = [event("B", "2026-11-21T09:00:09Z"), event("A", "2026-11-21T09:00:07Z")]
    assert [item["reason"] for item in warnings_about(Seen(configuration(), events=events))] == ["A", "B"]


def test_a_shared_device_wants_a_broker_on_each_node_and_a_job_only_one() -> None:
    both = [instance(nodes=("a", "b"))]
    assert [place.node for place in places(Seen(configuration(), both))] == ["a", "b"]
    job = configuration(brokerSpec={"brokerJobSpec": {"template": {}}})
    assert [place.node for place in places(Seen(job, both))] == [""]


def test_a_finished_job_has_done_its_work() -> None:
    job = configuration(brokerSpec={"brokerJobSpec": {"template": {}}})
    done = pod(phase="Succeeded", labels={"akri.sh/instance": INSTANCE})
    assert stop(BROKERS, Seen(job, [instance()], [done]), None) is None
    assert stop(BROKERS, Seen(**FOUND, pods=[pod(phase="Succeeded")]), None)


def test_the_report_has_what_people_ask_for() -> None:
    service = {
        "metadata": {"name": "svc", "namespace": "default", "labels": {"akri.sh/instance": INSTANCE}},
        "spec": {"clusterIP": "10.96.0.9", "ports": [{"port": 6052}]},
    }
    seen = Seen(**FOUND, pods=[pod(phase="Running", state={"running": {}})], nodes=[node()], services=[service])
    found = report(seen, {POD: "a line"}).as_result()
    assert found["instances"][0]["resource"] == RESOURCE
    assert (found["brokers"][0]["restarts"], found["brokers"][0]["log_line"]) == (3, "a line")
    assert found["services"][0]["ports"] == [6052]
    assert found["nodes"] == [{"name": "krustlet-wasi", "ready": True, "allocatable": {RESOURCE: 2}}]


def user(node: str = "", phase: str = "Pending") -> dict[str, Any]:
    body = pod(node=node, phase=phase, name="mine", labels={})
    body["spec"]["containers"] = [{"resources": {"limits": {RESOURCE: "1", "memory": "1Mi"}}}, {}]
    return body


def test_pods_of_the_user_are_told_apart_from_brokers() -> None:
    seen = Seen(**FOUND, pods=[pod(phase="Running"), user()])
    found = report(seen, {}).as_result()
    assert [broker["name"] for broker in found["brokers"]] == [POD]
    assert [(item["name"], item["resources"]) for item in found["users"]] == [("mine", [RESOURCE])]
    assert "Insufficient" in found["users"][0]["unscheduled"]


def test_pods_of_the_user_are_waited_for() -> None:
    wanted = Wanted(1, pods=("mine",))
    stops = [stop(wanted, Seen(**FOUND, pods=pods), None) for pods in ([], [user()], [user("a", "Running")])]
    assert [found and found.at for found in stops] == ["pod", "scheduling", None]


def test_several_sources_are_seen_together_and_after_each_change() -> None:
    go_on = threading.Event()

    def pods() -> Iterator[list[dict[str, Any]]]:
        yield [{"pod": 1}]
        go_on.wait(10)
        yield [{"pod": 2}]

    stream = together({"pods": pods, "nodes": lambda: [[{"node": 1}]]}, seconds=10)
    assert next(stream) == {"pods": [{"pod": 1}], "nodes": [{"node": 1}]}
    go_on.set()
    assert next(stream) == {"pods": [{"pod": 2}], "nodes": [{"node": 1}]}


def test_an_error_of_a_source_reaches_the_reader() -> None:
    def broken() -> Iterator[list[dict[str, Any]]]:
        yield from ()
        raise OSError("gone")

    with pytest.raises(OSError, match="gone"):
        next(together({"pods": broken, "nodes": lambda: [[]]}, seconds=10))


def test_without_time_everything_is_still_seen_once() -> None:
    assert list(together({"pods": lambda: [[{"pod": 1}]]}, seconds=0)) == [{"pods": [{"pod": 1}]}]


class BrokenLogs:
    """A cluster whose followed logs end too early, as when a node restarts; each opening gets the next answer."""

    def __init__(self, *answers: list[str], phase: str = "Running") -> None:
        self._answers, self._phase = list(answers), phase

    def lines(self, path: str, *, seconds: float, **query: str) -> Iterator[str]:
        yield from self._answers.pop(0)

    def get(self, *words: str) -> dict[str, Any]:
        return pod(phase=self._phase)


def read_until(cluster: Any, monkeypatch: pytest.MonkeyPatch, seconds: float = 60) -> list[str]:
    monkeypatch.setattr(subject, "_LOG_PAUSE", 0)
    return subject._read_until(cluster, pod(), "^device", time.monotonic() + seconds)


def test_a_log_that_ends_early_is_opened_again(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_until(BrokenLogs([], ["hello"], ["hello", "device foo0"]), monkeypatch) == ["hello", "device foo0"]


def test_the_log_of_a_pod_that_has_ended_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_until(BrokenLogs(["bye"], phase="Succeeded"), monkeypatch) == ["bye"]


def test_when_the_time_is_over_the_last_lines_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    assert read_until(BrokenLogs(["hello"]), monkeypatch, seconds=0) == ["hello"]
