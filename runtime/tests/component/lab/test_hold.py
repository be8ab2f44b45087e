"""`edgelab hold` with real programs: what it starts, takes over, ends and tells."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edgelab.lab import hold

SLEEPER = ["sleep", "600"]


def eventually(look: Callable[[], Any], seconds: float = 15) -> Any:
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.01)
    return found


class Holder:
    """Starts `edgelab hold` as supervisord does: with a pipe that its supervisor reads."""

    def __init__(self, directory: Path) -> None:
        self.record, self.log = directory / "x.json", directory / "x.log"
        self.started: list[subprocess.Popen[bytes]] = []

    def start(self, program: list[str], fingerprint: str = "a", **options: object) -> subprocess.Popen[bytes]:
        settings = {"record": self.record, "fingerprint": fingerprint, "log": self.log, "stop-seconds": 20, **options}
        words = [str(word) for name, value in settings.items() for word in (f"--{name}", value)]
        command = [sys.executable, "-I", "-S", str(hold.__file__), *words, "--", *program]
        environment = {"PATH": os.environ["PATH"], "SUPERVISOR_ENABLED": "1", "KEPT": "yes"}
        self.started.append(subprocess.Popen(command, stdout=subprocess.PIPE, env=environment))
        return self.started[-1]

    def pid(self, *, other_than: int = 0) -> int:
        """The program's pid, once it is recorded."""

        def look() -> int:
            pid = int(str(hold.read_record(str(self.record)).get("pid", 0)))
            return pid if pid != other_than else 0

        return int(eventually(look))

    def logged(self) -> str:
        return self.log.read_text() if self.log.exists() else ""


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[Holder]:
    made = Holder(tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()
    program = hold.open_recorded(hold.read_record(str(made.record)))
    if program is not None:
        hold.end(program, 0)
        os.close(program)


@pytest.mark.parametrize(
    ("program", "status"),
    [(["sh", "-c", "exit 7"], 7), (["sh", "-c", "kill -9 $$"], 137), (["/no/such/program"], 127)],
)
def test_exit_status_is_that_of_the_program(holder: Holder, program: list[str], status: int) -> None:
    assert holder.start(program).wait(15) == status


def test_a_program_that_cannot_be_started_is_named_in_the_log(holder: Holder) -> None:
    holder.start(["/no/such/program"]).wait(15)
    assert "cannot start /no/such/program: [Errno 2] No such file or directory" in holder.logged()


def test_program_has_its_own_session_its_log_and_a_clean_start(holder: Holder) -> None:
    look = "env; cut -d' ' -f6 /proc/$$/stat; grep SigIgn /proc/$$/status; readlink /proc/$$/fd/0; echo oops >&2"
    assert holder.start(["sh", "-c", look]).wait(15) == 0
    lines = holder.logged().splitlines()
    assert "KEPT=yes" in lines
    assert not [line for line in lines if line.startswith("SUPERVISOR_")]
    assert str(holder.pid()) in lines
    ignored = int(next(line.split()[1] for line in lines if line.startswith("SigIgn")), 16)
    # The C library keeps two signals for itself, which nobody can set.
    assert not [number for number in signal.valid_signals() if ignored & 1 << (number - 1)]
    assert lines[-2:] == ["/dev/null", "oops"]


def test_program_outlives_its_supervisor_and_the_next_hold_takes_it_over(holder: Holder) -> None:
    first = holder.start(SLEEPER)
    pid = holder.pid()
    assert first.stdout is not None
    first.stdout.close()
    assert first.wait(15) == 0
    assert hold.start_time(pid) is not None

    second = holder.start(SLEEPER)
    eventually(lambda: f"watching process {pid}" in holder.logged())
    assert holder.pid() == pid
    second.terminate()
    assert second.wait(15) == 0
    assert hold.start_time(pid) is None


def test_program_outlives_a_killed_hold(holder: Holder) -> None:
    first = holder.start(SLEEPER)
    pid = holder.pid()
    first.kill()
    first.wait(15)
    holder.start(SLEEPER)
    eventually(lambda: f"watching process {pid}" in holder.logged())


def test_program_that_was_taken_over_and_ends_counts_as_failed(holder: Holder) -> None:
    first = holder.start(SLEEPER)
    pid = holder.pid()
    first.kill()
    first.wait(15)
    second = holder.start(SLEEPER)
    eventually(lambda: f"watching process {pid}" in holder.logged())
    os.kill(pid, signal.SIGKILL)
    assert second.wait(15) == 1


def test_another_fingerprint_ends_the_old_program_and_starts_the_new(holder: Holder) -> None:
    first = holder.start(SLEEPER)
    old = holder.pid()
    first.kill()
    first.wait(15)
    holder.start(SLEEPER, fingerprint="b")
    new = holder.pid(other_than=old)
    assert hold.start_time(old) is None
    assert hold.start_time(new) is not None
    assert hold.read_record(str(holder.record))["fingerprint"] == "b"


POLITE = """
import signal, sys
signal.signal(signal.SIGTERM, lambda *_: sys.exit(3))
signal.signal(signal.SIGINT, lambda *_: sys.exit(4))
print("ready", flush=True)
signal.pause()
"""


def test_sigterm_is_passed_on(holder: Holder) -> None:
    process = holder.start([sys.executable, "-c", POLITE])
    eventually(lambda: "ready" in holder.logged())
    process.terminate()
    assert process.wait(15) == 3


def test_a_program_that_ends_by_another_signal_gets_that_one(holder: Holder) -> None:
    process = holder.start([sys.executable, "-c", POLITE], **{"stop-signal": "INT"})
    eventually(lambda: "ready" in holder.logged())
    process.terminate()
    assert process.wait(15) == 4


def test_program_that_ignores_sigterm_is_killed(holder: Holder) -> None:
    process = holder.start(["sh", "-c", "trap '' TERM; echo ready; exec sleep 600"], **{"stop-seconds": 0.1})
    eventually(lambda: "ready" in holder.logged())
    process.terminate()
    assert process.wait(15) == 137


def test_log_that_has_grown_too_long_moves_aside_when_the_program_starts(holder: Holder) -> None:
    holder.log.write_text("old\n")
    assert holder.start(["echo", "new"], **{"log-megabytes": 0}).wait(15) == 0
    assert holder.logged() == "new\n"
    assert holder.log.with_suffix(".log.1").read_text() == "old\n"


def test_log_is_cut_under_a_program_that_goes_on_writing(tmp_path: Path) -> None:
    path = tmp_path / "log"
    writer, watcher = hold.open_log(str(path)), hold.open_log(str(path))
    os.write(writer, b"x" * 1_500_000)
    hold.limit_log(watcher, str(path), 1)
    os.write(writer, b"after\n")
    assert path.read_text() == "after\n"
    assert (tmp_path / "log.1").stat().st_size == 1_500_000


def test_process_with_a_reused_pid_or_of_another_boot_is_not_taken_for_the_program() -> None:
    pid = os.getpid()
    mine = {"pid": pid, "start_time": hold.start_time(pid), "boot_id": hold.boot_id(), "fingerprint": ""}
    found = hold.open_recorded(mine)
    assert found is not None
    os.close(found)
    assert hold.open_recorded(mine | {"start_time": 1}) is None
    assert hold.open_recorded(mine | {"boot_id": "another"}) is None
    assert hold.open_recorded({}) is None


@pytest.mark.parametrize("content", ["", "{", "[]", json.dumps({"pid": 1})])
def test_damaged_record_counts_as_none(tmp_path: Path, content: str) -> None:
    path = tmp_path / "record"
    path.write_text(content)
    assert hold.read_record(str(path)) == {}


def test_zombie_counts_as_gone() -> None:
    child = subprocess.Popen(["true"])
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
    assert hold.start_time(child.pid) is None
    child.wait()
