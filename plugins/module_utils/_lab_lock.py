# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Who may work on a lab: one ansible-playbook at a time.

The lock file names the process of the playbook, not of a task, so it holds from the first task to the end of the run
and needs no release: it is stale as soon as that process is gone.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole

try:
    from edgelab.core.errors import LabError
    from edgelab.lab import hold
except ImportError:
    pass  # the module that uses this says that the runtime is missing


@dataclass(frozen=True)
class Holder:
    """The process that works on a lab; `since` is in seconds since 1970, `start_time` as in /proc."""

    pid: int
    start_time: int | None
    boot_id: str
    since: float

    def same_process(self, other: Holder) -> bool:
        """Whether two holders are one process."""
        return (self.pid, self.start_time, self.boot_id) == (other.pid, other.start_time, other.boot_id)

    def lives(self) -> bool:
        """Whether the process still exists."""
        return self.boot_id == hold.boot_id() and hold.start_time(self.pid) == self.start_time


def this_playbook() -> Holder:
    """The ansible-playbook (or other ansible command) that runs this module; the parent process if there is none."""
    pid = playbook_of(os.getppid(), _parent_and_command) or os.getppid()
    return Holder(pid, hold.start_time(pid), hold.boot_id(), time.time())


def playbook_of(pid: int, look: Callable[[int], tuple[int, tuple[str, ...]]]) -> int | None:
    """The main process of the ansible command among a process and its ancestors.

    A task runs in a worker, which the main process forked: the same command line, one or more times in a row.
    look gives parent and command line of a process.
    """
    found, command = None, None
    while pid > 1:
        parent, words = look(pid)
        if command is None and any(Path(word).name.startswith("ansible") for word in words[:2]):
            command = words
        if command is not None:
            if words != command:
                break
            found = pid
        pid = parent
    return found


def _parent_and_command(pid: int) -> tuple[int, tuple[str, ...]]:
    process = Path("/proc", str(pid))
    try:
        words = (process / "cmdline").read_bytes().decode(errors="replace").split("\0")
        return int((process / "stat").read_bytes().rpartition(b")")[2].split()[1]), tuple(words)
    except OSError:
        return 0, ()


@contextlib.contextmanager
def alone(directory: Path) -> Iterator[None]:
    """No other task looks at or changes this directory's files while the block runs; it must exist."""
    while True:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            # The directory may have been removed, and made anew, while this waited.
            if directory.exists() and os.path.samestat(os.fstat(descriptor), directory.stat()):
                yield
                return
            directory.mkdir(mode=0o700, exist_ok=True)
        finally:
            os.close(descriptor)


def check(lock: Path, lab: str, mine: Holder) -> None:
    """Raise LabError if another playbook works on the lab."""
    other = read(lock)
    if other is None or other.same_process(mine) or not other.lives():
        return
    since = time.strftime("%H:%M:%S", time.localtime(other.since))
    raise LabError(
        attempted=f"Work on the lab {lab}",
        seen=f"Process {other.pid}, another ansible-playbook, has been working on it since {since}",
        remedy="Wait until it has ended, or give this run a lab of its own (make LAB=NAME, or lab_name)",
    )


def take(lock: Path, mine: Holder) -> None:
    """Write the lock; `check` comes first."""
    other = read(lock)
    if other is None or not other.same_process(mine):
        write_whole(lock, json.dumps(asdict(mine)))


def read(lock: Path) -> Holder | None:
    """Who holds the lock; None when nobody does or the file cannot be understood."""
    try:
        return Holder(**json.loads(lock.read_text()))
    except (FileNotFoundError, ValueError, TypeError):
        return None
