"""What the Node object should say, and what to patch where it says something else. Pure.

Names, labels and taints are those of Krustlet 1.0.0-alpha.1; what it left empty or made up (capacity, machine, kernel,
podCIDR) is measured or left out. Labels, taints, annotations, addresses and resources of others are never touched.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from edgelab import __version__
from edgelab.node.capacity import Load, Machine

ARCHITECTURE = "wasm32-wasi"

HEARTBEAT_SECONDS = 300
"""How old the status may get, when nothing changes, before it is written again; liveness is the Lease's task."""

Body = dict[str, Any]


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """What the command line says about the node."""

    name: str
    address: str
    port: int
    max_pods: int
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Count:
    """Devices of an extended resource: all of them, and those that are healthy."""

    capacity: int
    allocatable: int


def metadata(settings: NodeSettings) -> Body:
    """Name, labels and annotations."""
    kinds = ("kubernetes.io/arch", "kubernetes.io/os", "beta.kubernetes.io/arch", "beta.kubernetes.io/os")
    labels = dict.fromkeys(kinds, ARCHITECTURE) | {"kubernetes.io/hostname": settings.name, "type": "krustlet"}
    annotations = {
        "node.alpha.kubernetes.io/ttl": "0",
        "volumes.kubernetes.io/controller-managed-attach-detach": "true",
    }
    return {"name": settings.name, "labels": labels | dict(settings.labels), "annotations": annotations}


def taints() -> list[Body]:
    """What keeps ordinary Pods away."""
    return [
        {"key": "kubernetes.io/arch", "value": ARCHITECTURE, "effect": effect} for effect in ("NoSchedule", "NoExecute")
    ]


def missing_taints(found: Body) -> list[Body]:
    """Taints that an existing Node lacks: NodeRestriction forbids nodes to add them later, people have to."""
    present = {(taint["key"], taint["effect"]) for taint in found.get("spec", {}).get("taints") or ()}
    return [taint for taint in taints() if (taint["key"], taint["effect"]) not in present]


def metadata_patch(settings: NodeSettings, found: Body) -> Body | None:
    """What to merge into an existing Node; None when it is right already. An annotation's value is its finder's."""
    wanted, present = metadata(settings), found["metadata"]
    labels = _changed(wanted["labels"], present.get("labels") or {})
    annotations = {
        key: value for key, value in wanted["annotations"].items() if key not in (present.get("annotations") or {})
    }
    changes = {"labels": labels, "annotations": annotations}
    return {"metadata": {key: value for key, value in changes.items() if value}} if labels or annotations else None


def _changed(wanted: Mapping[str, Any], found: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in wanted.items() if found.get(key) != value}


def status(settings: NodeSettings, machine: Machine, load: Load) -> Body:
    """The whole status except the extended resources and the times of the conditions."""
    resources = {
        "cpu": str(machine.cpus),
        "memory": f"{machine.memory}Ki",
        "ephemeral-storage": f"{machine.disk}Ki",
        "pods": str(settings.max_pods),
    }
    return {
        "addresses": [
            {"type": "InternalIP", "address": settings.address},
            {"type": "Hostname", "address": settings.name},
        ],
        "capacity": resources,
        "allocatable": resources,
        "conditions": _conditions(load),
        "daemonEndpoints": {"kubeletEndpoint": {"Port": settings.port}},
        "nodeInfo": _node_info(machine),
    }


def _node_info(machine: Machine) -> Body:
    return {
        "architecture": "wasm-wasi",
        "operatingSystem": "linux",
        "kubeletVersion": f"v{__version__}-edgelab",
        "kubeProxyVersion": "",
        "containerRuntimeVersion": f"wasmtime://{machine.wasmtime}",
        "kernelVersion": machine.kernel,
        "osImage": machine.os_image,
        "machineID": machine.machine_id,
        "systemUUID": machine.machine_id,
        "bootID": machine.boot_id,
    }


_PRESSURES = (
    ("MemoryPressure", "KubeletHasInsufficientMemory", "KubeletHasSufficientMemory", "memory available"),
    ("DiskPressure", "KubeletHasDiskPressure", "KubeletHasNoDiskPressure", "disk space available"),
    ("PIDPressure", "KubeletHasInsufficientPID", "KubeletHasSufficientPID", "PID available"),
)
"""Type, reason when pressed, reason when not (a kubelet's words), and what there is enough or too little of."""


def _conditions(load: Load) -> list[Body]:
    pressed = (load.memory_pressure, load.disk_pressure, load.pid_pressure)
    conditions = [_pressure(*words, holds=holds) for words, holds in zip(_PRESSURES, pressed, strict=True)]
    return [*conditions, _condition("Ready", True, "KubeletReady", "kubelet is posting ready status")]


def _pressure(kind: str, bad: str, good: str, what: str, *, holds: bool) -> Body:
    return _condition(kind, holds, bad if holds else good, f"kubelet has {'in' if holds else ''}sufficient {what}")


def _condition(kind: str, holds: bool, reason: str, message: str) -> Body:
    return {"type": kind, "status": str(holds), "reason": reason, "message": message}


def status_patch(wanted: Body, devices: Mapping[str, Count | None], found: Body, now: str, age: float) -> Body | None:
    """What to merge into the status; None when nothing has changed and the last write is young enough.

    devices: extended resources that are the node's own; None for one that is to vanish. now: time as the API writes
    it. age: seconds since the last full write.
    """
    present = found.get("status") or {}
    patch: Body = {key: wanted[key] for key in ("addresses", "daemonEndpoints") if not _holds(present, wanted, key)}
    if info := _changed(wanted["nodeInfo"], present.get("nodeInfo") or {}):
        patch["nodeInfo"] = info
    for key, counts in _resources(wanted, devices).items():
        if changed := _changed(counts, present.get(key) or {}):
            patch[key] = changed
    before = {condition["type"]: condition for condition in present.get("conditions") or ()}
    pairs = [(condition, before.get(condition["type"], {})) for condition in wanted["conditions"]]
    if age >= HEARTBEAT_SECONDS or any(_changed(*pair) for pair in pairs):
        patch["conditions"] = [_timed(*pair, now) for pair in pairs]
    return {"status": patch} if patch else None


def _holds(present: Body, wanted: Body, key: str) -> bool:
    if key == "addresses":
        return all(address in (present.get(key) or ()) for address in wanted[key])
    return bool(present.get(key) == wanted[key])


def _resources(wanted: Body, devices: Mapping[str, Count | None]) -> dict[str, dict[str, str | None]]:
    capacity = {name: count and str(count.capacity) for name, count in devices.items()}
    allocatable = {name: count and str(count.allocatable) for name, count in devices.items()}
    return {"capacity": wanted["capacity"] | capacity, "allocatable": wanted["allocatable"] | allocatable}


def _timed(condition: Body, before: Body, now: str) -> Body:
    lasts = before.get("status") == condition["status"]
    since = before["lastTransitionTime"] if lasts else now
    return condition | {"lastHeartbeatTime": now, "lastTransitionTime": since}
