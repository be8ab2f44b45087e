"""What the controller sees of Pods, Jobs, Services and Nodes: the few fields that its decisions need."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from edgelab.core import names

DIGEST_ANNOTATION = "edgelab.akri/spec-digest"
"""Digest of the Configuration's spec that an object was made from; absent on objects made by Akri's controller."""

_ENDED = ("Succeeded", "Failed")


@dataclass(frozen=True, slots=True)
class Owned:
    """An object that belongs to an Instance or Configuration: a Pod, a Job or a Service.

    `instance` and `configuration` come from its labels, `owner_uid` from its controlling owner.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    deleting: bool
    instance: str
    configuration: str
    owner_kind: str
    owner_uid: str
    digest: str

    @classmethod
    def fields(cls, kind: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """The fields of this class, read from an object."""
        meta = body["metadata"]
        labels, notes = meta.get("labels") or {}, meta.get("annotations") or {}
        owners: list[Mapping[str, Any]] = meta.get("ownerReferences") or []
        owner = next((one for one in owners if one.get("controller")), {})
        return {
            "kind": kind,
            "namespace": meta["namespace"],
            "name": meta["name"],
            "uid": meta["uid"],
            "deleting": bool(meta.get("deletionTimestamp")),
            "instance": labels.get(names.INSTANCE_LABEL, ""),
            "configuration": labels.get(names.CONFIGURATION_LABEL, ""),
            "owner_kind": owner.get("kind", ""),
            "owner_uid": owner.get("uid", ""),
            "digest": notes.get(DIGEST_ANNOTATION, ""),
        }

    @classmethod
    def from_dict(cls, kind: str, body: Mapping[str, Any]) -> "Owned":
        """Read a Job or a Service."""
        return cls(**cls.fields(kind, body))


@dataclass(frozen=True, slots=True)
class Broker(Owned):
    """A Pod that carries Akri's labels; started: seconds since 1970, 0 while no node has taken it up."""

    node: str
    phase: str
    started: float

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> "Broker":
        """Read a Pod."""
        status = body.get("status") or {}
        return cls(
            **cls.fields("Pod", body),
            node=(body["metadata"].get("labels") or {}).get(names.NODE_LABEL, ""),
            phase=status.get("phase") or "Pending",
            started=_seconds(status.get("startTime")),
        )

    @property
    def ours(self) -> bool:
        """Made for an Instance by this controller or Akri's; Pods of a Job are the Job's business."""
        return self.owner_kind == "Instance"

    @property
    def ended(self) -> bool:
        """It will not run again by itself."""
        return self.phase in _ENDED

    @property
    def active(self) -> bool:
        """It runs, or may come to run."""
        return not self.deleting and not self.ended

    @property
    def running(self) -> bool:
        """Its containers run, and nobody has asked for its end."""
        return self.active and self.phase == "Running"


@dataclass(frozen=True, slots=True)
class Node:
    """A Node: whether it is Ready, and how many of each of Akri's devices it offers."""

    name: str
    ready: bool
    devices: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Node":
        """Read a Node."""
        status = body.get("status") or {}
        conditions = status.get("conditions") or ()
        return cls(
            name=body["metadata"]["name"],
            ready=any(one.get("type") == "Ready" and one.get("status") == "True" for one in conditions),
            devices={
                resource: int(quantity)
                for resource, quantity in (status.get("allocatable") or {}).items()
                if resource.startswith(f"{names.RESOURCE_DOMAIN}/")
            },
        )


def _seconds(timestamp: str | None) -> float:
    return datetime.fromisoformat(timestamp).timestamp() if timestamp else 0.0
