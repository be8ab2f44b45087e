"""A lab's directories: made, kept, refused, removed; its marker; disk full."""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _files as files
from ansible_collections.edgelab.akri.plugins.module_utils import _lab as subject
from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import Caller, Holder, exists
from edgelab.core.errors import LabError
from edgelab.core.layout import Layout, layout
from edgelab.lab import hold


def this_process() -> Caller:
    return Caller(Holder(os.getpid(), hold.start_time(os.getpid()), hold.boot_id(), 0.0), exists)


def place(home: Path, name: str = "test") -> Layout:
    return layout(name, {"XDG_STATE_HOME": str(home / "state"), "XDG_CACHE_HOME": str(home / "cache")}, os.getuid())


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Layout]:
    made = place(tmp_path)
    yield made
    shutil.rmtree(made.run, ignore_errors=True)


def present(lab: Layout, *, dry_run: bool = False, **ports: int) -> dict[str, Any]:
    return subject.present(lab, ports, this_process(), dry_run=dry_run)


def absent(lab: Layout, *, end_processes: bool = False, dry_run: bool = False) -> dict[str, Any]:
    return subject.absent(lab, this_process(), end_processes=end_processes, dry_run=dry_run)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


def content(directory: Path) -> dict[str, str]:
    return {str(path): path.read_text() for path in directory.rglob("*") if path.is_file()}


def test_grammar_of_a_lab(lab: Layout) -> None:
    check = present(lab, dry_run=True)
    assert not lab.state.parent.exists()
    made, again = present(lab), present(lab)
    assert (check["changed"], made["changed"], again["changed"]) == (True, True, False)
    assert (check["is_new"], made["is_new"], again["is_new"]) == (True, True, False)
    assert check["diff"] == made["diff"]
    assert check["ports"] == made["ports"] == again["ports"]
    assert check["paths"] == made["paths"]

    remove_check = absent(lab, dry_run=True)
    assert lab.marker.exists()
    removed, again = (absent(lab) for _time in range(2))
    assert (remove_check["changed"], removed["changed"], again["changed"]) == (True, True, False)
    assert not lab.state.parent.exists()
    assert not lab.run.exists()
    assert lab.cache.exists()


def test_directories_are_private(lab: Layout) -> None:
    paths = present(lab)["paths"]
    directories = {name: Path(path) for name, path in paths.items() if name not in ("kubeconfig", "cache")}
    assert {name: mode(path) for name, path in directories.items()} == dict.fromkeys(directories, 0o700)
    assert mode(lab.marker) == 0o600
    assert mode(lab.lock) == 0o600
    assert len(os.fsencode(lab.run)) <= 40


def test_damage_is_repaired_and_counts_as_change(lab: Layout) -> None:
    present(lab)
    lab.pki.chmod(0o755)
    lab.run.rmdir()
    repaired = present(lab)
    assert repaired["changed"]
    assert not repaired["is_new"]
    assert repaired["diff"]["after"] == f"{lab.run} (0700)\n{lab.pki} (0700)\n"
    assert mode(lab.pki) == 0o700


def test_directory_with_files_of_somebody_else_is_refused_untouched(lab: Layout) -> None:
    lab.state.mkdir(parents=True)
    (lab.state / "thesis.txt").write_text("years of work")
    for refuse in (lambda: present(lab), lambda: absent(lab)):
        with pytest.raises(LabError, match=r"no lab\.json that would make it ours"):
            refuse()
    assert content(lab.state) == {f"{lab.state}/thesis.txt": "years of work"}
    assert not lab.run.exists()


@pytest.mark.parametrize("which", ["state", "run"])
def test_symbolic_link_is_refused(lab: Layout, tmp_path: Path, which: str) -> None:
    (tmp_path / "elsewhere").mkdir()
    link: Path = getattr(lab, which)
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(tmp_path / "elsewhere")
    try:
        with pytest.raises(LabError, match="It is a symbolic link"):
            present(lab)
        assert list((tmp_path / "elsewhere").iterdir()) == []
    finally:
        link.unlink()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a directory away")
def test_directory_of_another_user_is_refused(lab: Layout) -> None:
    lab.run.mkdir(mode=0o700)
    os.chown(lab.run, 12345, -1)
    with pytest.raises(LabError, match="It belongs to 12345, and this runs as root"):
        present(lab)
    assert not lab.state.exists()


@pytest.mark.parametrize("marker", ["{", "[]", '{"format": 2, "lab": "test"}', '{"format": 1, "lab": "another"}'])
def test_marker_that_is_not_understood_is_refused(lab: Layout, marker: str) -> None:
    lab.state.mkdir(parents=True)
    lab.marker.write_text(marker)
    with pytest.raises(LabError, match="does not describe the lab test in format 1"):
        present(lab)
    assert lab.marker.read_text() == marker


def test_interrupted_first_run_is_finished(lab: Layout) -> None:
    present(lab)
    lab.marker.unlink()
    lab.lock.write_text(json.dumps({"pid": 1, "start_time": 1, "boot_id": "old", "since": 0.0}))
    for directory in (lab.pki, lab.handlers, lab.logs, lab.state / "kubeconfigs"):
        directory.rmdir()
    assert present(lab)["is_new"]


def test_two_labs_live_side_by_side(lab: Layout, tmp_path: Path) -> None:
    other = place(tmp_path, "other")
    first, second = present(lab), present(other)
    try:
        assert not set(first["ports"].values()) & set(second["ports"].values())
        assert first["paths"]["run"] != second["paths"]["run"]
        absent(other)
        assert not present(lab)["changed"]
    finally:
        shutil.rmtree(other.run, ignore_errors=True)


def test_forced_port_is_kept(lab: Layout) -> None:
    chosen = present(lab)["ports"]
    forced = present(lab, registry=5000)
    assert forced["changed"]
    assert forced["ports"] == chosen | {"registry": 5000}
    assert not present(lab)["changed"]


def test_lab_whose_process_runs_is_not_removed(lab: Layout) -> None:
    present(lab)
    with (lab.logs / "etcd.log").open("wb") as log:
        process = subprocess.Popen(["sleep", "600"], stdout=log)
    try:
        with pytest.raises(LabError, match=rf"still in use: process {process.pid} \(sleep 600\)"):
            absent(lab)
    finally:
        process.kill()
        process.wait()
    assert lab.marker.exists()
    assert absent(lab)["changed"]


def test_lab_whose_kind_cluster_would_be_left_behind_is_not_removed(lab: Layout) -> None:
    present(lab)
    (lab.state / "kind").mkdir()
    with pytest.raises(LabError, match="make down PROVIDER=kind LAB="):
        absent(lab)
    assert lab.marker.exists()


def test_lab_goes_with_its_processes_if_asked_to(lab: Layout) -> None:
    present(lab)
    with (lab.logs / "etcd.log").open("wb") as log:
        process = subprocess.Popen(["sleep", "600"], stdout=log)
    assert absent(lab, end_processes=True, dry_run=True)["changed"]
    assert process.poll() is None
    assert absent(lab, end_processes=True)["changed"]
    assert process.wait(15) == -signal.SIGTERM
    assert not lab.state.exists()


def test_interrupted_removal_is_finished(lab: Layout) -> None:
    present(lab)
    shutil.rmtree(lab.run)
    for child in lab.state.iterdir():
        if child != lab.marker:
            shutil.rmtree(child) if child.is_dir() else child.unlink()
    assert absent(lab)["changed"]
    assert not lab.state.exists()


FILL = """
import os, sys
from pathlib import Path
from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
directory = Path(sys.argv[1])
(directory / "file").write_text("before")
try:
    write_whole(directory / "file", "x" * 1_000_000)
except Exception as error:
    print(error)
print((directory / "file").read_text(), sorted(os.listdir(directory)))
"""


@pytest.mark.skipif(os.getuid() != 0, reason="only root can mount a small file system")
def test_full_disk_leaves_the_old_file_and_is_named(tmp_path: Path) -> None:
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(tmp_path)], check=True)
    try:
        command = [sys.executable, "-c", FILL, str(tmp_path)]
        environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
        output = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)
    assert f"No space left on device: the file system mounted at {tmp_path}" in output
    assert "before ['file']" in output


def test_other_errors_are_told_as_they_are(tmp_path: Path) -> None:
    error = files.cannot_write(tmp_path, OSError(errno.EACCES, "Permission denied", str(tmp_path)))
    assert "Permission denied" in str(error)
    assert "file system" not in str(error)
