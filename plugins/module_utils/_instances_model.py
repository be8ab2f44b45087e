# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Instances, brokers, Services and nodes of a Configuration as values, read from the API server's objects. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._kube import Object

CONFIGURATION_LABEL = "akri.sh/configuration"
INSTANCE_LABEL = "akri.sh/instance"
NODE_LABEL = "akri.sh/target-node"
DOMAIN = "akri.sh/"


@dataclass(frozen=True)
class Seen:
    """Everything that concerns a Configuration, as it was at one moment."""

    configuration: Object | None = None
    instances: Sequence[Object] = ()
    pods: Sequence[Object] = ()
    events: Sequence[Object] = ()
    nodes: Sequence[Object] = ()
    services: Sequence[Object] = ()

    @property
    def brokers(self) -> list[Object]:
        """Pods that Akri's controller made."""
        return [pod for pod in self.pods if label(pod, INSTANCE_LABEL)]


@dataclass(frozen=True)
class Wanted:
    """What is waited for; with nothing given, nothing is."""

    count: int | None = None
    at_least: bool = False
    brokers: bool = False
    broker_log: str = ""
    names: tuple[str, ...] = ()
    pods: tuple[str, ...] = ()

    @property
    def is_anything(self) -> bool:
        """Whether there is something to wait for."""
        return self.count is not None or self.brokers or bool(self.names) or bool(self.pods)

    def missing(self, found: Iterable[str]) -> list[str]:
        """Names of wanted Instances that are not among those found."""
        return sorted(set(self.names) - set(found))

    def counts(self, number: int) -> bool:
        """Whether this many Instances are as many as wanted; brokers need at least one."""
        if self.count is None:
            return number > 0 or not self.brokers
        return number == self.count or (self.at_least and number > self.count)

    def __str__(self) -> str:
        amount = "" if self.count is None else f"{'at least ' if self.at_least else ''}{self.count} "
        return f"{amount}Instances" + (" with their brokers running" if self.brokers else "")


@dataclass(frozen=True)
class Place:
    """Where a broker is wanted: an Instance, and the node (none for the Job of an Instance)."""

    instance: str
    node: str


@dataclass(frozen=True)
class Report:
    """What the module returns."""

    instances: list[dict[str, Any]] = field(default_factory=list)
    brokers: list[dict[str, Any]] = field(default_factory=list)
    users: list[dict[str, Any]] = field(default_factory=list)
    services: list[dict[str, Any]] = field(default_factory=list)
    nodes: list[dict[str, Any]] = field(default_factory=list)

    def as_result(self) -> dict[str, Any]:
        """As the module's result."""
        return {key: getattr(self, key) for key in ("instances", "brokers", "users", "services", "nodes")}


def report(seen: Seen, log_lines: Mapping[str, str]) -> Report:
    """What there is, in the order of names; log_lines: what was found in brokers' logs, by the Pod's name."""
    return Report(
        instances=[_instance(body) for body in by_name(seen.instances)],
        brokers=[{**_broker(body), "log_line": log_lines.get(name(body), "")} for body in by_name(seen.brokers)],
        users=[_user(body) for body in by_name(seen.pods) if body not in seen.brokers and requests(body)],
        services=[_service(body) for body in by_name(seen.services)],
        nodes=[_node(body) for body in by_name(seen.nodes)],
    )


def name(body: Object) -> str:
    """Name of an object."""
    return str(body["metadata"]["name"])


def by_name(bodies: Iterable[Object]) -> list[Object]:
    """Objects in the order of their names."""
    return sorted(bodies, key=name)


def label(body: Object, key: str) -> str:
    """A label's value, empty when the object has no such label."""
    return str((body["metadata"].get("labels") or {}).get(key, ""))


def places(seen: Seen) -> list[Place]:
    """Where brokers are wanted."""
    spec = (seen.configuration or {}).get("spec", {}).get("brokerSpec") or {}
    if spec.get("brokerJobSpec"):
        return [Place(name(body), "") for body in by_name(seen.instances)]
    return [Place(name(body), node) for body in by_name(seen.instances) for node in body["spec"].get("nodes") or ()]


def broker_at(pods: Iterable[Object], place: Place) -> Object | None:
    """The newest broker of a place that is not being deleted."""
    fitting = [
        pod
        for pod in pods
        if label(pod, INSTANCE_LABEL) == place.instance
        and label(pod, NODE_LABEL) == place.node
        and not pod["metadata"].get("deletionTimestamp")
    ]
    return max(fitting, key=lambda pod: str(pod["metadata"]["creationTimestamp"]), default=None)


def requests(pod: Object) -> list[str]:
    """Devices that a Pod asks for, by resource name."""
    containers = pod.get("spec", {}).get("containers") or ()
    limits = [key for container in containers for key in (container.get("resources", {}).get("limits") or {})]
    return sorted({key for key in limits if key.startswith(DOMAIN)})


def is_running(pod: Object | None) -> bool:
    """Whether a broker runs, or has done its work if it is a Job's."""
    if pod is None:
        return False
    phase = pod.get("status", {}).get("phase")
    return phase == "Running" or (phase == "Succeeded" and not label(pod, NODE_LABEL))


def is_ready(node: Object) -> bool:
    """Whether a node's condition Ready is True."""
    return condition(node, "Ready").get("status") == "True"


def condition(body: Object, kind: str) -> Mapping[str, Any]:
    """A condition of an object's status; empty when it is not there."""
    found = (item for item in body.get("status", {}).get("conditions") or () if item["type"] == kind)
    return next(found, {})


def allocatable(node: Object) -> dict[str, int]:
    """Devices that a node offers, by resource name."""
    offered = node.get("status", {}).get("allocatable") or {}
    return {key: int(amount) for key, amount in offered.items() if key.startswith(DOMAIN)}


def _instance(body: Object) -> dict[str, Any]:
    spec = body["spec"]
    return {
        "name": name(body),
        "namespace": body["metadata"]["namespace"],
        "uid": body["metadata"]["uid"],
        "configuration": spec.get("configurationName", ""),
        "resource": f"{DOMAIN}{name(body)}",
        "capacity": spec.get("capacity", 0),
        "shared": spec.get("shared", False),
        "nodes": spec.get("nodes") or [],
        "properties": spec.get("brokerProperties") or {},
        "usage": spec.get("deviceUsage") or {},
    }


def _broker(body: Object) -> dict[str, Any]:
    status = body.get("status", {})
    containers = status.get("containerStatuses") or []
    return {
        "name": name(body),
        "namespace": body["metadata"]["namespace"],
        "uid": body["metadata"]["uid"],
        "instance": label(body, INSTANCE_LABEL),
        "node": body.get("spec", {}).get("nodeName", ""),
        "phase": status.get("phase", "Pending"),
        "ready": condition(body, "Ready").get("status") == "True",
        "restarts": sum(container.get("restartCount", 0) for container in containers),
    }


def _user(body: Object) -> dict[str, Any]:
    scheduled = condition(body, "PodScheduled")
    return {
        **{key: value for key, value in _broker(body).items() if key != "instance"},
        "resources": requests(body),
        "unscheduled": scheduled.get("message", "") if scheduled.get("status") == "False" else "",
    }


def _service(body: Object) -> dict[str, Any]:
    spec = body["spec"]
    return {
        "name": name(body),
        "namespace": body["metadata"]["namespace"],
        "instance": label(body, INSTANCE_LABEL),
        "cluster_ip": spec.get("clusterIP", ""),
        "ports": [port["port"] for port in spec.get("ports") or ()],
    }


def _node(body: Object) -> dict[str, Any]:
    return {"name": name(body), "ready": is_ready(body), "allocatable": allocatable(body)}
