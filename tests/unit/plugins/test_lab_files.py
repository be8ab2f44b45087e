"""The collection's files on their way to another machine, and the Python that works with them there."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_files as subject
from ansible_collections.edgelab.akri.plugins.plugin_utils import _collection_files as payload

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's files as they travel."""
    path = tmp_path_factory.mktemp("packed") / "files.tar.gz"
    payload.pack(path)
    return path


@pytest.fixture
def unpacked(archive: Path, tmp_path: Path) -> Path:
    """The files as they arrive."""
    directory = tmp_path / "cache/collection/0123"
    subject.unpack(archive, directory)
    return directory


def test_runtime_arrives_as_sources_and_as_a_wheel_of_them(unpacked: Path, tmp_path: Path) -> None:
    sources = {path.relative_to(ROOT) for path in (ROOT / "runtime/src").rglob("*.py")}
    assert {path.relative_to(unpacked) for path in (unpacked / "runtime/src").rglob("*.py")} == sources
    (wheel,) = (unpacked / payload.WHEEL).iterdir()
    shutil.unpack_archive(wheel, tmp_path / "wheel", "zip")
    packed = (tmp_path / "wheel/edgelab/core/layout.py").read_text()
    assert packed == (ROOT / "runtime/src/edgelab/core/layout.py").read_text()


def test_whatever_roles_name_arrives(unpacked: Path) -> None:
    """Paths below the collection that roles give to modules and processes."""
    texts = [path.read_text() for path in (ROOT / "roles").glob("*/*/*.yml")]
    named = {path for text in texts for path in re.findall(r"\{\{ lab_collection \}\}/([\w./-]+)", text)}
    assert {"runtime/src", "requirements.lock", "roles/control_plane/files/authentication.yaml"} <= named
    assert [path for path in named if not (unpacked / path).exists()] == []


READ_ON_THE_CONTROLLER = {
    "roles/binaries/vars/main.yml": "without the role lab, on the controller itself",
    "roles/container_images/vars/main.yml": "lookups",
    "roles/gce_host/vars/main.yml": "modules that run on localhost",
    "roles/microk8s_host/vars/main.yml": "lookups",
}


def test_no_other_role_names_paths_of_the_controller() -> None:
    """What modules and processes open on the lab's machine is below lab_collection."""
    files = (ROOT / "roles").glob("*/*/*.yml")
    named = {str(path.relative_to(ROOT)) for path in files if "role_path" in path.read_text()}
    assert named <= READ_ON_THE_CONTROLLER.keys()


def test_other_content_has_another_digest(tmp_path: Path) -> None:
    (tmp_path / "wasm").mkdir()
    (tmp_path / "wasm/a.wasm").write_bytes(b"1")
    before = payload.digest(tmp_path)
    assert payload.digest(tmp_path) == before
    (tmp_path / "wasm/a.wasm").write_bytes(b"2")
    assert payload.digest(tmp_path) != before
    (tmp_path / "wasm/a.wasm").write_bytes(b"1")
    (tmp_path / "wasm/notes.txt").write_text("not part of it")
    assert payload.digest(tmp_path) == before


def test_wheel_that_cannot_be_built_is_told_with_the_remedy(tmp_path: Path) -> None:
    (tmp_path / "runtime").mkdir()
    with pytest.raises(payload.WheelError, match=r"Build the runtime's wheel on the controller.*pip install -r"):
        payload.pack(tmp_path / "files.tar.gz", tmp_path)


def test_files_that_another_run_brought_meanwhile_stay(archive: Path, unpacked: Path) -> None:
    (unpacked / "mark").write_text("theirs")
    subject.unpack(archive, unpacked)
    assert (unpacked / "mark").read_text() == "theirs"
    assert [path.name for path in unpacked.parent.iterdir()] == [unpacked.name]


def test_files_go_to_the_users_cache() -> None:
    assert subject.directory_of("01", {"HOME": "/home/ada"}) == Path("/home/ada/.cache/edgelab/collection/01")
    environment = {"HOME": "/home/ada", "XDG_CACHE_HOME": "/big"}
    assert subject.directory_of("01", environment) == Path("/big/edgelab/collection/01")


@pytest.mark.parametrize(
    ("versions", "found"),
    [
        ({sys.executable: (3, 12)}, sys.executable),
        ({sys.executable: (3, 10), "/bin/python3.11": (3, 11), "/bin/python3.13": (3, 13)}, "/bin/python3.13"),
        ({sys.executable: (3, 10), "/bin/python3.11": ()}, None),
        ({sys.executable: (3, 9)}, None),
    ],
)
def test_python_that_is_new_enough(versions: dict[str, tuple[int, ...]], found: str | None) -> None:
    def find(name: str) -> str | None:
        return f"/bin/{name}" if f"/bin/{name}" in versions else None

    assert subject.fitting_python(find, versions.__getitem__) == found


def test_version_is_what_the_interpreter_says(tmp_path: Path) -> None:
    assert subject.version_of(sys.executable) == sys.version_info[:2]
    assert subject.version_of(str(tmp_path / "none")) == ()
    assert subject.version_of("/bin/echo") == ()


def test_python_beside_the_files_sees_the_runtime(unpacked: Path) -> None:
    python = subject.write_python(unpacked, sys.executable)
    command = [python, "-c", "import edgelab.core.layout as it, sys; print(it.__file__, *sys.argv[1:])", "a b"]
    output = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    assert output == f"{unpacked}/runtime/src/edgelab/core/layout.py a b\n"


def test_python_beside_the_files_follows_the_machines(unpacked: Path) -> None:
    before = subject.write_python(unpacked, "/usr/bin/python3.11").stat()
    assert subject.write_python(unpacked, "/usr/bin/python3.11").stat().st_ino == before.st_ino
    assert "/usr/bin/python3.13" in subject.write_python(unpacked, "/usr/bin/python3.13").read_text()
