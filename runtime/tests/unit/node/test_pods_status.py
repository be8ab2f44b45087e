"""The status of Pods, as a kubelet writes it."""

from typing import Any

from edgelab.node.containers.process import ProcessIdentity
from edgelab.node.containers.records import Exit, Start
from edgelab.node.pods.decisions import View, Waiting
from edgelab.node.pods.status import Situation, build_status, container_id
from edgelab.node.pods.status_writer import merged
from lightkube.models.core_v1 import Pod

NOW = "2026-11-21T09:01:34Z"
BEFORE = "2026-11-21T09:01:31Z"
RUNNING = View(number=0, image="r/i@sha256:1", running=True, start=Start(ProcessIdentity(1, 1, "b"), BEFORE))
CRASHED = View(number=2, start=Start(ProcessIdentity(1, 1, "b"), BEFORE), exit=Exit(7, "Error", NOW, "why"))


def pod(status: dict[str, Any] | None = None, **spec: Any) -> Pod:
    containers = {"containers": [{"name": "main", "image": "r/i:v1"}]}
    meta = {"name": "p", "namespace": "default", "uid": "u", "generation": 3}
    return Pod.from_dict({"metadata": meta, "spec": containers | spec, "status": status or {}})


def status_of(
    view: View, waiting: dict[str, Waiting] | None = None, it: Pod | None = None, **end: str
) -> dict[str, Any]:
    return build_status(it or pod(), Situation({"main": view}, waiting or {}, **end), ["127.0.0.1"], NOW)


def conditions(status: dict[str, Any]) -> dict[str, str]:
    return {condition["type"]: condition["status"] for condition in status["conditions"]}


def test_a_new_pod_is_pending_and_says_why() -> None:
    status = status_of(View())
    assert status["phase"] == "Pending"
    assert status["startTime"] == NOW
    assert status["containerStatuses"][0]["state"] == {"waiting": {"reason": "ContainerCreating"}}
    assert conditions(status)["Ready"] == "False"


def test_a_running_container_makes_the_pod_ready() -> None:
    status = status_of(RUNNING)
    assert status["phase"] == "Running"
    assert set(conditions(status).values()) == {"True"}
    (told,) = status["containerStatuses"]
    assert told["state"] == {"running": {"startedAt": BEFORE}}
    assert (told["image"], told["imageID"]) == ("r/i:v1", "r/i@sha256:1")
    assert told["containerID"] == container_id("u", "main", 0)
    assert (told["ready"], told["started"], told["restartCount"]) == (True, True, 0)


def test_a_crashed_container_that_waits_shows_its_last_end() -> None:
    status = status_of(CRASHED, {"main": Waiting("CrashLoopBackOff", "back-off")})
    (told,) = status["containerStatuses"]
    assert status["phase"] == "Running"
    assert told["state"]["waiting"] == {"reason": "CrashLoopBackOff", "message": "back-off"}
    assert told["lastState"]["terminated"]["exitCode"] == 7
    assert told["lastState"]["terminated"]["message"] == "why"
    assert told["restartCount"] == 2
    assert conditions(status)["Ready"] == "False"


def test_a_restarted_container_keeps_the_end_before() -> None:
    view = View(number=1, running=True, start=RUNNING.start, last_start=CRASHED.start, last_exit=CRASHED.exit)
    (told,) = status_of(view)["containerStatuses"]
    assert told["lastState"]["terminated"]["containerID"] == container_id("u", "main", 0)
    assert told["containerID"] == container_id("u", "main", 1)


def test_an_ended_pod() -> None:
    view = View(number=0, start=RUNNING.start, exit=Exit(0, "Completed", NOW))
    status = status_of(view, phase="Succeeded")
    assert status["phase"] == "Succeeded"
    assert status["containerStatuses"][0]["state"]["terminated"]["reason"] == "Completed"
    assert {each["type"]: each["reason"] for each in status["conditions"]}["Ready"] == "PodCompleted"


def test_conditions_keep_the_time_of_their_last_change() -> None:
    known = {"type": "Initialized", "status": "True", "lastTransitionTime": BEFORE}
    other = {"type": "Ready", "status": "False", "lastTransitionTime": BEFORE}
    status = status_of(RUNNING, it=pod({"conditions": [known, other], "startTime": BEFORE}))
    since = {each["type"]: each["lastTransitionTime"] for each in status["conditions"]}
    assert since["Initialized"] == BEFORE
    assert since["Ready"] == NOW
    assert status["startTime"] == BEFORE


def test_the_schedulers_condition_is_left_to_it() -> None:
    scheduled = {"type": "PodScheduled", "status": "True", "lastTransitionTime": BEFORE}
    assert "PodScheduled" not in conditions(status_of(RUNNING, it=pod({"conditions": [scheduled]})))
    assert "PodScheduled" in conditions(status_of(RUNNING))


def test_a_closed_readiness_gate_keeps_a_pod_unready() -> None:
    status = status_of(RUNNING, it=pod(readinessGates=[{"conditionType": "example.com/gate"}]))
    assert conditions(status)["ContainersReady"] == "True"
    assert conditions(status)["Ready"] == "False"


def test_only_pods_of_the_host_network_have_an_address() -> None:
    assert status_of(RUNNING)["podIP"] is None
    assert status_of(RUNNING, it=pod(hostNetwork=True))["podIPs"] == [{"ip": "127.0.0.1"}]


def test_the_same_situation_gives_the_same_status() -> None:
    first = status_of(RUNNING)
    again = build_status(
        pod(merged({}, first)), Situation({"main": RUNNING}, {}), ["127.0.0.1"], "2026-11-21T10:00:00Z"
    )
    assert [each for each in again["conditions"] if each["type"] != "PodScheduled"] == [
        each for each in first["conditions"] if each["type"] != "PodScheduled"
    ]
    assert {**again, "conditions": None} == {**first, "conditions": None}


def test_init_containers_are_ready_once_they_ended_well() -> None:
    it = pod(initContainers=[{"name": "init", "image": "r/i:v1"}])
    view = View(number=0, start=RUNNING.start, exit=Exit(0, "Completed", NOW))
    status = build_status(it, Situation({"init": view, "main": View()}, {}), ["127.0.0.1"], NOW)
    assert status["initContainerStatuses"][0]["ready"] is True
    assert conditions(status)["Initialized"] == "True"
    assert status["phase"] == "Pending"


def test_containers_wait_for_the_init_containers() -> None:
    it = pod(initContainers=[{"name": "init", "image": "r/i:v1"}])
    status = build_status(it, Situation({"init": View(), "main": View()}, {}), ["127.0.0.1"], NOW)
    assert status["initContainerStatuses"][0]["state"]["waiting"]["reason"] == "ContainerCreating"
    assert status["containerStatuses"][0]["state"]["waiting"]["reason"] == "PodInitializing"
