"""The status of a Pod as a kubelet writes it, from what its containers did. Pure.

A Pod has no `podIP`: a WASI module cannot listen, so a Service must not get it as an endpoint. A Pod with hostNetwork
has the node's address, as the API promises.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from lightkube.models.core_v1 import Container, Pod

from edgelab.node.containers.records import Exit, Start
from edgelab.node.pods.decisions import View, Waiting, is_initialized

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Situation:
    """Everything that a Pod's status tells; `phase`, `reason` and `message` are set for a Pod that has ended."""

    views: Mapping[str, View]
    waiting: Mapping[str, Waiting]
    phase: str = ""
    reason: str = ""
    message: str = ""


def build_status(pod: Pod, situation: Situation, addresses: Sequence[str], now: str) -> dict[str, Any]:
    """The wanted `status`; `now` is the time of what changes with it, keys whose value is None are to be removed."""
    assert pod.spec is not None
    assert pod.metadata is not None
    before = pod.status.to_dict() if pod.status else {}
    ips = addresses if pod.spec.hostNetwork else ()
    return {
        "observedGeneration": pod.metadata.generation,
        "phase": situation.phase or _phase(pod, situation),
        "reason": situation.reason or None,
        "message": situation.message or None,
        "hostIP": addresses[0],
        "hostIPs": [{"ip": address} for address in addresses],
        "podIP": ips[0] if ips else None,
        "podIPs": [{"ip": address} for address in ips] or None,
        "startTime": before.get("startTime") or now,
        "conditions": _dated(_conditions(pod, situation), before.get("conditions") or (), now),
        "initContainerStatuses": _container_statuses(pod, pod.spec.initContainers or (), situation) or None,
        "containerStatuses": _container_statuses(pod, pod.spec.containers, situation),
    }


def container_id(uid: str, container: str, number: int) -> str:
    """The id of one run of a container."""
    return "wasmtime://" + hashlib.sha256(f"{uid}/{container}/{number}".encode()).hexdigest()


def _phase(pod: Pod, situation: Situation) -> str:
    assert pod.spec is not None
    has_run = any(situation.views[container.name].number >= 0 for container in pod.spec.containers)
    return "Running" if has_run else "Pending"


def _conditions(pod: Pod, situation: Situation) -> list[dict[str, Any]]:
    assert pod.spec is not None
    views, ended = situation.views, situation.phase in _ENDED
    initialized = is_initialized(pod, views) or situation.phase == "Succeeded"
    unready = [each.name for each in pod.spec.containers if ended or not views[each.name].running]
    missing = f"containers with unready status: [{' '.join(unready)}]"
    ready = _condition("ContainersReady", not unready, _unready_reason(situation), missing)
    wrapped_up = situation.phase == "Succeeded"
    return [
        _condition("PodReadyToStartContainers", not ended and any(view.number >= 0 for view in views.values())),
        _condition("Initialized", initialized, "ContainersNotInitialized", "init containers have not all ended well")
        | ({"reason": "PodCompleted"} if wrapped_up else {}),
        ready,
        ready | {"type": "Ready"} | _gates(pod, ready),
        *_scheduled(pod),
    ]


def _condition(kind: str, true: bool, reason: str | None = None, message: str | None = None) -> dict[str, Any]:
    told = {"reason": None, "message": None} if true else {"reason": reason, "message": message}
    return {"type": kind, "status": "True" if true else "False", **told}


def _unready_reason(situation: Situation) -> str:
    return {"Succeeded": "PodCompleted", "Failed": "PodFailed"}.get(situation.phase, "ContainersNotReady")


def _gates(pod: Pod, ready: Mapping[str, Any]) -> dict[str, Any]:
    """A Pod is Ready when its containers are and each of its readiness gates is True."""
    assert pod.spec is not None
    conditions = (pod.status.conditions if pod.status else None) or []
    passed = {condition.type for condition in conditions if condition.status == "True"}
    closed = [gate.conditionType for gate in pod.spec.readinessGates or () if gate.conditionType not in passed]
    if ready["status"] != "True" or not closed:
        return {}
    message = f"corresponding condition of pod readiness gate {closed[0]!r} is not True"
    return {"status": "False", "reason": "ReadinessGatesNotReady", "message": message}


def _scheduled(pod: Pod) -> list[dict[str, Any]]:
    """The scheduler writes this one; a Pod that was bound without it gets it from its node."""
    conditions = (pod.status.conditions if pod.status else None) or []
    known = any(each.type == "PodScheduled" and each.status == "True" for each in conditions)
    return [] if known else [_condition("PodScheduled", True)]


def _dated(conditions: Sequence[dict[str, Any]], before: Sequence[Mapping[str, Any]], now: str) -> list[dict[str, Any]]:
    since = {(old["type"], old["status"]): old.get("lastTransitionTime") for old in before}
    return [each | {"lastTransitionTime": since.get((each["type"], each["status"])) or now} for each in conditions]


def _container_statuses(pod: Pod, containers: Sequence[Container], situation: Situation) -> list[dict[str, Any]]:
    assert pod.metadata is not None
    assert pod.spec is not None
    inits = {container.name for container in pod.spec.initContainers or ()}
    initialized = is_initialized(pod, situation.views)
    return [
        _container_status(pod.metadata.uid or "", each, situation, is_init=each.name in inits, initialized=initialized)
        for each in containers
    ]


def _container_status(
    uid: str, container: Container, situation: Situation, *, is_init: bool, initialized: bool
) -> dict[str, Any]:
    view = situation.views[container.name]
    waiting = situation.waiting.get(container.name)
    if waiting is None and view.number < 0 and not (is_init or initialized):
        waiting = Waiting("PodInitializing")
    ended_well = view.exit is not None and view.exit.exit_code == 0
    status = {
        "name": container.name,
        "image": container.image or "",
        "imageID": view.image,
        "restartCount": max(view.number, 0),
        "ready": ended_well if is_init else view.running,
        "started": view.running,
        "state": _state(uid, container.name, view, waiting),
        "lastState": _last_state(uid, container.name, view, waiting),
    }
    return status | ({"containerID": container_id(uid, container.name, view.number)} if view.number >= 0 else {})


def _state(uid: str, name: str, view: View, waiting: Waiting | None) -> dict[str, Any]:
    if view.running and view.start:
        return {"running": {"startedAt": view.start.started_at}}
    if view.exit and not waiting:
        return _terminated(container_id(uid, name, view.number), view.start, view.exit)
    told = waiting or Waiting("ContainerCreating")
    return {"waiting": {"reason": told.reason} | ({"message": told.message} if told.message else {})}


def _last_state(uid: str, name: str, view: View, waiting: Waiting | None) -> dict[str, Any]:
    if view.exit and waiting:
        return _terminated(container_id(uid, name, view.number), view.start, view.exit)
    if view.last_exit:
        return _terminated(container_id(uid, name, view.number - 1), view.last_start, view.last_exit)
    return {}


def _terminated(identity: str, start: Start | None, end: Exit) -> dict[str, Any]:
    told = {
        "containerID": identity,
        "exitCode": end.exit_code,
        "reason": end.reason,
        "finishedAt": end.finished_at,
        # The API requires a start; a run that failed before its module began has none of its own.
        "startedAt": start.started_at if start else end.finished_at,
    }
    return {"terminated": told | ({"message": end.message} if end.message else {})}
