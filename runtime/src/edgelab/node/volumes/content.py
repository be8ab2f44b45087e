"""The files of the volumes that Kubernetes fills: configMap, secret, downwardAPI and projected. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

from lightkube.models.core_v1 import DownwardAPIVolumeFile, KeyToPath, Pod, Volume, VolumeProjection

from edgelab.node.volumes.environment import Surroundings
from edgelab.node.volumes.errors import missing, unusable
from edgelab.node.volumes.fields import pod_field, resource_field
from edgelab.node.volumes.materials import Content

Tokens = Mapping[tuple[str, str], str]
"""ServiceAccount tokens by volume and path."""


def is_filled(volume: Volume) -> bool:
    """The volume has content that comes from the API server, and may change."""
    return bool(volume.configMap or volume.secret or volume.downwardAPI or volume.projected)


def content(volume: Volume, around: Surroundings, tokens: Tokens) -> dict[str, bytes]:
    """The files of a filled volume by relative path. Raises ConfigError for what is missing."""
    if volume.configMap:
        source = volume.configMap
        return _selected(volume, "ConfigMap", source.name, source, around.materials.config_maps)
    if volume.secret:
        return _selected(volume, "Secret", volume.secret.secretName, volume.secret, around.materials.secrets)
    if volume.downwardAPI:
        return _downward(volume, volume.downwardAPI.items or (), around)
    files: dict[str, bytes] = {}
    for projection in (volume.projected.sources or ()) if volume.projected else ():
        files |= _projected(volume, projection, around, tokens)
    return files


def _projected(volume: Volume, source: VolumeProjection, around: Surroundings, tokens: Tokens) -> dict[str, bytes]:
    if source.configMap:
        return _selected(volume, "ConfigMap", source.configMap.name, source.configMap, around.materials.config_maps)
    if source.secret:
        return _selected(volume, "Secret", source.secret.name, source.secret, around.materials.secrets)
    if source.downwardAPI:
        return _downward(volume, source.downwardAPI.items or (), around)
    if source.serviceAccountToken:
        path = source.serviceAccountToken.path
        return {path: tokens[volume.name, path].encode()}
    raise unusable(f"the volume {volume.name}", "A projection is of a kind that this node does not offer")


def _selected(
    volume: Volume, kind: str, name: str | None, source: Any, known: Mapping[str, Content | None]
) -> dict[str, bytes]:
    found = known.get(name or "")
    if found is None and not source.optional:
        raise missing(f"the volume {volume.name}", f'{kind} "{name}"')
    items: Sequence[KeyToPath] | None = source.items
    if items is None:
        return dict(found or {})
    absent = [item.key for item in items if item.key not in (found or {})]
    if absent and not source.optional:
        raise missing(f"the volume {volume.name}", f'key "{absent[0]}" of {kind} "{name}"')
    return {item.path: (found or {})[item.key] for item in items if item.key not in absent}


def _downward(volume: Volume, items: Sequence[DownwardAPIVolumeFile], around: Surroundings) -> dict[str, bytes]:
    return {item.path: _downward_file(volume, item, around).encode() for item in items}


def _downward_file(volume: Volume, item: DownwardAPIVolumeFile, around: Surroundings) -> str:
    if item.fieldRef:
        return pod_field(around.pod, item.fieldRef.fieldPath, around.node)
    assert item.resourceFieldRef is not None
    for container in _containers(around.pod):
        if container.name == item.resourceFieldRef.containerName:
            return resource_field(container, item.resourceFieldRef, around.node)
    raise unusable(f"the volume {volume.name}", f"No container is called {item.resourceFieldRef.containerName}")


def _containers(pod: Pod) -> Sequence[Any]:
    assert pod.spec is not None
    return [*(pod.spec.initContainers or ()), *pod.spec.containers]
