"""Which directories of the cache go: those that neither a playbook nor a process uses."""

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_cache as subject

LONG_AGO = time.time() - subject.UNUSED_SECONDS - 60


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """A cache of three versions, the first two of which were used long ago."""
    for name in ("first", "second", "current"):
        (tmp_path / name / "lib").mkdir(parents=True)
    for name in ("first", "second"):
        os.utime(tmp_path / name, (LONG_AGO, LONG_AGO))
    return tmp_path


def left(cache: Path) -> set[str]:
    """The names of those that are there."""
    return {path.name for path in cache.iterdir()}


def test_what_nobody_uses_goes(cache: Path) -> None:
    assert subject.prune(cache, cache / "current") == [str(cache / "first"), str(cache / "second")]
    assert left(cache) == {"current"}


def test_what_a_playbook_used_today_stays(cache: Path) -> None:
    subject.mark_used(cache / "first")
    assert subject.prune(cache, cache / "current") == [str(cache / "second")]


def test_current_one_stays_however_old(cache: Path) -> None:
    os.utime(cache / "current", (LONG_AGO, LONG_AGO))
    subject.prune(cache, cache / "current")
    assert left(cache) == {"current"}


@pytest.mark.parametrize("by", ["command line", "environment"])
def test_what_a_process_runs_from_stays_until_it_ends(cache: Path, by: str) -> None:
    words = [sys.executable, "-c", "input()"]
    told = str(cache / "first/lib")
    arguments, environment = ([told], {}) if by == "command line" else ([], {"PYTHONPATH": told})
    with subprocess.Popen([*words, *arguments], stdin=subprocess.PIPE, env=environment) as process:
        assert subject.prune(cache, cache / "current") == [str(cache / "second")]
        process.communicate(b"\n")
    assert subject.prune(cache, cache / "current") == [str(cache / "first")]


def test_name_that_begins_as_another_is_another(cache: Path) -> None:
    (cache / "first-2").mkdir()
    with subprocess.Popen([sys.executable, "-c", "input()", f"{cache}/first-2/x"], stdin=subprocess.PIPE) as process:
        assert not subject.has_processes(cache / "first")
        assert subject.has_processes(cache / "first-2")
        process.communicate(b"\n")


def test_files_and_a_cache_that_is_not_there_are_no_matter(cache: Path) -> None:
    (cache / "notes.txt").write_text("kept")
    os.utime(cache / "notes.txt", (LONG_AGO, LONG_AGO))
    subject.prune(cache, None)
    assert left(cache) == {"current", "notes.txt"}
    assert subject.prune(cache / "nowhere", None) == []
    subject.mark_used(cache / "nowhere")
