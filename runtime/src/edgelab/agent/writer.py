"""The agent's only writer to the API server: server-side apply with the field managers of Akri 0.13.26.

`<node>` owns the Instance, `<node>-fin` the finalizers, `dp-<node>` the slots. Each apply to an existing object names
its uid, so that an object that went away meanwhile is never made anew by accident. Calls run side by side, but only
so many at a time. Errors are lightkube's ApiError and httpx2.HTTPError.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError

from edgelab.core.model import API_VERSION, Configuration, Instance
from edgelab.kube.client import Configurations, Instances, is_conflict, is_missing

_AT_ONCE = 16


class Writer:
    """Writes on behalf of one node."""

    def __init__(self, client: AsyncClient, node: str) -> None:
        self._client, self._node = client, node
        self._room = asyncio.Semaphore(_AT_ONCE)

    async def apply_instance(self, body: Mapping[str, Any]) -> None:
        """Create an Instance or change what this node says of it.

        Forced on conflict: agents of several nodes own the same fields of a shared Instance, and what differs
        between them comes from the Configuration, of which the last state is right.
        """
        try:
            await self._apply(body, self._node)
        except ApiError as error:
            if not is_conflict(error):
                raise
            await self._apply(body, self._node, force=True)

    async def delete_instance(self, instance: Instance) -> None:
        """Delete an Instance; one that is gone already is fine."""
        async with self._room:
            try:
                await self._client.delete(Instances, instance.name, namespace=instance.namespace)
            except ApiError as error:
                if not is_missing(error):
                    raise

    async def set_finalizer(self, owner: Configuration | Instance, *, present: bool) -> None:
        """Add or remove this node's finalizer unless it is so already; an object that is gone is fine."""
        if (self._node in owner.finalizers) == present:
            return
        metadata = _identity(owner) | ({"finalizers": [self._node]} if present else {})
        body = {"apiVersion": API_VERSION, "kind": type(owner).__name__, "metadata": metadata}
        try:
            await self._apply(body, f"{self._node}-fin")
        except ApiError as error:
            if not (is_missing(error) or is_conflict(error)):
                raise

    async def apply_usage(self, instance: Instance, usage: Mapping[str, str]) -> None:
        """Hold exactly these slots of an Instance. Raises ApiError (conflict) where another manager owns one."""
        await self._apply(_usage_body(_identity(instance), usage), f"dp-{self._node}")

    async def seize_usage(self, instance: Instance, usage: Mapping[str, str], version: str) -> None:
        """Hold these slots whoever owns their keys, provided that the Instance is still at this version."""
        metadata = _identity(instance) | {"resourceVersion": version}
        await self._apply(_usage_body(metadata, usage), f"dp-{self._node}", force=True)

    async def fresh_usage(self, instance: Instance) -> tuple[dict[str, str], str]:
        """`deviceUsage` and resource version of an Instance as they are now."""
        found = await self._client.get(Instances, instance.name, namespace=instance.namespace)
        return dict(Instance.from_dict(found).device_usage), found.metadata.resourceVersion

    async def _apply(self, body: Mapping[str, Any], manager: str, *, force: bool = False) -> None:
        resource = Configurations if body["kind"] == "Configuration" else Instances
        async with self._room:
            await self._client.apply(resource(body), field_manager=manager, force=force)


def _identity(owner: Configuration | Instance) -> dict[str, Any]:
    return {"name": owner.name, "namespace": owner.namespace, "uid": owner.uid}


def _usage_body(metadata: Mapping[str, Any], usage: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": API_VERSION,
        "kind": "Instance",
        "metadata": dict(metadata),
        "spec": {"deviceUsage": dict(usage)},
    }
