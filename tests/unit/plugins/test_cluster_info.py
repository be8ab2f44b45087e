"""What nodes tell about themselves."""

from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._cluster_info import describe


def node(spec: dict[str, Any]) -> dict[str, Any]:
    info = {
        "kubeletVersion": "v1.36.3",
        "containerRuntimeVersion": "containerd://2.1.4",
        "operatingSystem": "linux",
        "architecture": "amd64",
    }
    return {"metadata": {"name": "worker"}, "spec": spec, "status": {"nodeInfo": info}}


def test_a_node() -> None:
    assert describe(node({"podCIDRs": ["10.245.0.0/24"]})) == {
        "name": "worker",
        "kubernetes": "v1.36.3",
        "runtime": "containerd",
        "runtime_version": "2.1.4",
        "operating_system": "linux",
        "architecture": "amd64",
        "pod_cidrs": ["10.245.0.0/24"],
    }


def test_a_node_without_addresses_for_pods() -> None:
    assert describe(node({}))["pod_cidrs"] == []
