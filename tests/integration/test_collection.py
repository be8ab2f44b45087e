"""The collection as users get it: built, installed, run from an empty directory by an Ansible that has nothing else.

The Ansible has a virtual environment of its own without the runtime, so the role edgelab_runtime has to install it from
what travels in the collection.
"""

import importlib.metadata
import os
import subprocess
import sys
import tarfile
import tempfile
import venv
from collections.abc import Iterator
from pathlib import Path

import pytest
from labkit import BIN, ROOT, Lab, Result

CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))


class InstalledLab(Lab):
    """A lab of the installed collection, without this checkout and its virtual environment."""

    @property
    def environment(self) -> dict[str, str]:
        ours = {
            "PATH": f"{self.home}/venv/bin:{os.environ['PATH']}",
            "ANSIBLE_COLLECTIONS_PATH": f"{self.home}/collections",
            "XDG_CACHE_HOME": f"{self.home}/cache",
            "PIP_CACHE_DIR": str(CACHE / "pip"),
        }
        return {**super().environment, **ours}

    def playbook(self, name: str, *options: str, check: bool = True, **variables: str) -> Result:
        command = ["ansible-playbook", f"edgelab.akri.{name}", "-e", f"lab_name={self.name}", *options]
        return self.run(command, check=check)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("build")
    command = [str(BIN / "ansible-galaxy"), "collection", "build", "--output-path", str(directory), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    (built,) = directory.glob("edgelab-akri-*.tar.gz")
    return built


@pytest.fixture
def installed(archive: Path) -> Iterator[InstalledLab]:
    with tempfile.TemporaryDirectory(prefix="edgelab-test-") as scratch:
        home = Path(scratch)
        lab = InstalledLab(home, f"installed-{os.getpid()}", directory=home / "empty")
        lab.directory.mkdir()
        share_programs(home / "cache/edgelab")
        venv.create(home / "venv", with_pip=True)
        lab.run(["pip", "install", "--quiet", f"ansible-core=={importlib.metadata.version('ansible-core')}"])
        lab.run(["ansible-galaxy", "collection", "install", "--offline", "-p", f"{home}/collections", str(archive)])
        yield lab
        if lab.layout.marker.exists():
            lab.playbook("down")


def share_programs(cache: Path) -> None:
    """Programs are not built anew, the runtime is: of the user's cache only `bin` is the test's too."""
    programs = CACHE / "edgelab/bin"
    programs.mkdir(parents=True, exist_ok=True)
    cache.mkdir(parents=True)
    (cache / "bin").symlink_to(programs)


def test_the_archive_holds_what_git_knows_but_what_only_a_checkout_can_run(archive: Path) -> None:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard"]
    known = set(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines())
    with tarfile.open(archive) as tar:
        packed = {member.name for member in tar if not member.isdir()}
    left_out = ("galaxy.yml", "conftest.py", ".ci/", ".github/", "tests/", "tools/")
    assert packed - {"MANIFEST.json", "FILES.json"} == {name for name in known if not name.startswith(left_out)}
    assert {"runtime/pyproject.toml", "requirements.lock", "controlplane/kubernetes/go.sum"} <= packed
    assert any(name.endswith(".wasm") for name in packed)


def test_it_runs_from_an_empty_directory(installed: InstalledLab) -> None:
    first = installed.playbook("site")
    assert first.recap()["failed"] == 0
    assert "Pod is running and using debugEcho device named" in installed.kubectl(
        "logs", "krustlet-wasi-akri-debug-echo-aae70c-pod"
    )
    running = Path(f"/proc/{installed.pid('agent')}/cmdline").read_text().split("\0")[0]
    assert running.startswith(f"{installed.home}/cache/edgelab/runtime/")

    second = installed.playbook("site")
    assert second.recap()["changed"] == 0, second.changed_tasks()

    installed.playbook("down")
    left = subprocess.run(
        [sys.executable, "-m", "edgelab", "residue", "--lab", installed.name], env=installed.environment, check=False
    )
    assert left.returncode == 0
    assert list(installed.directory.iterdir()) == []
