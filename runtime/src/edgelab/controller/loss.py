"""Taking a lost node out of an Instance, and out of the way of deletions.

Akri's controller sets the node's `deviceUsage` entries to "" and thereby owns them, so that the agent's own claims
conflict for ever (akri#801). Here the entries are removed: what is not there has no owner.
"""

from collections.abc import Collection
from typing import Any

from edgelab.core.model import Configuration, Instance


def user_of(usage: str) -> str:
    """The node in a value of `deviceUsage`: `NODE`, or `C:VIRTUAL DEVICE:NODE` for the Configuration's resource."""
    return usage.rpartition(":")[2]


def concerns(instance: Instance, node: str) -> bool:
    """Whether an Instance mentions a node."""
    return node in instance.nodes or any(user_of(usage) == node for usage in instance.device_usage.values())


def release(instance: Instance, node: str) -> list[dict[str, Any]]:
    """JSON Patch that takes a node out of an Instance; it fails if anything it touches has changed meanwhile."""
    nodes = [name for name in instance.nodes if name != node]
    patch: list[dict[str, Any]] = []
    if node in instance.nodes:
        patch += _tested("/spec/nodes", list(instance.nodes), {"op": "replace", "value": nodes})
    for slot, usage in instance.device_usage.items():
        if user_of(usage) == node:
            patch += _tested(f"/spec/deviceUsage/{_escaped(slot)}", usage, {"op": "remove"})
    return patch


def forsaken(owner: Configuration | Instance | None, nodes: Collection[str]) -> list[str]:
    """The nodes that hold up an object's deletion though they exist no more: their agents will never let it go."""
    return [name for name in owner.agents if name not in nodes] if owner and owner.deleting else []


def let_go(owner: Configuration | Instance, gone: Collection[str]) -> list[dict[str, Any]]:
    """JSON Patch that takes away the finalizers of nodes that are gone; it fails if there are others by now."""
    kept = [name for name in owner.finalizers if name not in gone]
    return _tested("/metadata/finalizers", list(owner.finalizers), {"op": "replace", "value": kept})


def _tested(path: str, found: Any, change: dict[str, Any]) -> list[dict[str, Any]]:
    return [{"op": "test", "path": path, "value": found}, change | {"path": path}]


def _escaped(token: str) -> str:
    return token.replace("~", "~0").replace("/", "~1")
