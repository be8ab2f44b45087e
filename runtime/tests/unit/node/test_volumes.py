"""Volumes: their files, and the directories that containers may open."""

from pathlib import Path
from typing import Any

import pytest
from edgelab.node.containers.records import Preopen
from edgelab.node.volumes.content import content, is_filled
from edgelab.node.volumes.directories import fill, host_directory, preopens
from edgelab.node.volumes.environment import Surroundings
from edgelab.node.volumes.errors import ConfigError
from edgelab.node.volumes.fields import NodeFacts
from edgelab.node.volumes.materials import Materials
from lightkube.models.core_v1 import Container, Pod, Volume

NODE = NodeFacts("krustlet-wasi", ("127.0.0.1",), 64 * 1024 * 1024)
MATERIALS = Materials({"cm": {"a": b"1", "b": b"2"}, "gone": None}, {"sec": {"k": b"s"}})
POD = Pod.from_dict(
    {
        "metadata": {"name": "p", "namespace": "ns", "uid": "u"},
        "spec": {"containers": [{"name": "main", "resources": {"limits": {"memory": "1Mi"}}}]},
    }
)


def volume(**source: Any) -> Volume:
    made = Volume.from_dict({"name": "v", **source})
    assert isinstance(made, Volume)
    return made


def files(**source: Any) -> dict[str, bytes]:
    assert isinstance(POD, Pod)
    return content(volume(**source), Surroundings(POD, NODE, MATERIALS), {("v", "token"): "t0ken"})


def test_config_maps_and_secrets() -> None:
    assert files(configMap={"name": "cm"}) == {"a": b"1", "b": b"2"}
    assert files(secret={"secretName": "sec"}) == {"k": b"s"}


def test_items_select_and_place() -> None:
    assert files(configMap={"name": "cm", "items": [{"key": "b", "path": "d/e"}]}) == {"d/e": b"2"}


def test_missing_content_is_named_unless_it_is_optional() -> None:
    with pytest.raises(ConfigError, match='ConfigMap "gone" not found'):
        files(configMap={"name": "gone"})
    with pytest.raises(ConfigError, match='key "z" of ConfigMap "cm"'):
        files(configMap={"name": "cm", "items": [{"key": "z", "path": "z"}]})
    assert files(configMap={"name": "gone", "optional": True}) == {}


def test_the_downward_api() -> None:
    items = [
        {"path": "name", "fieldRef": {"fieldPath": "metadata.name"}},
        {"path": "memory", "resourceFieldRef": {"containerName": "main", "resource": "limits.memory"}},
    ]
    assert files(downwardAPI={"items": items}) == {"name": b"p", "memory": b"1048576"}


def test_projections_are_merged() -> None:
    sources = [
        {"serviceAccountToken": {"path": "token"}},
        {"configMap": {"name": "cm", "items": [{"key": "a", "path": "ca.crt"}]}},
        {"secret": {"name": "sec"}},
        {"downwardAPI": {"items": [{"path": "ns", "fieldRef": {"fieldPath": "metadata.namespace"}}]}},
    ]
    assert files(projected={"sources": sources}) == {"token": b"t0ken", "ca.crt": b"1", "k": b"s", "ns": b"ns"}


def test_a_projection_of_an_unknown_kind_is_refused() -> None:
    with pytest.raises(ConfigError):
        files(projected={"sources": [{"clusterTrustBundle": {"path": "x", "name": "y"}}]})


def test_a_directory_holds_exactly_the_files(tmp_path: Path) -> None:
    fill(tmp_path, {"a": b"1", "d/e": b"2"})
    unchanged = (tmp_path / "a").stat().st_ino
    fill(tmp_path, {"a": b"1", "f": b"3"})
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == {"a", "f"}
    assert (tmp_path / "a").stat().st_ino == unchanged
    assert (tmp_path / "f").stat().st_mode & 0o777 == 0o600


def test_the_pods_own_volumes_are_private(tmp_path: Path) -> None:
    path = host_directory(volume(emptyDir={}), tmp_path / "volumes")
    assert path == tmp_path / "volumes" / "v"
    assert path.stat().st_mode & 0o777 == 0o700
    assert not is_filled(volume(emptyDir={}))


@pytest.mark.parametrize("kind", [None, "", "Directory", "DirectoryOrCreate"])
def test_a_host_directory(tmp_path: Path, kind: str | None) -> None:
    assert host_directory(volume(hostPath={"path": str(tmp_path), "type": kind}), tmp_path) == tmp_path


def test_a_host_directory_is_made_only_on_request(tmp_path: Path) -> None:
    wanted = tmp_path / "x" / "y"
    with pytest.raises(ConfigError, match="has no"):
        host_directory(volume(hostPath={"path": str(wanted), "type": "Directory"}), tmp_path)
    assert host_directory(volume(hostPath={"path": str(wanted), "type": "DirectoryOrCreate"}), tmp_path).is_dir()


@pytest.mark.parametrize("kind", ["File", "Socket", "CharDevice"])
def test_a_directory_of_another_type_is_refused(tmp_path: Path, kind: str) -> None:
    with pytest.raises(ConfigError, match=f"not a {kind}"):
        host_directory(volume(hostPath={"path": str(tmp_path), "type": kind}), tmp_path)


def test_a_file_of_the_host_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="WASI modules open directories only"):
        host_directory(volume(hostPath={"path": str(tmp_path / "file"), "type": "File"}), tmp_path)


def test_other_kinds_of_volumes_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="does not offer"):
        host_directory(volume(nfs={"server": "s", "path": "/"}), tmp_path)


def mounted(tmp_path: Path, **mount: Any) -> Preopen:
    (tmp_path / "sub").mkdir(exist_ok=True)
    fields = {"name": "main", "volumeMounts": [{"name": "v", "mountPath": "/data", **mount}]}
    container = Container.from_dict(fields)
    assert isinstance(container, Container)
    (found,) = preopens(container, {"v": tmp_path}, {"WHERE": "sub"})
    return found


def test_a_mount_is_a_preopened_directory(tmp_path: Path) -> None:
    assert mounted(tmp_path) == Preopen(str(tmp_path), "/data", writable=True)
    assert mounted(tmp_path, readOnly=True).writable is False


def test_a_sub_path_selects_a_directory_of_the_host(tmp_path: Path) -> None:
    assert mounted(tmp_path, subPath="sub") == Preopen(str(tmp_path / "sub"), "/data")
    assert mounted(tmp_path, subPathExpr="$(WHERE)") == Preopen(str(tmp_path / "sub"), "/data")
    assert Path(mounted(tmp_path, subPath="new").host).is_dir()


def test_a_sub_path_cannot_leave_its_volume(tmp_path: Path) -> None:
    (tmp_path / "v").mkdir()
    (tmp_path / "v" / "link").symlink_to(tmp_path)
    for below in ("../x", "link"):
        with pytest.raises(ConfigError, match="leaves the volume"):
            mounted(tmp_path / "v", subPath=below)
