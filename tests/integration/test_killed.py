"""kill -9 of each process in turn: what comes back, and what must not notice."""

import os
import signal
from typing import Any

import pytest
from labkit import Lab, eventually

INSTANCE = "akri-debug-echo-aae70c"
BROKER = f"krustlet-wasi-{INSTANCE}-pod"


def kill(lab: Lab, process: str) -> int:
    """Kill a program and wait until its successor runs; returns the successor's pid."""
    before = lab.pid(process)
    assert before, f"{process} does not run"
    os.kill(before, signal.SIGKILL)
    return eventually(lambda: (now := lab.pid(process)) != before and now, what=f"{process} to come back")


def identity(lab: Lab) -> dict[str, Any]:
    """What must survive: the Instance's uid, the broker's uid, its restarts and when its container started."""
    broker = lab.get("pod", BROKER)
    container = broker["status"]["containerStatuses"][0]
    return {
        "instance": lab.get("instances.akri.sh", INSTANCE)["metadata"]["uid"],
        "broker": broker["metadata"]["uid"],
        "container": container["containerID"],
        "restarts": container["restartCount"],
        "usage": lab.get("instances.akri.sh", INSTANCE)["spec"]["deviceUsage"],
    }


def answers(lab: Lab) -> bool:
    return "ok" in lab.kubectl("get", "--raw", "/readyz", check=False)


@pytest.mark.parametrize("process", ["etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"])
def test_control_plane(lab: Lab, process: str) -> None:
    before = identity(lab)
    kill(lab, process)
    eventually(lambda: answers(lab), what="the API server to answer")
    assert identity(lab) == before
    assert lab.kubectl("logs", BROKER).startswith("Pod is running")


@pytest.mark.parametrize("process", ["agent", "controller", "proxy", "registry"])
def test_akri(lab: Lab, process: str) -> None:
    before = identity(lab)
    kill(lab, process)
    if process != "registry":
        eventually(lambda: lab.ready(process), what=f"{process} to be ready")
    assert identity(lab) == before


def test_node_adopts_its_containers(lab: Lab) -> None:
    before = identity(lab)
    kill(lab, "node")
    eventually(lambda: lab.ready("node"), what="the node to be ready")
    assert identity(lab) == before
    assert lab.kubectl("logs", BROKER).startswith("Pod is running")
    node = lab.get("node", "krustlet-wasi")
    assert eventually(
        lambda: lab.get("node", "krustlet-wasi")["status"]["allocatable"].get(f"akri.sh/{INSTANCE}") == "2"
    )
    assert {c["type"]: c["status"] for c in node["status"]["conditions"]}["Ready"] == "True"


def test_supervisor_is_replaced_and_takes_over_what_runs(lab: Lab) -> None:
    names = ("etcd", "kube-apiserver", "node", "agent", "controller", "proxy", "registry")
    before = {name: lab.pid(name) for name in names}
    supervisor = int((lab.layout.state / "supervisor/supervisord.pid").read_text())
    os.kill(supervisor, signal.SIGKILL)
    lab.playbook("site.yml")
    assert {name: lab.pid(name) for name in names} == before
    assert int((lab.layout.state / "supervisor/supervisord.pid").read_text()) != supervisor


def test_after_all_of_it_nothing_is_lost(lab: Lab) -> None:
    instance = lab.get("instances.akri.sh", INSTANCE)
    assert list(instance["spec"]["deviceUsage"].values()) == ["krustlet-wasi"]
    assert lab.playbook("verify.yml").recap()["failed"] == 0
