"""Deleting an object only if it is the one that was meant."""

from typing import Any

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError

from edgelab.kube.client import is_conflict, is_missing


async def delete_exactly(client: AsyncClient, resource: Any, body: Any, *, grace_seconds: int | None = None) -> None:
    """Delete an object, but not a later one of the same name; that it is gone already is as good.

    lightkube's own `delete` cannot state a precondition, so the request is made by its lower layer.
    """
    layer: Any = client._client  # noqa: SLF001
    meta = body.metadata
    request = layer.prepare_request("delete", resource, None, meta.name, meta.namespace)
    request.data = {"preconditions": {"uid": meta.uid}}
    if grace_seconds is not None:
        request.data["gracePeriodSeconds"] = grace_seconds
    response = await layer.send(layer.build_adapter_request(request))
    try:
        layer.raise_for_status(response)
    except ApiError as error:
        if not (is_missing(error) or is_conflict(error)):
            raise
