# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""How far the chain from a Configuration to its running brokers got, and what stops it. Pure.

The chain: Configuration, handler, discovery, device, Instances, node, resource, broker Pod, scheduling, container,
running, log. `stop` returns the first link that does not hold.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._instances_model import (
    DOMAIN,
    Place,
    Seen,
    Wanted,
    allocatable,
    broker_at,
    condition,
    is_ready,
    is_running,
    name,
    places,
)
from ansible_collections.edgelab.akri.plugins.module_utils._kube import Object

_INVALID = "InvalidDiscoveryDetails"
_CRASHED = ("CrashLoopBackOff", "Error", "OOMKilled")


@dataclass(frozen=True)
class Stop:
    """Where the chain stopped, what was seen there, and what to do; hopeless: waiting cannot help."""

    at: str
    seen: str
    remedy: str = ""
    hopeless: bool = False


def stop(wanted: Wanted, seen: Seen, handlers: Sequence[Mapping[str, Any]] | None) -> Stop | None:
    """The first link that does not hold; None when all is as wanted. handlers: what the agent says, None if unknown."""
    complete = wanted.counts(len(seen.instances)) and not _missing(wanted, seen)
    if complete and not wanted.brokers:
        return _no_user(wanted, seen)
    if seen.configuration is None:
        return Stop("configuration", "The Configuration does not exist", "Apply it")
    if not complete:
        return _no_discovery(wanted, seen, handlers)
    if not (seen.configuration["spec"].get("brokerSpec") or {}):
        return Stop("broker", "The Configuration has no broker", "Do not wait for brokers", hopeless=True)
    stops = (_no_broker(seen, place) for place in places(seen))
    return next((found for found in stops if found), None) or _no_user(wanted, seen)


def _no_user(wanted: Wanted, seen: Seen) -> Stop | None:
    pods = {name(pod): pod for pod in seen.pods}
    for pod_name in wanted.pods:
        pod = pods.get(pod_name)
        if pod is None:
            return Stop("pod", f"There is no Pod {pod_name}", "Apply it")
        if not is_running(pod):
            return _not_running(pod)
    return None


def _no_discovery(wanted: Wanted, seen: Seen, handlers: Sequence[Mapping[str, Any]] | None) -> Stop:
    number, warnings = len(seen.instances), warnings_about(seen)
    invalid = [event for event in warnings if event["reason"] == _INVALID]
    if invalid:
        return Stop("discovery", _last_text(invalid), "Correct the discovery details", hopeless=True)
    if wanted.count is not None and number > wanted.count:
        return Stop("instances", f"There are {number}: {', '.join(sorted(map(name, seen.instances)))}")
    no_handler = _no_handler(seen.configuration or {}, handlers)
    if no_handler:
        return no_handler
    if warnings:
        return Stop("discovery", _last_text(warnings), "Look at the Configuration with kubectl describe")
    missing = _missing(wanted, seen)
    text = f"There is no {', no '.join(missing)}" if missing else f"{number} devices were reported"
    return Stop("device", text, "Look at the handler's log; is the device there?")


def _missing(wanted: Wanted, seen: Seen) -> list[str]:
    return wanted.missing(map(name, seen.instances))


def _no_handler(configuration: Object, handlers: Sequence[Mapping[str, Any]] | None) -> Stop | None:
    wanted = configuration["spec"].get("discoveryHandler", {}).get("name", "")
    ours = [handler for handler in handlers or () if handler["name"] == wanted]
    if handlers is None or any(handler.get("connected") for handler in ours):
        return None
    if ours:
        error = next((str(handler["error"]) for handler in ours if handler.get("error")), "it does not answer")
        return Stop("handler", f"The agent cannot reach the handler {wanted}: {error}", "Look at the handler's log")
    known = ", ".join(sorted(str(handler["name"]) for handler in handlers)) or "none"
    return Stop("handler", f"No handler {wanted} is registered with the agent (known: {known})", "Start the handler")


def warnings_about(seen: Seen) -> list[Object]:
    """Warnings about the Configuration as it is now, oldest first; those about an earlier state of it do not count."""
    if seen.configuration is None:
        return []
    uid, since = seen.configuration["metadata"]["uid"], _last_changed(seen.configuration)
    current = [
        event
        for event in seen.events
        if event.get("type") == "Warning" and event["involvedObject"].get("uid") == uid and _when(event) >= since
    ]
    return sorted(current, key=_when)


def _last_changed(body: Object) -> str:
    # Finalizers, applied by managers NODE-fin, say nothing about what is wanted.
    fields = body["metadata"].get("managedFields") or ()
    times = [field["time"] for field in fields if field.get("time") and not field["manager"].endswith("-fin")]
    return str(max([body["metadata"].get("creationTimestamp", ""), *times]))


def _when(event: Object) -> str:
    # To the second, like the time stamps of what it is compared with.
    moment = str(event.get("lastTimestamp") or event.get("eventTime") or event["metadata"]["creationTimestamp"])
    return f"{moment[:19]}Z"


def _last_text(events: Sequence[Object]) -> str:
    return f"{events[-1]['reason']}: {events[-1].get('message', '')}"


def _no_broker(seen: Seen, place: Place) -> Stop | None:
    pod = broker_at(seen.pods, place)
    if is_running(pod):
        return None
    if pod is not None:
        return _not_running(pod)
    where = f" on {place.node}" if place.node else ""
    missing = _node_fault(seen.nodes, place) if place.node else None
    return missing or _not_made(seen, place, f"There is no broker of {place.instance}{where}")


def _not_made(seen: Seen, place: Place, text: str) -> Stop:
    about = [event for event in seen.events if event["involvedObject"].get("name") == place.instance]
    if about:
        latest = _last_text(sorted(about, key=_when))
        return Stop("pod", f"{text}. {latest}", "Correct the brokerSpec of the Configuration")
    return Stop("pod", text, "Does the controller run? Look at its log")


def _node_fault(nodes: Iterable[Object], place: Place) -> Stop | None:
    node = next((body for body in nodes if name(body) == place.node), None)
    if node is None:
        return Stop("node", f"There is no node {place.node}", "Start it")
    if not is_ready(node):
        return Stop(
            "node", f"Node {place.node} is not ready: {condition(node, 'Ready').get('message', '')}", "Start it"
        )
    resource = f"{DOMAIN}{place.instance}"
    if not allocatable(node).get(resource):
        return Stop("resource", f"Node {place.node} does not offer {resource}", "Look at the agent's log")
    return None


def _not_running(pod: Object) -> Stop:
    scheduled = condition(pod, "PodScheduled")
    if not pod["spec"].get("nodeName"):
        message = scheduled.get("message") or "the scheduler has not looked at it"
        return Stop("scheduling", f"Pod {name(pod)} is not scheduled: {message}")
    for status in pod.get("status", {}).get("containerStatuses") or ():
        found = _not_started(pod, status)
        if found:
            return found
    status = pod.get("status", {})
    said = ": ".join(text for text in (status.get("reason"), status.get("message")) if text)
    return Stop("container", f"Pod {name(pod)} is {status.get('phase', 'Pending')} {said}".rstrip())


def _not_started(pod: Object, status: Mapping[str, Any]) -> Stop | None:
    state = status.get("state") or {}
    waiting, ended = state.get("waiting"), state.get("terminated")
    held = waiting or ended
    if not held:
        return None
    reason = str(held.get("reason", ""))
    at = "crash" if ended or reason in _CRASHED else "container"
    text = f"Container {status['name']} of {name(pod)}: {reason} {held.get('message', '')}".rstrip()
    return Stop(at, text, f"kubectl logs {name(pod)}" if at == "crash" else f"kubectl describe pod {name(pod)}")
