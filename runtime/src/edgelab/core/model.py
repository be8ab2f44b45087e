"""Akri's objects as values: what a handler reports, what a Configuration asks for, what an Instance says.

`from_dict` takes the object as the API server serves it and tolerates absent fields as the schema does; it raises
`MalformedError` with the field's path where a value has the wrong type.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

GROUP = "akri.sh"
VERSION = "v0"
API_VERSION = f"{GROUP}/{VERSION}"


class MalformedError(ValueError):
    """A custom resource has a field of the wrong type."""


@dataclass(frozen=True, slots=True)
class Mount:
    """A path of the host that a Pod with the device gets."""

    container_path: str
    host_path: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class DeviceSpec:
    """A device node of the host that a Pod with the device gets; permissions are cgroup letters, e.g. `rw`."""

    container_path: str
    host_path: str
    permissions: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    """One device as a discovery handler reports it."""

    id: str
    properties: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    device_specs: tuple[DeviceSpec, ...] = ()


@dataclass(frozen=True, slots=True)
class ObjectReference:
    """Enough of an object to own another: kind, name and uid."""

    kind: str
    name: str
    uid: str

    def as_owner(self, *, block_deletion: bool = False) -> dict[str, Any]:
        """As an entry of `metadata.ownerReferences`; `blockOwnerDeletion` is left out unless asked for."""
        owner = {"apiVersion": API_VERSION, "kind": self.kind, "name": self.name, "uid": self.uid, "controller": True}
        return owner | ({"blockOwnerDeletion": True} if block_deletion else {})


@dataclass(frozen=True, slots=True)
class Configuration:
    """A Configuration: which handler to ask, with which details, and what to run for each device.

    `agents` are the nodes whose agents keep it from going away until they have cleaned up.
    """

    name: str
    namespace: str
    uid: str
    generation: int
    deleting: bool
    finalizers: tuple[str, ...]
    agents: tuple[str, ...]
    handler: str
    details: str
    discovery_properties: tuple[Mapping[str, Any], ...]
    capacity: int
    broker_properties: Mapping[str, str]
    broker_pod_spec: Mapping[str, Any] | None
    broker_job_spec: Mapping[str, Any] | None
    instance_service_spec: Mapping[str, Any] | None
    configuration_service_spec: Mapping[str, Any] | None

    @property
    def reference(self) -> ObjectReference:
        """This Configuration as the owner of its Instances."""
        return ObjectReference("Configuration", self.name, self.uid)

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Configuration":
        """Read a Configuration object; capacity defaults to 1 as in Akri."""
        meta, spec = _mapping(body, "metadata"), _mapping(body, "spec")
        handler, broker = _mapping(spec, "discoveryHandler", "spec"), _mapping(spec, "brokerSpec", "spec")
        return cls(
            name=meta.get("name", ""),
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
            generation=int(meta.get("generation") or 0),
            deleting=bool(meta.get("deletionTimestamp")),
            finalizers=tuple(meta.get("finalizers") or ()),
            agents=_agents(meta),
            handler=handler.get("name") or "",
            details=handler.get("discoveryDetails") or "",
            discovery_properties=tuple(handler.get("discoveryProperties") or ()),
            capacity=_capacity(spec, default=1),
            broker_properties=dict(_mapping(spec, "brokerProperties", "spec")),
            broker_pod_spec=broker.get("brokerPodSpec"),
            broker_job_spec=broker.get("brokerJobSpec"),
            instance_service_spec=spec.get("instanceServiceSpec"),
            configuration_service_spec=spec.get("configurationServiceSpec"),
        )


@dataclass(frozen=True, slots=True)
class Instance:
    """An Instance: one device, the nodes that see it and who uses its slots; `agents` as of a Configuration."""

    name: str
    namespace: str
    uid: str
    deleting: bool
    finalizers: tuple[str, ...]
    agents: tuple[str, ...]
    owner_uids: tuple[str, ...]
    configuration: str
    cdi_name: str
    capacity: int
    broker_properties: Mapping[str, str]
    shared: bool
    nodes: tuple[str, ...]
    device_usage: Mapping[str, str]

    @property
    def reference(self) -> ObjectReference:
        """This Instance as the owner of its brokers."""
        return ObjectReference("Instance", self.name, self.uid)

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    @classmethod
    def from_dict(cls, body: Mapping[str, Any]) -> "Instance":
        """Read an Instance object."""
        meta, spec = _mapping(body, "metadata"), _mapping(body, "spec")
        return cls(
            name=meta.get("name", ""),
            namespace=meta.get("namespace", ""),
            uid=meta.get("uid", ""),
            deleting=bool(meta.get("deletionTimestamp")),
            finalizers=tuple(meta.get("finalizers") or ()),
            agents=_agents(meta),
            owner_uids=_owner_uids(meta.get("ownerReferences") or ()),
            configuration=spec.get("configurationName") or "",
            cdi_name=spec.get("cdiName") or "",
            capacity=_capacity(spec, default=0),
            broker_properties=dict(_mapping(spec, "brokerProperties", "spec")),
            shared=bool(spec.get("shared")),
            nodes=tuple(_strings(spec, "nodes", "spec")),
            device_usage=dict(_mapping(spec, "deviceUsage", "spec")),
        )


def _agents(meta: Mapping[str, Any]) -> tuple[str, ...]:
    # An agent's finalizer is the name of its node, set by field manager NODE-fin; others' finalizers are not its.
    managers = {entry.get("manager") for entry in meta.get("managedFields") or ()}
    return tuple(name for name in meta.get("finalizers") or () if f"{name}-fin" in managers)


def _mapping(body: Mapping[str, Any], key: str, path: str = "") -> Mapping[str, Any]:
    value = body.get(key)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        raise MalformedError(f"{path}.{key}".lstrip(".") + f" is a {type(value).__name__}, not an object")
    return value


def _strings(body: Mapping[str, Any], key: str, path: str) -> Sequence[str]:
    value = body.get(key) or ()
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise MalformedError(f"{path}.{key} is a {type(value).__name__}, not a list")
    return value


def _capacity(spec: Mapping[str, Any], *, default: int) -> int:
    value = spec.get("capacity", default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise MalformedError(f"spec.capacity is a {type(value).__name__}, not a whole number")
    return value


def _owner_uids(owners: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(owner.get("uid", "")) for owner in owners)
