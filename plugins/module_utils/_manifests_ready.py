# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Whether the Pods of a Deployment, StatefulSet or DaemonSet are as wanted, and if not, what keeps them. No I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

Object = Mapping[str, Any]

KINDS = ("Deployment", "StatefulSet", "DaemonSet")


def missing(body: Object) -> str:
    """What one of these KINDS still waits for; empty when its Pods are updated and ready."""
    status = body.get("status") or {}
    if status.get("observedGeneration", 0) < body["metadata"]["generation"]:
        return "its controller has not seen it yet"
    if body["kind"] == "DaemonSet":
        wanted = status.get("desiredNumberScheduled", 0)
        there = {name: status.get(name, 0) for name in ("updatedNumberScheduled", "numberAvailable")}
        old = 0
    else:
        wanted = body["spec"].get("replicas", 1)
        there = {name: status.get(name, 0) for name in ("updatedReplicas", "availableReplicas")}
        old = status.get("replicas", 0) - there["updatedReplicas"]
    short = [f"{name} is {count} of {wanted}" for name, count in there.items() if count < wanted]
    return ", ".join([*short, *([f"{old} Pods of before are still there"] if old > 0 else [])])


def selector(body: Object) -> str:
    """Label selector of its Pods."""
    return ",".join(f"{key}={value}" for key, value in body["spec"]["selector"]["matchLabels"].items())


def hindrances(pods: Iterable[Object]) -> str:
    """What the cluster says about Pods that are not ready, one sentence each."""
    return "; ".join(filter(None, map(_hindrance, pods)))


def _hindrance(pod: Object) -> str:
    status = pod.get("status") or {}
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        reason = state.get("waiting") or state.get("terminated")
        if reason:
            return f"{pod['metadata']['name']}: {reason.get('reason')}: {reason.get('message', '')}".rstrip(": ")
    for condition in status.get("conditions") or ():
        if condition.get("status") == "False" and condition.get("message"):
            return f"{pod['metadata']['name']}: {condition['message']}"
    return ""
