"""Akri's embedded parts as containers beside a real kubelet, and both demos with brokers that are containers.

The tests build on one another in the order of the file: the demo is built once, and taken away at the end. That Akri
itself leaves nothing is seen where its chart takes its place (test_chart.py).
"""

import json
from collections.abc import Iterator
from typing import Any

import machine
import pytest
from labkit import Lab, Result, eventually
from undoing import undo

CONFIGURATION = "akri-debug-echo-containers"
INSTANCE = f"{CONFIGURATION}-aae70c"
RESOURCE = f"akri.sh/{INSTANCE}"
HANDLER = "debugEchoContainers"
LINE = 'Pod is running and using debugEcho device named: "foo0"'
USER = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "user"},
    "spec": {
        "terminationGracePeriodSeconds": 0,
        "containers": [
            {
                "name": "user",
                "image": "registry.k8s.io/pause:3.10",
                "imagePullPolicy": "Never",
                "resources": {"limits": {RESOURCE: "1"}},
            }
        ],
    },
}


@pytest.fixture(scope="module")
def demo(kind_lab: Lab) -> Iterator[Result]:
    """The first demo on Kind."""
    yield kind_lab.playbook("site.yml")
    undo(kind_lab, "demo_wasm_debug_echo")


def node(lab: Lab) -> str:
    """The node that runs containers."""
    return f"edgelab-{lab.name}-control-plane"


def broker(lab: Lab) -> str:
    """Name of the broker on that node."""
    return f"{node(lab)}-{INSTANCE}-pod"


def instance(lab: Lab) -> dict[str, Any] | None:
    """The Instance, if there is one."""
    return next((each for each in lab.get("akrii")["items"] if each["metadata"]["name"] == INSTANCE), None)


def used(lab: Lab) -> list[str]:
    """Who uses the slots of the Instance, one entry per slot in use."""
    found = instance(lab)
    assert found
    return [user for user in (found["spec"].get("deviceUsage") or {}).values() if user]


def offered(lab: Lab) -> str:
    """How many slots the node offers."""
    allocatable: dict[str, str] = lab.get("node", node(lab))["status"]["allocatable"]
    return allocatable.get(RESOURCE, "")


def pods(lab: Lab, *words: str) -> dict[str, dict[str, Any]]:
    """Pods by their names."""
    return {pod["metadata"]["name"]: pod for pod in lab.get("pods", *words)["items"]}


def runs(lab: Lab, name: str) -> bool:
    """Whether a Pod runs, and nobody has asked for its end."""
    pod = pods(lab).get(name)
    return bool(pod) and pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]


def test_wasm_and_container_brokers_beside_each_other(kind_lab: Lab, demo: Result) -> None:
    assert demo.output.count(LINE) == 2
    assert "a kubelet for WebAssembly" in demo.output
    assert "a kubelet for containers" in demo.output
    assert kind_lab.kubectl("logs", broker(kind_lab)).strip() == LINE
    image = pods(kind_lab)[broker(kind_lab)]["spec"]["containers"][0]["image"]
    assert "@sha256:" in image
    assert offered(kind_lab) == "2"


def test_a_second_run_changes_nothing(kind_lab: Lab, demo: Result) -> None:
    assert kind_lab.playbook("site.yml").changed_tasks() == []


def test_the_second_demo_is_the_containers_alone(kind_lab: Lab, demo: Result) -> None:
    shown = kind_lab.playbook("site.yml", lab_demo="wasm_handler")
    assert shown.changed_tasks() == []
    assert shown.output.count(LINE) == 1
    assert "a kubelet for containers" in shown.output


def test_an_unplugged_device_takes_its_broker_along_and_comes_back(kind_lab: Lab, demo: Result) -> None:
    availability = kind_lab.layout.handlers / HANDLER / "debug-echo-availability.txt"
    availability.write_text("OFFLINE")
    eventually(lambda: instance(kind_lab) is None, within=60, what="the Instance to go")
    eventually(lambda: broker(kind_lab) not in pods(kind_lab), within=90, what="its broker to go")
    availability.write_text("ONLINE")
    eventually(lambda: runs(kind_lab, broker(kind_lab)), within=90, what="the broker to run again")


def test_instances_outlive_their_agent(kind_lab: Lab, demo: Result) -> None:
    before = instance(kind_lab)
    assert before
    agents = ("-n", "akri", "-l", "app.kubernetes.io/name=akri-agent")
    [killed] = pods(kind_lab, *agents)
    kind_lab.kubectl("-n", "akri", "delete", "pod", killed, "--force", "--grace-period=0")
    kind_lab.kubectl("-n", "akri", "rollout", "status", "daemonset/akri-agent", "--timeout=120s")
    assert killed not in pods(kind_lab, *agents)
    after = instance(kind_lab)
    assert after
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert runs(kind_lab, broker(kind_lab))
    eventually(lambda: offered(kind_lab) == "2", within=60, what="the node to offer the device again")


def test_a_slot_is_taken_by_a_user_and_free_after_it(kind_lab: Lab, demo: Result) -> None:
    ours = node(kind_lab)
    eventually(lambda: used(kind_lab) == [ours], within=60, what="the broker's slot alone to be in use")
    manifest = kind_lab.home / "user.json"
    manifest.write_text(json.dumps(USER))
    kind_lab.kubectl("apply", "-f", str(manifest))
    eventually(lambda: runs(kind_lab, "user"), within=60, what="the user to run")
    assert used(kind_lab) == [ours, ours]
    kind_lab.kubectl("delete", "pod", "user")
    eventually(lambda: used(kind_lab) == [ours], within=60, what="its slot to be free")


def test_a_restarted_kubelet_gets_the_devices_again(kind_lab: Lab, demo: Result) -> None:
    def registrations() -> int:
        # Logs come by the kubelet, which is away for a moment.
        log = kind_lab.kubectl("-n", "akri", "logs", "daemonset/akri-agent", check=False)
        return log.count(f"{RESOURCE} is registered with the kubelet")

    before = registrations()
    machine.podman("exec", node(kind_lab), "systemctl", "restart", "kubelet")
    eventually(lambda: registrations() > before, within=60, what="the agent to register again")
    eventually(lambda: offered(kind_lab) == "2", within=60, what="the node to offer the device again")
    kind_lab.kubectl("delete", "pod", broker(kind_lab))
    eventually(lambda: runs(kind_lab, broker(kind_lab)), within=90, what="the next broker to get the device")
