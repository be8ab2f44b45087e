"""Processes under a real supervisord: started, kept, taken over, restarted, ended; and why one is not ready."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _processes as subject
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Places, Process, Ready
from edgelab.core.errors import LabError
from edgelab.lab import residue

SERVER = "import socket as s, sys, time; x = s.create_server(('127.0.0.1', int(sys.argv[1]))); time.sleep(600)"
STATUS = """
import asyncio, sys
from pathlib import Path
from edgelab.service.status import serve_status

async def main():
    async def status(request):
        return {"ready": sys.argv[2] == "yes"}
    async with serve_status(Path(sys.argv[1]), {"status": status}):
        await asyncio.Event().wait()

asyncio.run(main())
"""


def eventually(look: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.02)
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def server(port: int, name: str = "web", **values: Any) -> Process:
    argv = (sys.executable, "-S", "-c", SERVER, str(port))
    return Process(name, argv, ready=Ready(tcp=f"127.0.0.1:{port}"), **values)


def sleeper(name: str = "sleeper", seconds: int = 600, **values: Any) -> Process:
    return Process(name, ("sleep", str(seconds)), **values)


class Group:
    """What the module does for one lab."""

    def __init__(self, places: Places) -> None:
        self.places = places

    def present(self, *processes: Process, wait: float = 20, dry_run: bool = False) -> dict[str, Any]:
        return subject.present(self.places, processes, wait=wait, dry_run=dry_run)

    def absent(self, *names: str, dry_run: bool = False) -> dict[str, Any]:
        return subject.absent(self.places, names, dry_run=dry_run)

    def pid(self, name: str) -> int | None:
        return subject.running_program(self.places, name)

    def supervisord(self) -> int:
        return int((self.places.supervisor / "supervisord.pid").read_text())

    def left(self) -> list[str]:
        return [str(process) for process in residue.lab_processes([self.places.state])]


@pytest.fixture
def group(tmp_path: Path) -> Iterator[Group]:
    (tmp_path / "run").mkdir()
    made = Group(Places(tmp_path / "state", tmp_path / "run"))
    yield made
    names = [path.stem for path in (made.places.supervisor / "conf.d").glob("*.conf")]
    made.absent(*names)
    assert made.left() == []


def actions(result: dict[str, Any]) -> dict[str, str]:
    return {each["name"]: each["action"] for each in result["processes"]}


def test_processes_start_once_and_are_kept(group: Group) -> None:
    wanted = [server(free_port()), sleeper()]
    first = group.present(*wanted)
    again = group.present(*wanted)
    assert first["changed"]
    assert actions(first) == {"web": "started", "sleeper": "started"}
    assert not again["changed"]
    assert actions(again) == {"web": "kept", "sleeper": "kept"}
    assert [each["pid"] for each in again["processes"]] == [each["pid"] for each in first["processes"]]
    assert again["diff"] == {"before": "", "after": ""}


def test_check_mode_tells_the_same_and_touches_nothing(group: Group) -> None:
    told = group.present(sleeper(), dry_run=True)
    assert not group.places.state.exists()
    done = group.present(sleeper())
    assert told["diff"] == done["diff"]
    assert actions(told) == actions(done)
    assert group.absent("sleeper", dry_run=True)["changed"]
    assert group.pid("sleeper")


def test_killed_supervisord_is_replaced_and_takes_over_what_runs(group: Group) -> None:
    first = group.present(server(port := free_port()), sleeper())
    os.kill(group.supervisord(), signal.SIGKILL)
    again = group.present(server(port), sleeper())
    assert actions(again) == {"web": "adopted", "sleeper": "adopted"}
    assert again["changed"]
    assert "supervisord is running" in again["diff"]["after"]
    assert [each["pid"] for each in again["processes"]] == [each["pid"] for each in first["processes"]]
    assert not group.present(server(port), sleeper())["changed"]


def test_supervisord_whose_socket_was_removed_is_replaced(group: Group) -> None:
    group.present(sleeper())
    lost, pid = group.supervisord(), group.pid("sleeper")
    group.places.socket.unlink()
    assert actions(group.present(sleeper())) == {"sleeper": "adopted"}
    assert group.pid("sleeper") == pid
    assert group.supervisord() != lost


def test_killed_program_comes_back_by_itself(group: Group) -> None:
    group.present(sleeper())
    killed = group.pid("sleeper")
    assert killed
    os.kill(killed, signal.SIGKILL)
    eventually(lambda: group.pid("sleeper") not in (None, killed))


def test_change_restarts_that_process_alone(group: Group, tmp_path: Path) -> None:
    trigger = tmp_path / "certificate"
    trigger.write_text("one")
    watched = sleeper("watched", restart_on=(str(trigger),))
    group.present(watched, sleeper("other"))
    changed = group.present(watched, sleeper("other", seconds=601))
    assert actions(changed) == {"watched": "kept", "other": "restarted"}
    trigger.write_text("two")
    changed = group.present(watched, sleeper("other", seconds=601))
    assert actions(changed) == {"watched": "restarted", "other": "kept"}
    assert len(group.left()) == 1 + 2 * 2, "supervisord, and a hold and a program each"


def test_interrupted_change_is_finished_by_the_next_call(group: Group) -> None:
    group.present(sleeper())
    record = json.loads(group.places.record("sleeper").read_text())
    # As after a ctrl-C between the new configuration's writing and the restart: the old program runs on.
    group.places.record("sleeper").write_text(json.dumps(record | {"fingerprint": "old"}))
    assert actions(group.present(sleeper())) == {"sleeper": "restarted"}
    assert group.pid("sleeper") != record["pid"]


def test_occupied_port_is_told_with_its_holder_at_once_and_works_when_it_is_free(group: Group) -> None:
    port = free_port()
    command = [sys.executable, "-S", "-c", SERVER + "  # the other one", str(port)]
    with subprocess.Popen(command) as other:
        eventually(lambda: not _is_free(port))
        with pytest.raises(LabError) as caught:
            group.present(server(port), wait=60)
        other.kill()
    assert "Start web" in str(caught.value)
    assert f"process {other.pid} (" in str(caught.value)
    assert "ddress already in use" in str(caught.value)
    assert "End that process" in str(caught.value)
    assert group.present(server(port))["changed"]


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) != 0


def test_another_process_that_answers_does_not_make_a_process_ready(group: Group) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        wanted = sleeper(ready=Ready(tcp=f"127.0.0.1:{port}"))
        with pytest.raises(LabError, match=f"does not listen on tcp:{port}.*process {os.getpid()} "):
            group.present(wanted, wait=0.2)


def test_process_that_ends_at_once_is_told_with_its_status_and_log(group: Group) -> None:
    broken = Process("broken", ("sh", "-c", "echo the reason; exit 3"), ready=Ready(tcp="127.0.0.1:1"))
    with pytest.raises(LabError) as caught:
        group.present(broken, wait=1.5)
    assert "the reason" in str(caught.value)
    assert "its program does not run" in str(caught.value)
    assert str(group.places.log("broken")) in str(caught.value)


def test_program_that_does_not_exist_is_refused_before_anything_runs(group: Group) -> None:
    with pytest.raises(LabError, match="There is no program /no/such/program"):
        group.present(Process("none", ("/no/such/program",)))


@pytest.mark.parametrize("ready", ["yes", "no"])
def test_status_socket_is_asked(group: Group, ready: str, tmp_path: Path) -> None:
    path, program = group.places.run / "x.sock", tmp_path / "program.py"
    program.write_text(STATUS)
    wanted = Process("runtime", (sys.executable, str(program), str(path), ready), ready=Ready(status=str(path)))
    if ready == "yes":
        assert group.present(wanted)["changed"]
    else:
        with pytest.raises(LabError, match=r"its status is \{'ready': False\}"):
            group.present(wanted, wait=1.5)


def test_absent_ends_what_outlived_its_supervisor(group: Group) -> None:
    group.present(sleeper("one"), sleeper("two"))
    os.kill(group.supervisord(), signal.SIGKILL)
    eventually(lambda: len(group.left()) == 2)
    result = group.absent("one", "two")
    assert [each["name"] for each in result["processes"]] == ["two", "one"]
    assert group.left() == []
    assert not group.absent("one", "two")["changed"]


def test_supervisord_ends_with_its_last_process(group: Group) -> None:
    group.present(sleeper("one"), sleeper("two"))
    group.absent("one")
    assert len(group.left()) == 3
    group.absent("two")
    assert group.left() == []
