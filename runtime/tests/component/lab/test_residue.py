"""What of a lab is left, looked for with real processes, sockets and files."""

import argparse
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from edgelab.core.layout import layout
from edgelab.lab import procs, residue

LISTENER = """
import socket, sys, time
tcp = socket.create_server(("127.0.0.1", 0))
unix = socket.socket(socket.AF_UNIX)
unix.bind(sys.argv[1])
unix.listen()
print(tcp.getsockname()[1], flush=True)
time.sleep(600)
"""


@pytest.fixture
def place(tmp_path: Path) -> tuple[Path, Path]:
    state, run = tmp_path / "state", tmp_path / "run"
    state.mkdir()
    run.mkdir()
    return state, run


@pytest.fixture
def listener(place: tuple[Path, Path]) -> Iterator[tuple[int, int]]:
    """A process as the lab's are: its output goes to a file of the lab. Gives its pid and its TCP port."""
    state, run = place
    with (state / "x.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-c", LISTENER, str(run / "x.sock")], stdout=subprocess.PIPE, stderr=log, text=True
        )
    assert process.stdout is not None
    yield process.pid, int(process.stdout.readline())
    process.kill()
    process.communicate()


def test_nothing_is_left_of_a_lab_that_is_gone(tmp_path: Path) -> None:
    assert residue.residue(tmp_path / "state", tmp_path / "run") == []


def test_process_ports_sockets_and_files_are_listed(place: tuple[Path, Path], listener: tuple[int, int]) -> None:
    state, run = place
    pid, port = listener
    left = residue.residue(state, run)
    assert any(line.startswith(f"process {pid} (") and line.endswith(f"listens on tcp:{port}") for line in left)
    assert any(line.endswith(f"listens on unix:{run}/x.sock") for line in left)
    assert f"file {state}/x.log" in left
    assert f"file {run}/x.sock" in left


def test_user_who_looks_at_a_log_is_no_process_of_the_lab(place: tuple[Path, Path]) -> None:
    state, run = place
    (state / "x.log").touch()
    with subprocess.Popen(["tail", "-f", str(state / "x.log")], stdout=subprocess.DEVNULL, cwd=state) as reader:
        assert residue.lab_processes([state, run]) == []
        reader.kill()


def test_a_process_that_writes_to_a_removed_file_of_the_lab_is_found(place: tuple[Path, Path]) -> None:
    """As a container does whose directory was removed under it: its output is a pipe, its log a file without a name."""
    state, run = place
    log = state / "container.log"
    writer = "import sys, time; log = open(sys.argv[1], 'a'); print(flush=True); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", writer, str(log)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        log.unlink()
        assert [found.pid for found in residue.lab_processes([state, run])] == [process.pid]
        process.kill()


def test_who_listens_on_a_port_is_named(listener: tuple[int, int]) -> None:
    pid, port = listener
    assert [process.pid for process in procs.listeners(f"tcp:{port}")] == [pid]
    assert procs.is_listening(f"tcp:{port}")


def test_mounts_below_the_lab_are_found(tmp_path: Path) -> None:
    table = tmp_path / "mountinfo"
    table.write_text("36 25 0:32 / /lab\\040x/vol rw - tmpfs tmpfs rw\n37 25 0:33 / /labels rw - tmpfs tmpfs rw\n")
    assert residue.mounts([Path("/lab x"), Path("/lab")], table) == ["/lab x/vol"]


def test_command_fails_while_anything_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    place = layout("gone", os.environ, os.getuid())
    assert residue.run(argparse.Namespace(lab="gone")) == 0
    place.state.mkdir(parents=True)
    assert residue.run(argparse.Namespace(lab="gone")) == 1
    assert f"file {place.state}" in capsys.readouterr().out
    assert residue.run(argparse.Namespace(lab="No Lab")) == 2
