"""Fields of a Pod and of a container's resources, as environment variables and files show them. Pure."""

import math
import os
import re
from dataclasses import dataclass
from decimal import Decimal

from lightkube.models.core_v1 import Container, Pod, ResourceFieldSelector
from lightkube.utils.quantity import parse_quantity

from edgelab.node.outbound.policy import Socket
from edgelab.node.volumes.errors import unusable

_KEYED = re.compile(r"metadata\.(labels|annotations)\['(.+)'\]")


@dataclass(frozen=True, slots=True)
class NodeFacts:
    """What a Pod gets from its node: addresses, and the memory (bytes) of a container that has no limit.

    `refused` is where no container's requests may go.
    """

    name: str
    addresses: tuple[str, ...]
    memory_limit: int
    refused: tuple[Socket, ...] = ()


def pod_field(pod: Pod, path: str, node: NodeFacts) -> str:
    """The value of a field that the downward API knows. Raises ConfigError for another."""
    assert pod.metadata is not None
    assert pod.spec is not None
    if keyed := _KEYED.fullmatch(path):
        return _map(pod, keyed[1]).get(keyed[2], "")
    if path in ("metadata.labels", "metadata.annotations"):
        return "\n".join(f"{key}={_quoted(value)}" for key, value in sorted(_map(pod, path.partition(".")[2]).items()))
    pod_ips = node.addresses if pod.spec.hostNetwork else ()
    simple = {
        "metadata.name": pod.metadata.name,
        "metadata.namespace": pod.metadata.namespace,
        "metadata.uid": pod.metadata.uid,
        "spec.nodeName": node.name,
        "spec.serviceAccountName": pod.spec.serviceAccountName,
        "status.hostIP": node.addresses[0],
        "status.hostIPs": ",".join(node.addresses),
        # A WASI module has no network, so its Pod has no address unless it asks for that of the node.
        "status.podIP": ",".join(pod_ips[:1]),
        "status.podIPs": ",".join(pod_ips),
    }
    if path not in simple:
        raise unusable("the container", f"The Pod's field {path} is not offered")
    return simple[path] or ""


def resource_field(container: Container, selector: ResourceFieldSelector, node: NodeFacts) -> str:
    """A request or limit of a container, divided and rounded up as kubelets do; no limit means all of the node's."""
    kind, _dot, resource = selector.resource.partition(".")
    declared = (getattr(container.resources, kind, None) if container.resources else None) or {}
    amount = parse_quantity(declared.get(resource))
    if amount is None:
        whole = {"cpu": Decimal(os.cpu_count() or 1), "memory": Decimal(node.memory_limit)}
        amount = whole.get(resource, Decimal(0)) if kind == "limits" else Decimal(0)
    divisor = parse_quantity(selector.divisor) or Decimal(1)
    return str(math.ceil(amount / divisor))


def _map(pod: Pod, kind: str) -> dict[str, str]:
    found: dict[str, str] = getattr(pod.metadata, kind) or {}
    return found


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
