"""Discovery properties of a Configuration, read from where they live, as Akri 0.13.26 does.

`value` wins; `valueFrom` names a key of a Secret or a ConfigMap, in the namespace `default` unless it says another.
A missing optional one is left out; one with neither is present without a value.
"""

import base64
from collections.abc import Mapping
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import ConfigMap, Secret

from edgelab.core.errors import LabError
from edgelab.core.model import Configuration
from edgelab.kube.client import is_missing


async def resolve(client: AsyncClient, configuration: Configuration) -> dict[str, bytes | None]:
    """The properties by name. Raises LabError for one that is required and cannot be read."""
    resolved: dict[str, bytes | None] = {}
    for entry in configuration.discovery_properties:
        name = str(entry.get("name", ""))
        if entry.get("value") is not None:
            resolved[name] = str(entry["value"]).encode()
        elif not entry.get("valueFrom"):
            resolved[name] = None
        else:
            value = await _referenced(client, name, entry["valueFrom"])
            if value is not None:
                resolved[name] = value
    return resolved


async def _referenced(client: AsyncClient, name: str, source: Mapping[str, Any]) -> bytes | None:
    kind = "secretKeyRef" if source.get("secretKeyRef") else "configMapKeyRef"
    reference: Mapping[str, Any] = source.get(kind) or {}
    resource = Secret if kind == "secretKeyRef" else ConfigMap
    where = f"{reference.get('namespace') or 'default'}/{reference.get('name')}"
    try:
        found: Any = await client.get(
            resource, str(reference.get("name")), namespace=reference.get("namespace") or "default"
        )
    except httpx2.HTTPError as error:
        if isinstance(error, ApiError) and is_missing(error) and reference.get("optional"):
            return None
        raise LabError(
            attempted=f"Read the discovery property {name} from {resource.__name__} {where}",
            seen=str(error),
            remedy="Create it, or allow the agent to read it (role akri_agent: akri_agent_read_properties)",
        ) from error
    value = _pick(found, str(reference.get("key")))
    if value is None and not reference.get("optional"):
        raise LabError(
            attempted=f"Read the discovery property {name}",
            seen=f"{resource.__name__} {where} has no key {reference.get('key')!r}",
        )
    return value


def _pick(found: Any, key: str) -> bytes | None:
    text = (found.data or {}).get(key)
    if isinstance(found, Secret):
        return None if text is None else base64.b64decode(text)
    if text is not None:
        return str(text).encode()
    binary = (found.binaryData or {}).get(key)
    return None if binary is None else base64.b64decode(binary)
