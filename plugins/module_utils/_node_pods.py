# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Deletes the Pods of a node and waits until the node has ended them and they are gone.

Raises LabError naming those that are left when the time is over.
"""

from __future__ import annotations

from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Cluster, LabError, Object


def remove(cluster: Cluster, node: str, *, timeout: float, dry_run: bool) -> dict[str, Any]:
    """Make sure that the node has no Pods; returns the module's result."""
    found: list[str] = []
    left: list[Object] = []
    asked: set[str] = set()
    for left in cluster.follow("v1", "Pod", seconds=0 if dry_run else timeout, fieldSelector=f"spec.nodeName={node}"):
        found = found or sorted(map(_title, left))
        if dry_run or not left:
            return _told(node, found)
        for pod in left:
            if pod["metadata"]["uid"] not in asked:
                asked.add(pod["metadata"]["uid"])
                cluster.delete(_path(pod), uid=pod["metadata"]["uid"])
    raise LabError(
        attempted=f"Take the Pods of node {node} away within {timeout:g} s",
        seen=f"These are still there: {', '.join(sorted(map(_title, left)))}",
        cause="The node does not run, so that nobody ends them",
        remedy="Start the node, or delete them with kubectl delete pod --force",
    )


def _title(pod: Object) -> str:
    return f"{pod['metadata']['namespace']}/{pod['metadata']['name']}"


def _path(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def _told(node: str, pods: list[str]) -> dict[str, Any]:
    before = "".join(f"{pod} on {node}\n" for pod in pods)
    return {"changed": bool(pods), "pods": pods, "diff": {"before": before, "after": ""}}
