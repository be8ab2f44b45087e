"""Akri by its Helm chart on a real cluster: its Pods become ready, its agents work, and it goes in the right order.

The chart is the tests' own (tests/charts/akri) and runs the embedded agent and controller from the lab's registry.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from charts.packed import helm, pack
from labkit import Lab, eventually
from undoing import undo

CONFIGURATION = """
apiVersion: akri.sh/v0
kind: Configuration
metadata: {name: chart, namespace: default}
spec: {discoveryHandler: {name: nobody, discoveryDetails: ""}, capacity: 1}
"""


@pytest.fixture(scope="module")
def chart(kind_lab: Lab, tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Any]]:
    """Variables of the chart with the images of the lab; what was embedded is away meanwhile and comes back."""
    pods = kind_lab.get("-n", "akri", "daemonset", "akri-agent")["spec"]["template"]["spec"]
    image = pods["containers"][0]["image"]
    assert "@sha256:" in image
    undo(kind_lab, "akri")
    yield {
        "akri_implementation": "chart",
        "akri_chart": str(pack(helm(), tmp_path_factory.mktemp("chart"))),
        "akri_chart_repository": "",
        "akri_chart_agent_image": image,
        "akri_chart_controller_image": image,
    }
    kind_lab.playbook("up.yml")


def test_a_demo_has_its_handler_by_the_charts_values_for_one_of_yours(kind_lab: Lab, chart: dict[str, Any]) -> None:
    demo = {**chart, "lab_demo": "http", "demo_http_devices": 2, "demo_http_interval": 2}
    assert kind_lab.playbook("site.yml", **demo).output.count("http client akri-http-") == 2
    assert kind_lab.playbook("site.yml", **demo).changed_tasks() == []
    status = kind_lab.get("-n", "akri", "daemonset", "akri-http-discovery-daemonset")["status"]
    assert status["numberReady"] == status["desiredNumberScheduled"] == 1
    undo(kind_lab, "demo_http", **chart)
    kinds = ("-n", "akri", "get", "daemonsets", "-o", "name")
    assert kind_lab.kubectl(*kinds).split() == ["daemonset.apps/akri-agent-daemonset"]
    left = ("get", "akric,akrii,pods", "-o", "name")
    eventually(lambda: kind_lab.kubectl(*left) == "", within=60, what="the last broker to go")


def test_the_chart_runs_its_agents_and_goes_in_the_right_order(
    kind_lab: Lab, chart: dict[str, Any], tmp_path: Path
) -> None:
    kind_lab.playbook("up.yml", **chart)
    assert kind_lab.playbook("up.yml", **chart).changed_tasks() == []
    status = kind_lab.get("-n", "akri", "daemonset", "akri-agent-daemonset")["status"]
    assert status["numberReady"] == status["desiredNumberScheduled"] == 1
    assert kind_lab.get("-n", "akri", "deployment", "akri-controller-deployment")["status"]["readyReplicas"] == 1

    file = tmp_path / "configuration.yaml"
    file.write_text(CONFIGURATION)
    kind_lab.kubectl("apply", "-f", str(file))
    finalizers = ("get", "configuration", "chart", "-o", "jsonpath={.metadata.finalizers}")
    # One of the agent beside the Wasm node, one of that of the node that runs containers.
    eventually(lambda: len(json.loads(kind_lab.kubectl(*finalizers) or "[]")) == 2, what="both agents' finalizers")

    undo(kind_lab, "akri", **chart)
    assert kind_lab.kubectl("get", "crd", "-o", "name") == ""
    assert kind_lab.kubectl("get", "namespace", "akri", "--ignore-not-found") == ""
    assert kind_lab.kubectl("get", "clusterrole", "akri-agent-role", "--ignore-not-found") == ""
