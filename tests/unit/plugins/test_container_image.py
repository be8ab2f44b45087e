"""What a container image is made of, when it is built, and how its archive is read; no engine and no registry."""

import io
import json
import tarfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _container_engine as engines
from ansible_collections.edgelab.akri.plugins.module_utils._container_archive import artifact_of
from ansible_collections.edgelab.akri.plugins.module_utils._container_build import archive_of
from ansible_collections.edgelab.akri.plugins.module_utils._container_image import InRegistry, OnNodes, ensure
from ansible_collections.edgelab.akri.plugins.module_utils._container_recipe import DebianBase, GivenBase, Recipe
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_artifact import MANIFEST
from ansible_collections.edgelab.akri.plugins.module_utils._wasm_registry import Address
from edgelab.core.errors import LabError


@pytest.fixture
def recipe(tmp_path: Path) -> Recipe:
    """An image that copies one directory."""
    package = tmp_path / "package"
    (package / "__pycache__").mkdir(parents=True)
    (package / "main.py").write_text("print()\n")
    base = DebianBase("FROM scratch\n", ("python3",), "bookworm")
    return Recipe("edgelab", "FROM x\n", {"a.sh": "echo\n"}, base, {"package": package}, "x==1\n")


def test_the_same_inputs_have_the_same_digest(recipe: Recipe) -> None:
    before = recipe.digest
    (recipe.copies["package"] / "__pycache__" / "main.pyc").write_bytes(b"anything")
    assert recipe.digest == before


@pytest.mark.parametrize(
    "change",
    [
        {"containerfile": "FROM y\n"},
        {"files": {"a.sh": "echo 2\n"}},
        {"files": {"b.sh": "echo\n"}},
        {"requirements": "x==2\n"},
        {"base": DebianBase("FROM scratch\n", ("python3",), "trixie")},
        {"base": DebianBase("FROM scratch\n", ("python3", "ca-certificates"), "bookworm")},
        {"base": GivenBase("debian:12", "3.11")},
    ],
)
def test_another_input_makes_another_digest(recipe: Recipe, change: dict[str, Any]) -> None:
    assert replace(recipe, **change).digest != recipe.digest


def test_another_file_makes_another_digest(recipe: Recipe) -> None:
    before = recipe.digest
    (recipe.copies["package"] / "main.py").write_text("print(1)\n")
    assert recipe.digest != before


def test_an_input_that_is_not_there_is_told(recipe: Recipe, tmp_path: Path) -> None:
    with pytest.raises(LabError, match="nowhere"):
        _ = replace(recipe, copies={"x": tmp_path / "nowhere"}).digest


def test_there_is_nothing_in_a_registry_that_does_not_exist_yet(tmp_path: Path) -> None:
    place = InRegistry(Address("127.0.0.1:1", tmp_path / "ca.crt"), "edgelab", "tag")
    result = ensure(place, never, dry_run=True)
    assert (result["changed"], result["image"]) == (True, "127.0.0.1:1/edgelab:tag")
    assert result["diff"] == {"before": "absent\n", "after": "127.0.0.1:1/edgelab:tag\n"}


def test_check_mode_knows_nothing_about_a_registry_that_does_not_answer() -> None:
    result = ensure(InRegistry(Address("127.0.0.1:1"), "edgelab", "tag"), never, dry_run=True)
    assert result["changed"] is False
    assert "127.0.0.1:1" in result["warnings"][0]


def test_an_image_is_loaded_into_nodes_that_have_it_not(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.write_text("localhost/other:tag\n")
    loading = tmp_path / "load.sh"
    loading.write_text(f"#!/bin/sh\ncat $1 >> {store}\n")
    loading.chmod(0o755)
    archive = tmp_path / "archive"
    archive.write_text("localhost/edgelab:tag\n")
    place = OnNodes("localhost/edgelab:tag", [str(loading)], ["cat", str(store)])

    first = ensure(place, lambda: archive, dry_run=False)
    assert (first["changed"], first["image"]) == (True, "localhost/edgelab:tag")
    assert ensure(place, never, dry_run=False)["changed"] is False


def test_nodes_that_do_not_answer_have_no_image() -> None:
    assert OnNodes("localhost/edgelab:tag", ["false"], ["false"]).find() is None


def never() -> Path:
    """A build that must not happen."""
    raise AssertionError("It was built")


def test_without_an_engine_the_remedy_is_told(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LabError, match="No podman and no buildah and no docker"):
        engines.find("auto")
    with pytest.raises(LabError, match="No docker on PATH"):
        engines.find("docker")


def test_the_first_engine_that_there_is_will_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    for name in ("docker", "buildah"):
        (tmp_path / name).touch(mode=0o755)
    assert engines.find("auto").name == "buildah"


def archive_with(path: Path, files: dict[str, Any]) -> Path:
    with tarfile.open(path, "w") as tar:
        for name, content in files.items():
            data = content if isinstance(content, bytes) else json.dumps(content).encode()
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return path


IMAGE = {"config": {"digest": "sha256:c"}, "layers": [{"digest": "sha256:l"}, {"digest": "sha256:l"}]}
IN_INDEX = {"mediaType": MANIFEST, "digest": "sha256:m"}
BLOBS = {"blobs/sha256/m": IMAGE, "blobs/sha256/c": b"{}", "blobs/sha256/l": b"layer"}


@pytest.mark.parametrize(
    "index",
    [
        {"index.json": {"manifests": [IN_INDEX]}},
        {
            "index.json": {
                "manifests": [{"mediaType": "application/vnd.oci.image.index.v1+json", "digest": "sha256:i"}]
            },
            "blobs/sha256/i": {"manifests": [IN_INDEX]},
        },
    ],
)
def test_an_archive_is_read_as_a_registry_takes_it(tmp_path: Path, index: dict[str, Any]) -> None:
    artifact = artifact_of(archive_with(tmp_path / "image.tar", BLOBS | index), "edgelab", "tag")
    assert [(blob.digest, blob.content) for blob in artifact.blobs] == [("sha256:c", b"{}"), ("sha256:l", b"layer")]
    assert json.loads(artifact.manifest or b"") == IMAGE


def test_an_archive_of_another_layout_names_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Docker 25"):
        artifact_of(archive_with(tmp_path / "image.tar", {"manifest.json": []}), "edgelab", "tag")


def test_no_archive_is_told(tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"nothing\.tar"):
        artifact_of(tmp_path / "nothing.tar", "edgelab", "tag")


def test_the_cache_keeps_the_newest_archive_of_each_repository(recipe: Recipe, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    of_another = cache / f"edgelab-broker-{'0' * 16}.tar"
    older = cache / f"edgelab-{'0' * 16}.tar"
    for archive in (of_another, older, cache / f"edgelab-{recipe.digest}.tar"):
        archive.write_text(archive.name)
    assert archive_of(recipe, "none", cache).read_text() == f"edgelab-{recipe.digest}.tar"
    assert of_another.exists()
    assert not older.exists()


ENGINE = """#!/bin/sh
echo $1 >> {log}
[ $1 != save ] || touch "$6"
"""


def test_builds_take_turns_at_the_engines_store_whatever_their_caches(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    podman = tmp_path / "bin/podman"
    podman.parent.mkdir()
    podman.write_text(ENGINE.format(log=log))
    podman.chmod(0o755)
    monkeypatch.setenv("PATH", f"{podman.parent}:/usr/bin:/bin")
    monkeypatch.setenv("HOME", str(tmp_path))
    given = replace(recipe, base=GivenBase("debian:12", "3.99"), requirements="")
    with ThreadPoolExecutor(4) as threads:
        archives = list(threads.map(lambda name: archive_of(given, "podman", tmp_path / name), "abcd"))
    assert all(archive.exists() for archive in archives)
    assert log.read_text().split() == ["build", "save", "rmi"] * 4
