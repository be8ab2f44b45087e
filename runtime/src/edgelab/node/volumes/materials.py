"""The ConfigMaps and Secrets that a Pod names: which, and their content."""

import asyncio
import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.models.core_v1 import Container, Pod, Volume
from lightkube.resources.core_v1 import ConfigMap, Secret

from edgelab.kube.client import is_missing

Content = Mapping[str, bytes]
"""Keys and values of a ConfigMap or Secret."""


@dataclass(frozen=True, slots=True)
class Materials:
    """Content by name; None for what does not exist."""

    config_maps: Mapping[str, Content | None] = field(default_factory=dict)
    secrets: Mapping[str, Content | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Names:
    """Names of ConfigMaps and Secrets in a Pod's namespace."""

    config_maps: frozenset[str] = frozenset()
    secrets: frozenset[str] = frozenset()


def names(pod: Pod) -> Names:
    """What the environment and the volumes of a Pod refer to."""
    assert pod.spec is not None
    config_maps, secrets = set[str](), set[str]()
    containers = [*(pod.spec.initContainers or ()), *pod.spec.containers]
    for reference in (
        *(each for container in containers for each in _of_environment(container)),
        *(each for volume in pod.spec.volumes or () for each in _of_volume(volume)),
    ):
        (config_maps if reference[0] == "configMap" else secrets).add(reference[1])
    return Names(frozenset(config_maps), frozenset(secrets))


def _of_environment(container: Container) -> Iterator[tuple[str, str]]:
    for source in container.envFrom or ():
        if source.configMapRef:
            yield "configMap", source.configMapRef.name or ""
        if source.secretRef:
            yield "secret", source.secretRef.name or ""
    for variable in container.env or ():
        if variable.valueFrom and variable.valueFrom.configMapKeyRef:
            yield "configMap", variable.valueFrom.configMapKeyRef.name or ""
        if variable.valueFrom and variable.valueFrom.secretKeyRef:
            yield "secret", variable.valueFrom.secretKeyRef.name or ""


def _of_volume(volume: Volume) -> Iterator[tuple[str, str]]:
    if volume.configMap:
        yield "configMap", volume.configMap.name or ""
    if volume.secret:
        yield "secret", volume.secret.secretName or ""
    for source in (volume.projected.sources or ()) if volume.projected else ():
        if source.configMap:
            yield "configMap", source.configMap.name or ""
        if source.secret:
            yield "secret", source.secret.name or ""


async def fetch(client: AsyncClient, namespace: str, wanted: Names) -> Materials:
    """Get each of them; a node may read those that its Pods name. Errors other than "not found" are raised."""
    config_maps, secrets = await asyncio.gather(
        _fetch(client, ConfigMap, namespace, wanted.config_maps, _config_map_content),
        _fetch(client, Secret, namespace, wanted.secrets, _secret_content),
    )
    return Materials(config_maps, secrets)


async def _fetch(
    client: AsyncClient, kind: Any, namespace: str, wanted: frozenset[str], content: Callable[[Any], Content]
) -> dict[str, Content | None]:
    async def one(name: str) -> Content | None:
        try:
            return content(await client.get(kind, name, namespace=namespace))
        except ApiError as error:
            if is_missing(error):
                return None
            raise

    ordered = sorted(wanted)
    return dict(zip(ordered, await asyncio.gather(*map(one, ordered)), strict=True))


def _config_map_content(body: ConfigMap) -> Content:
    text = {key: value.encode() for key, value in (body.data or {}).items()}
    return text | _secret_content(body, "binaryData")


def _secret_content(body: Any, part: str = "data") -> dict[str, bytes]:
    return {key: base64.b64decode(value) for key, value in (getattr(body, part) or {}).items()}
