"""Akri by its Helm chart on a real cluster, in place of what is embedded, with all demos that discover something.

The chart is the tests' own (tests/charts/akri) and runs the embedded agent and controller from the lab's registry. The
tests build on one another in the order of the file; in the end what is embedded is there again.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import machine
import pytest
from charts.packed import helm, pack
from labkit import Lab, Result, eventually
from undoing import undo

CONFIGURATION = """
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: chart, namespace: default}
spec: {discoveryHandler: {name: nobody, discoveryDetails: ""}, capacity: 1}
"""

DEMOS: dict[str, dict[str, Any]] = {
    "wasm_debug_echo": {},
    "http": {"demo_http_devices": 2, "demo_http_interval": 2},
    "video": {"demo_video_cameras": 1},
}


@pytest.fixture(scope="module")
def image(kind_lab: Lab) -> Iterator[str]:
    """The image that agent and controller had as what was embedded, which is away meanwhile."""
    pods = kind_lab.get("-n", "akri", "daemonset", "akri-agent")["spec"]["template"]["spec"]
    undo(kind_lab, "akri")
    yield pods["containers"][0]["image"]
    kind_lab.playbook("up.yml")


@pytest.fixture(scope="module")
def chart(image: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Variables of the chart with that image."""
    assert "@sha256:" in image
    return {
        "akri_implementation": "chart",
        "akri_chart": str(pack(helm(), tmp_path_factory.mktemp("chart"))),
        "akri_chart_repository": "",
        "akri_chart_agent_image": image,
        "akri_chart_controller_image": image,
    }


@pytest.fixture(scope="module")
def demos(kind_lab: Lab, chart: dict[str, Any]) -> Iterator[dict[str, Result]]:
    """All demos that discover something, one after the other in one lab."""
    try:
        yield {demo: kind_lab.playbook("site.yml", **chart, **demo_of(demo)) for demo in DEMOS}
    finally:
        if kind_lab.kubectl("get", "crd", "-o", "name"):  # a test failed
            undo(kind_lab, *(f"demo_{demo}" for demo in DEMOS), "akri", **chart)


def demo_of(name: str) -> dict[str, Any]:
    """Variables of a demo."""
    return {"lab_demo": name, **DEMOS[name]}


def test_nothing_is_left_of_what_was_embedded(kind_lab: Lab, image: str) -> None:
    nothing_is_left(kind_lab)
    node = ("exec", f"edgelab-{kind_lab.name}-control-plane")
    left = machine.podman(*node, "ls", "/var/lib", "/var/lib/akri").stdout.split()
    assert "akri-agent" not in left
    assert not any(name.endswith(".sock") for name in left)
    assert "edgelab-" not in machine.podman(*node, "ls", "/var/lib/kubelet/device-plugins").stdout


def test_each_demo_shows_what_it_is_to_show_beside_the_others(demos: dict[str, Result]) -> None:
    assert demos["wasm_debug_echo"].output.count("Pod is running and using debugEcho device named:") == 2
    assert demos["http"].output.count("http client akri-http-") == 2
    assert "Look at the page: http" in demos["video"].output


def test_handlers_are_beside_the_agents_of_the_chart(kind_lab: Lab, demos: dict[str, Result]) -> None:
    """That of the demo http is the chart's own, by its values for one of yours; the chart gives none a name."""
    found = {one["metadata"]["name"]: one["status"] for one in kind_lab.get("-n", "akri", "daemonsets")["items"]}
    assert found.keys() == {"akri-agent-daemonset", "akri-http-discovery-daemonset", "cameras-handler"}
    assert {status["numberReady"] for status in found.values()} == {1}


@pytest.mark.parametrize("demo", DEMOS)
def test_no_demo_undoes_anything_of_another(
    kind_lab: Lab, chart: dict[str, Any], demos: dict[str, Result], demo: str
) -> None:
    assert kind_lab.playbook("site.yml", **chart, **demo_of(demo)).changed_tasks() == []


def test_a_demo_goes_and_the_others_stay(kind_lab: Lab, chart: dict[str, Any], demos: dict[str, Result]) -> None:
    before = configurations(kind_lab)
    undo(kind_lab, "demo_http", **chart)
    assert configurations(kind_lab) == before - {"akri-http"}
    assert kind_lab.playbook("verify.yml", **chart, **demo_of("video")).recap()["failed"] == 0
    undo(kind_lab, "demo_video", "demo_wasm_debug_echo", **chart)
    daemon_sets = kind_lab.kubectl("-n", "akri", "get", "daemonsets", "-o", "name").split()
    assert daemon_sets == ["daemonset.apps/akri-agent-daemonset"]
    left = ("get", "akric,akrii,pods,deployments", "-o", "name")
    eventually(lambda: kind_lab.kubectl(*left) == "", within=60, what="the last broker to go")


def configurations(lab: Lab) -> set[str]:
    """Names of the Configurations."""
    return {one["metadata"]["name"] for one in lab.get("akric")["items"]}


def test_the_chart_goes_in_the_right_order(
    kind_lab: Lab, chart: dict[str, Any], demos: dict[str, Result], tmp_path: Path
) -> None:
    assert kind_lab.get("-n", "akri", "deployment", "akri-controller-deployment")["status"]["readyReplicas"] == 1
    file = tmp_path / "configuration.yaml"
    file.write_text(CONFIGURATION)
    kind_lab.kubectl("apply", "-f", str(file))
    finalizers = ("get", "configuration", "chart", "-o", "jsonpath={.metadata.finalizers}")
    # One of the agent beside the Wasm node, one of that of the node that runs containers.
    eventually(lambda: len(json.loads(kind_lab.kubectl(*finalizers) or "[]")) == 2, what="both agents' finalizers")
    undo(kind_lab, "akri", **chart)
    nothing_is_left(kind_lab)


def nothing_is_left(lab: Lab) -> None:
    """See that there is nothing of Akri in the cluster."""
    assert lab.kubectl("get", "crd", "-o", "name") == ""
    assert lab.kubectl("get", "namespace", "akri", "--ignore-not-found") == ""
    roles = lab.kubectl("get", "clusterrole,clusterrolebinding", "-o", "name").splitlines()
    assert [name for name in roles if "akri-controller" in name or "akri-agent-role" in name] == []
    assert lab.kubectl("get", "pods", "-o", "name") == ""
