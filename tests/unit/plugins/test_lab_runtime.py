"""Which Python has the runtime: the one at hand, or one whose environment would have to be made."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_runtime as subject
from edgelab.core.errors import LabError

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def wanted() -> subject.Wanted:
    return subject.Wanted(ROOT / "runtime", ROOT / "requirements.lock", ("kubernetes",))


@pytest.fixture
def copy(tmp_path: Path) -> subject.Wanted:
    """A runtime of the same sources in another place."""
    source = tmp_path / "runtime"
    shutil.copytree(ROOT / "runtime/src", source / "src", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "runtime/pyproject.toml", source)
    lock = Path(shutil.copy(ROOT / "requirements.lock", tmp_path))
    return subject.Wanted(source, lock, ())


def test_python_that_has_the_runtime_is_used(wanted: subject.Wanted, tmp_path: Path) -> None:
    found = subject.present(wanted, tmp_path / "cache", dry_run=False)
    assert not found["changed"]
    assert not (tmp_path / "cache").exists()
    assert found["package"] == str(ROOT / "runtime/src/edgelab")
    shown = subprocess.run([*found["command"], "--help"], capture_output=True, text=True, check=True).stdout
    assert "edgelab" in shown
    typed = subprocess.run([found["program"], "--help"], capture_output=True, text=True, check=True).stdout
    assert typed == shown


def test_python_without_the_program_beside_it_is_what_people_type(tmp_path: Path) -> None:
    assert subject.program_of(f"{tmp_path}/python3", installed=True) == f"{tmp_path}/python3 -I -m edgelab"
    assert subject.program_of(f"{tmp_path}/python3", installed=False) == f"{tmp_path}/edgelab"


def test_same_sources_in_another_place_count_as_the_same(copy: subject.Wanted) -> None:
    assert subject.package_of(sys.executable, copy) is not None


def test_other_sources_do_not_count(copy: subject.Wanted) -> None:
    (copy.package / "cli/main.py").write_text("changed")
    assert subject.package_of(sys.executable, copy) is None


def test_missing_distribution_does_not_count(wanted: subject.Wanted) -> None:
    lacking = subject.Wanted(wanted.source, wanted.requirements, ("no-such-distribution",))
    assert subject.package_of(sys.executable, lacking) is None


def test_python_that_does_not_exist_does_not_count(wanted: subject.Wanted) -> None:
    assert subject.package_of("/no/such/python", wanted) is None


def test_check_mode_makes_nothing(copy: subject.Wanted, tmp_path: Path) -> None:
    (copy.package / "cli/main.py").write_text("changed")
    told = subject.present(copy, tmp_path / "cache", dry_run=True)
    assert told["changed"]
    assert not told["installed"]
    assert not Path(told["python"]).exists()
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("changed", ["requirements.lock", "runtime/pyproject.toml", "runtime/src/edgelab/cli/main.py"])
def test_whatever_changes_gets_an_environment_of_its_own(copy: subject.Wanted, tmp_path: Path, changed: str) -> None:
    before = copy.digest()
    assert copy.digest() == before
    with (tmp_path / changed).open("a") as file:
        file.write("# more\n")
    assert copy.digest() != before


def test_missing_venv_is_told_with_the_package_that_has_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # As Debian's python3 does without python3-venv: the module venv is there, ensurepip is not.
    python = tmp_path / "python3"
    python.write_text('#!/bin/sh\nmkdir -p "$3"\necho "ensurepip is not available"\nexit 1\n')
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    with pytest.raises(LabError, match=r"ensurepip is not available.*apt-get install python3-venv"):
        subject.make_environment(tmp_path / "environment")
    assert not (tmp_path / "environment").exists()


def test_what_pip_says_is_told_and_nothing_half_made_counts(copy: subject.Wanted, tmp_path: Path) -> None:
    (copy.package / "cli/main.py").write_text("changed")
    copy.requirements.write_text("./no-such-directory --hash=sha256:00\n")
    with pytest.raises(LabError, match=r"(?s)Install .*requirements\.lock with pip.*no-such-directory"):
        subject.present(copy, tmp_path / "cache", dry_run=False)
    assert subject.present(copy, tmp_path / "cache", dry_run=True)["changed"]
