"""The lock of a lab: who holds it, when it is stale, and whose process a playbook's is."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_lock as subject
from edgelab.core.errors import LabError
from edgelab.core.layout import layout
from edgelab.lab import hold

ROOT = Path(__file__).resolve().parents[3]


def holder(pid: int) -> subject.Holder:
    return subject.Holder(pid, hold.start_time(pid), hold.boot_id(), time.time())


def here(pid: int) -> subject.Caller:
    """A playbook on this machine."""
    return subject.Caller(holder(pid), subject.exists)


def elsewhere(pid: int, *living: int, boot_id: str = "the controller's") -> subject.Caller:
    """A playbook that works on this machine by ssh, with others that live beside it on its controller."""
    mine = subject.Holder(pid, pid * 10, boot_id, time.time(), "laptop")
    return subject.Caller(mine, lambda other, start_time: (other, start_time) in {(each, each * 10) for each in living})


@pytest.fixture
def other() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


def test_lock_of_a_living_process_is_respected_and_named(tmp_path: Path, other: int) -> None:
    subject.take(tmp_path / "lock", holder(other))
    with pytest.raises(LabError, match=rf"Work on the lab x\. Process {other}, .* since \d\d:\d\d:\d\d"):
        subject.check(tmp_path / "lock", "x", here(os.getpid()))


def test_own_lock_is_no_obstacle_and_stays_as_it_is(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    subject.take(lock, holder(os.getpid()))
    before = lock.read_text()
    subject.check(lock, "x", here(os.getpid()))
    subject.take(lock, holder(os.getpid()))
    assert lock.read_text() == before


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another"}, {"pid": 2**22 + 1}])
def test_stale_lock_is_taken_over(tmp_path: Path, other: int, change: dict[str, object]) -> None:
    lock = tmp_path / "lock"
    lock.write_text(json.dumps(asdict(holder(other)) | change))
    mine = here(os.getpid())
    subject.check(lock, "x", mine)
    subject.take(lock, mine.holder)
    assert subject.read(lock) == mine.holder


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_damaged_lock_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    assert subject.read(tmp_path / "lock") is None


def test_another_machines_playbooks_exclude_each_other(tmp_path: Path) -> None:
    """Whoever comes from the same controller knows what lives there."""
    lock = tmp_path / "lock"
    subject.take(lock, elsewhere(7).holder)
    with pytest.raises(LabError, match="Process 7 on laptop, another ansible-playbook"):
        subject.check(lock, "x", elsewhere(8, 7, 8))
    subject.check(lock, "x", elsewhere(8, 8))
    subject.check(lock, "x", elsewhere(7, 7))


@pytest.mark.parametrize("mine", [here(os.getpid()), elsewhere(9, 9, boot_id="another controller's")])
def test_playbook_from_a_controller_out_of_sight_counts_while_its_connection_lasts(
    tmp_path: Path, other: int, mine: subject.Caller
) -> None:
    lock, there = tmp_path / "lock", elsewhere(7).holder
    subject.take(lock, replace(there, connection=(other, hold.start_time(other))))
    with pytest.raises(LabError, match="Process 7 on laptop"):
        subject.check(lock, "x", mine)
    subject.take(lock, replace(there, connection=(other, 1)))
    subject.check(lock, "x", mine)


def test_playbook_on_the_labs_own_machine_counts_for_those_who_come_by_ssh(tmp_path: Path, other: int) -> None:
    subject.take(tmp_path / "lock", holder(other))
    with pytest.raises(LabError, match=f"Process {other}, "):
        subject.check(tmp_path / "lock", "x", elsewhere(8, 8))


def test_what_the_controller_tells_is_understood_on_the_machine() -> None:
    told = json.loads(json.dumps(subject.describe()))
    mine = subject.caller(told)
    assert mine.holder.controller
    assert mine.beside(os.getpid(), hold.start_time(os.getpid()))
    assert not mine.beside(os.getpid(), 1)


PLAY = ("/usr/bin/python3", "/usr/bin/ansible-playbook", "site.yml")
OTHER = (*PLAY[:2], "other.yml")


def tree(*line: tuple[str, tuple[str, ...]]) -> Callable[[int], subject.Process | None]:
    """Processes 100, 99, ... with these names and command lines: each the parent of the one before, the last of 1."""
    pids = range(100, 100 - len(line), -1)
    processes = {
        pid: subject.Process(pid, pid - 1 if pid != pids[-1] else 1, pid * 10, name, words)
        for pid, (name, words) in zip(pids, line, strict=True)
    }
    return processes.get


MODULE, SHELL = ("python3", ("python3",)), ("sh", ("sh", "-c"))
PLAYBOOK = ("ansible-playbook", PLAY)
LISTENER, PRIVILEGED, SESSION = (("sshd", (f"sshd: {what}",)) for what in ("listener", "ada [priv]", "ada@notty"))


@pytest.mark.parametrize(
    ("line", "found"),
    [
        # module, shell, worker, main, make
        ([MODULE, SHELL, PLAYBOOK, PLAYBOOK, ("make", ("make",))], 97),
        ([MODULE, PLAYBOOK, PLAYBOOK], 98),
        # an Ansible that another Ansible started counts by itself
        ([MODULE, PLAYBOOK, PLAYBOOK, ("ansible-playbook", OTHER)], 98),
        ([MODULE, SHELL, SESSION, LISTENER], None),
        ([MODULE], None),
    ],
)
def test_process_of_the_playbook(line: list[tuple[str, tuple[str, ...]]], found: int | None) -> None:
    assert subject.playbook_of(100, tree(*line)) == found


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ([MODULE, SHELL, SESSION, LISTENER], 98),
        ([MODULE, SHELL, ("sudo", ("sudo",)), SHELL, SESSION, PRIVILEGED, LISTENER], 95),
        ([MODULE, SHELL, ("sshd-session", ()), LISTENER], 98),
        # started by a socket, for one connection
        ([MODULE, SHELL, SESSION, PRIVILEGED], 98),
        ([MODULE, SHELL, PLAYBOOK], None),
    ],
)
def test_process_of_the_connection(line: list[tuple[str, tuple[str, ...]]], found: int | None) -> None:
    assert subject.connection_of(100, tree(*line)) == (found and (found, found * 10))


def test_only_one_at_a_time(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path;"
        "from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import alone\n"
        "with alone(Path(sys.argv[1])): print('in', flush=True); sys.stdin.read()"
    )
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", code, str(tmp_path)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, env=environment, **pipes) as first:
        assert first.stdout.readline() == b"in\n"
        with subprocess.Popen(command, env=environment, **pipes) as second:
            os.set_blocking(second.stdout.fileno(), False)
            _until_blocked(second.pid)
            assert second.stdout.read() is None
            first.stdin.close()
            os.set_blocking(second.stdout.fileno(), True)
            assert second.stdout.readline() == b"in\n"


def _until_blocked(pid: int) -> None:
    deadline = time.monotonic() + 15
    while not re.search(rf"-> FLOCK .* {pid} ", Path("/proc/locks").read_text()):
        assert time.monotonic() < deadline
        time.sleep(0.01)


HOLDING = """
- hosts: localhost
  gather_facts: false
  tasks:
    - ansible.builtin.import_role:
        name: edgelab.akri.lab
    - ansible.builtin.wait_for:
        path: "{{ release }}"
        sleep: 1
      when: release is defined
"""


def test_second_playbook_on_a_lab_is_told_the_first_ones_pid(tmp_path: Path) -> None:
    (tmp_path / "play.yml").write_text(HOLDING)
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [str(Path(sys.executable).with_name("ansible-playbook")), str(tmp_path / "play.yml"), "-elab_name=held"]
    place = layout("held", environment, os.getuid())
    output = {"cwd": ROOT, "env": environment, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, f"-erelease={tmp_path}/release"], **output) as first:
        deadline = time.monotonic() + 30
        while not place.marker.exists() and first.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        refused = subprocess.run(command, check=False, **output)
        first.send_signal(signal.SIGINT)
        first.communicate()
    assert refused.returncode == 2
    assert f"Process {first.pid}, another ansible-playbook, has been working on it since" in refused.stdout
    after = subprocess.run(command, check=False, **output)
    assert after.returncode == 0, "the interrupted playbook's lock is stale"
    place.run.rmdir()
