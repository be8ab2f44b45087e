"""Volumes on disk, and what of them a container may open.

Each volume is a directory of the host: one of the Pod's own under `volumes/`, or a hostPath. A WASI module opens
directories only, so a mount of a single file is refused.
"""

from collections.abc import Mapping
from pathlib import Path

from lightkube.models.core_v1 import Container, HostPathVolumeSource, Volume, VolumeMount

from edgelab.node.containers.records import Preopen
from edgelab.node.volumes.content import is_filled
from edgelab.node.volumes.environment import expand
from edgelab.node.volumes.errors import ConfigError, unusable
from edgelab.service.files import write_whole

_KINDS = "configMap, secret, hostPath, emptyDir, downwardAPI and projected"


def host_directory(volume: Volume, volumes: Path) -> Path:
    """Where a volume is on the host; the Pod's own ones are made. Raises ConfigError for what is not there."""
    if volume.hostPath:
        return _host_path(volume.name, volume.hostPath)
    if not (volume.emptyDir or is_filled(volume)):
        raise unusable(f"the volume {volume.name}", "It is of a kind that this node does not offer", f"Use {_KINDS}")
    directory = volumes / volume.name
    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    return directory


def fill(directory: Path, files: Mapping[str, bytes]) -> None:
    """Make a directory hold exactly these files; each is replaced as a whole, unchanged ones are not touched."""
    for name, content in files.items():
        path = directory / name
        if path.is_file() and path.read_bytes() == content:
            continue
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        write_whole(path, content)
    for path in directory.rglob("*"):
        if path.is_file() and str(path.relative_to(directory)) not in files:
            path.unlink()


def preopens(container: Container, volumes: Mapping[str, Path], variables: Mapping[str, str]) -> tuple[Preopen, ...]:
    """The directories that a container may open, by its volumeMounts."""
    return tuple(_preopen(container, mount, volumes, variables) for mount in container.volumeMounts or ())


def _preopen(
    container: Container, mount: VolumeMount, volumes: Mapping[str, Path], variables: Mapping[str, str]
) -> Preopen:
    if mount.name not in volumes:
        raise unusable(container.name, f"There is no volume {mount.name}")
    root = volumes[mount.name].resolve()
    below = mount.subPath or expand(mount.subPathExpr or "", variables)
    path = (root / below).resolve()
    if not path.is_relative_to(root):
        raise unusable(container.name, f"The subPath {below} leaves the volume {mount.name}")
    if not path.exists():
        path.mkdir(mode=0o700, parents=True)
    if not path.is_dir():
        raise _no_directory(container.name, path)
    return Preopen(str(path), mount.mountPath, writable=not mount.readOnly)


def _host_path(volume: str, source: HostPathVolumeSource) -> Path:
    path = Path(source.path)
    if source.type == "DirectoryOrCreate":
        _create(volume, path)
    if not path.exists():
        raise unusable(
            f"the volume {volume}", f"The host has no {path}", "Create it, or use the type DirectoryOrCreate"
        )
    if not path.is_dir():
        raise _no_directory(f"the volume {volume}", path)
    if source.type not in (None, "", "Directory", "DirectoryOrCreate"):
        raise unusable(f"the volume {volume}", f"{path} is a directory, not a {source.type}")
    return path


def _create(volume: str, path: Path) -> None:
    try:
        path.mkdir(mode=0o755, parents=True, exist_ok=True)
    except OSError as error:
        raise unusable(f"the volume {volume}", f"The directory {path} cannot be made: {error.strerror}") from error


def _no_directory(what: str, path: Path) -> ConfigError:
    return unusable(what, f"{path} is no directory", "WASI modules open directories only: mount the one it is in")
