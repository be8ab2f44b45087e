# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a cluster's nodes say about themselves, as preflight compares it and Krustlet's address range is checked."""

from __future__ import annotations

from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster


def look(cluster: Cluster) -> dict[str, Any]:
    """What the module returns. Raises LabError."""
    return {"changed": False, "nodes": [describe(node) for node in cluster.find_all("v1", "Node")]}


def describe(node: dict[str, Any]) -> dict[str, Any]:
    """Name and versions of a node; `runtime` is containerd, cri-o, docker or wasmtime, without its version."""
    info = node["status"]["nodeInfo"]
    runtime, _separator, version = info["containerRuntimeVersion"].partition("://")
    return {
        "name": node["metadata"]["name"],
        "kubernetes": info["kubeletVersion"],
        "runtime": runtime,
        "runtime_version": version,
        "operating_system": info["operatingSystem"],
        "architecture": info["architecture"],
        "pod_cidrs": node["spec"].get("podCIDRs", []),
    }
