"""The lock of a lab: who holds it, when it is stale, and whose process a playbook's is."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_lock as subject
from edgelab.core.errors import LabError
from edgelab.core.layout import layout
from edgelab.lab import hold

ROOT = Path(__file__).resolve().parents[3]


def holder(pid: int) -> subject.Holder:
    return subject.Holder(pid, hold.start_time(pid), hold.boot_id(), time.time())


@pytest.fixture
def other() -> Iterator[int]:
    process = subprocess.Popen(["sleep", "600"])
    yield process.pid
    process.kill()
    process.wait()


def test_lock_of_a_living_process_is_respected_and_named(tmp_path: Path, other: int) -> None:
    subject.take(tmp_path / "lock", holder(other))
    with pytest.raises(LabError, match=rf"Work on the lab x\. Process {other}, .* since \d\d:\d\d:\d\d"):
        subject.check(tmp_path / "lock", "x", holder(os.getpid()))


def test_own_lock_is_no_obstacle_and_stays_as_it_is(tmp_path: Path) -> None:
    lock = tmp_path / "lock"
    subject.take(lock, holder(os.getpid()))
    before = lock.read_text()
    subject.check(lock, "x", holder(os.getpid()))
    subject.take(lock, holder(os.getpid()))
    assert lock.read_text() == before


@pytest.mark.parametrize("change", [{"start_time": 1}, {"boot_id": "another"}, {"pid": 2**22 + 1}])
def test_stale_lock_is_taken_over(tmp_path: Path, other: int, change: dict[str, object]) -> None:
    lock = tmp_path / "lock"
    lock.write_text(json.dumps(asdict(holder(other)) | change))
    mine = holder(os.getpid())
    subject.check(lock, "x", mine)
    subject.take(lock, mine)
    assert subject.read(lock) == mine


@pytest.mark.parametrize("content", ["", "{", "[]", '{"pid": 1}'])
def test_damaged_lock_counts_as_none(tmp_path: Path, content: str) -> None:
    (tmp_path / "lock").write_text(content)
    assert subject.read(tmp_path / "lock") is None


PLAY = ("/usr/bin/python3", "/usr/bin/ansible-playbook", "site.yml")


@pytest.mark.parametrize(
    ("tree", "found"),
    [
        # module → shell → worker → main → make
        ({9: (8, ("python3",)), 8: (7, ("sh", "-c")), 7: (6, PLAY), 6: (5, PLAY), 5: (1, ("make",))}, 6),
        ({9: (7, ("python3",)), 7: (6, PLAY), 6: (1, PLAY)}, 6),
        # an Ansible that another Ansible started counts by itself
        ({9: (7, ("python3",)), 7: (6, PLAY), 6: (5, PLAY), 5: (1, (*PLAY[:2], "other.yml"))}, 6),
        ({9: (8, ("sshd",)), 8: (1, ("sshd",))}, None),
        ({9: (0, ())}, None),
    ],
)
def test_process_of_the_playbook(tree: dict[int, tuple[int, tuple[str, ...]]], found: int | None) -> None:
    assert subject.playbook_of(9, tree.__getitem__) == found


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
