"""When the Pods of a Deployment, StatefulSet or DaemonSet are as wanted, and what is told when they are not."""

from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_ready import hindrances, missing, selector

READY_DEPLOYMENT = {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}
READY_DAEMON_SET = {
    "observedGeneration": 2,
    "desiredNumberScheduled": 2,
    "updatedNumberScheduled": 2,
    "numberAvailable": 2,
}


def body(kind: str, status: dict[str, Any] | None) -> dict[str, Any]:
    spec = {"selector": {"matchLabels": {"app": "a", "tier": "b"}}}
    return {"kind": kind, "metadata": {"name": "x", "generation": 2}, "spec": spec, "status": status}


@pytest.mark.parametrize(
    ("kind", "status"),
    [("Deployment", READY_DEPLOYMENT), ("StatefulSet", READY_DEPLOYMENT), ("DaemonSet", READY_DAEMON_SET)],
)
def test_nothing_is_missing_when_all_are_updated_and_ready(kind: str, status: dict[str, Any]) -> None:
    assert missing(body(kind, status)) == ""


@pytest.mark.parametrize(
    ("kind", "status", "told"),
    [
        ("Deployment", None, "has not seen it"),
        ("Deployment", READY_DEPLOYMENT | {"observedGeneration": 1}, "has not seen it"),
        ("Deployment", READY_DEPLOYMENT | {"availableReplicas": 0}, "availableReplicas is 0 of 1"),
        ("Deployment", READY_DEPLOYMENT | {"replicas": 2}, "1 Pods of before"),
        ("StatefulSet", READY_DEPLOYMENT | {"availableReplicas": 0}, "availableReplicas is 0 of 1"),
        ("DaemonSet", READY_DAEMON_SET | {"numberAvailable": 1}, "numberAvailable is 1 of 2"),
        ("DaemonSet", READY_DAEMON_SET | {"updatedNumberScheduled": 0}, "updatedNumberScheduled is 0 of 2"),
    ],
)
def test_what_is_missing_is_told(kind: str, status: dict[str, Any] | None, told: str) -> None:
    assert told in missing(body(kind, status))


def test_a_daemon_set_that_no_node_takes_is_ready() -> None:
    assert missing(body("DaemonSet", {"observedGeneration": 2, "desiredNumberScheduled": 0})) == ""


def test_the_pods_are_found_by_all_labels() -> None:
    assert selector(body("Deployment", None)) == "app=a,tier=b"


def test_the_reason_of_a_pod_is_its_containers_or_else_its_conditions() -> None:
    pulling = {"containerStatuses": [{"state": {"waiting": {"reason": "ErrImagePull", "message": "no such host"}}}]}
    pending = {"conditions": [{"type": "PodScheduled", "status": "False", "message": "0/1 nodes are available"}]}
    ready = {"containerStatuses": [{"state": {"running": {}}}], "conditions": [{"type": "Ready", "status": "True"}]}
    pods = [
        {"metadata": {"name": name}, "status": status}
        for name, status in (("a", pulling), ("b", pending), ("c", ready))
    ]
    assert hindrances(pods) == "a: ErrImagePull: no such host; b: 0/1 nodes are available"
