# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Who may work on a lab: one ansible-playbook at a time.

The lock file names the process of the playbook, not of a task, so it holds from the first task to the end of the run
and needs no release: it is stale as soon as that process is gone. A playbook that works on another machine tells that
machine who it is and which others run beside it; of one that came from yet another controller, only its ssh connection
can be seen, which may outlive it by Ansible's ControlPersist (a minute).
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole

with contextlib.suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError


@dataclass(frozen=True)
class Process:
    """A process as /proc tells it; `start_time` in clock ticks since boot."""

    pid: int
    parent: int
    start_time: int
    name: str
    words: tuple[str, ...]


Look = Callable[[int], "Process | None"]


@dataclass(frozen=True)
class Holder:
    """The process that works on a lab; `since` is in seconds since 1970, `start_time` as in /proc.

    `controller` names its machine if that is not the lab's; `connection` is then the process (pid, start time) of its
    ssh connection on the lab's machine, if there is one.
    """

    pid: int
    start_time: int | None
    boot_id: str
    since: float
    controller: str = ""
    connection: tuple[int, int] | None = None

    def same_process(self, other: Holder) -> bool:
        """Whether two holders are one process."""
        return (self.pid, self.start_time, self.boot_id) == (other.pid, other.start_time, other.boot_id)


@dataclass(frozen=True)
class Caller:
    """The playbook that runs this module, and whether it knows of a process beside it that it still exists."""

    holder: Holder
    beside: Callable[[int, int | None], bool]

    def sees(self, other: Holder) -> bool:
        """Whether another playbook still exists, as far as can be seen from here."""
        if other.boot_id == self.holder.boot_id:
            return self.beside(other.pid, other.start_time)
        if other.connection:
            return exists(*other.connection)
        return other.boot_id == boot_id() and exists(other.pid, other.start_time)


def caller(told: Mapping[str, Any] | None) -> Caller:
    """Who calls: a playbook on this machine or, as its action plugin told (`describe`), on another."""
    if told is None:
        holder = this_playbook()
        return Caller(holder, exists)
    living = {tuple(each) for each in told["living"]}
    holder = Holder(
        told["pid"], told["start_time"], told["boot_id"], time.time(), told["controller"], connection_of(os.getppid())
    )
    return Caller(holder, lambda pid, start_time: (pid, start_time) in living)


def describe() -> dict[str, Any]:
    """On the controller: this playbook and all processes beside it, for the machine that it works on."""
    holder = this_playbook()
    processes = [look(int(path.name)) for path in Path("/proc").iterdir() if path.name.isdigit()]
    return {
        "pid": holder.pid,
        "start_time": holder.start_time,
        "boot_id": holder.boot_id,
        "controller": platform.node(),
        "living": [[process.pid, process.start_time] for process in processes if process],
    }


def this_playbook() -> Holder:
    """The ansible-playbook (or other ansible command) that runs this; the parent process if there is none."""
    pid = playbook_of(os.getpid()) or os.getppid()
    process = look(pid)
    return Holder(pid, process.start_time if process else None, boot_id(), time.time())


def playbook_of(pid: int, look: Look | None = None) -> int | None:
    """The main process of the ansible command among a process and its ancestors.

    A task runs in a worker, which the main process forked: the same command line, one or more times in a row.
    """
    found, command = None, None
    for process in _line(pid, look):
        if command is None and any(Path(word).name.startswith("ansible") for word in process.words[:2]):
            command = process.words
        if command is not None:
            if process.words != command:
                break
            found = process.pid
    return found


def connection_of(pid: int, look: Look | None = None) -> tuple[int, int] | None:
    """The ssh connection among the ancestors of a process: the outermost sshd that is not the one that listens."""
    servers = [process for process in _line(pid, look) if process.name.startswith("sshd")]
    connections = [server for server in servers if server.parent != 1] or servers
    return (connections[-1].pid, connections[-1].start_time) if connections else None


def _line(pid: int, find: Look | None) -> Iterator[Process]:
    process = (find or look)(pid)
    while process and process.pid > 1:
        yield process
        process = (find or look)(process.parent)


def look(pid: int) -> Process | None:
    """A process; None when there is none, or only what is left of one that ended."""
    path = Path("/proc", str(pid))
    try:
        before, _end, after = (path / "stat").read_text(errors="replace").rpartition(")")
        words = (path / "cmdline").read_bytes().decode(errors="replace").split("\0")
    except OSError:
        return None
    fields = after.split()
    if fields[0] in ("Z", "X"):
        return None
    return Process(pid, int(fields[1]), int(fields[19]), before.partition("(")[2], tuple(words))


def exists(pid: int, start_time: int | None) -> bool:
    """Whether that process still runs on this machine (another may have got its number)."""
    process = look(pid)
    return process is not None and process.start_time == start_time


def boot_id() -> str:
    """Identifies this run of the kernel; pids and start times mean nothing in another."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


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


def check(lock: Path, lab: str, mine: Caller) -> None:
    """Raise LabError if another playbook works on the lab."""
    other = read(lock)
    if other is None or other.same_process(mine.holder) or not mine.sees(other):
        return
    since = time.strftime("%H:%M:%S", time.localtime(other.since))
    where = f" on {other.controller}" if other.controller else ""
    raise LabError(
        attempted=f"Work on the lab {lab}",
        seen=f"Process {other.pid}{where}, another ansible-playbook, has been working on it since {since}",
        remedy="Wait until it has ended (its ssh connection may outlive it by a minute), or give this run a lab of its "
        "own (make LAB=NAME, or lab_name)",
    )


def take(lock: Path, mine: Holder) -> None:
    """Write the lock; `check` comes first."""
    other = read(lock)
    if other is None or replace(other, since=mine.since) != mine:
        write_whole(lock, json.dumps(asdict(mine)))


def read(lock: Path) -> Holder | None:
    """Who holds the lock; None when nobody does or the file cannot be understood."""
    try:
        holder = Holder(**json.loads(lock.read_text()))
        connection = holder.connection and (int(holder.connection[0]), int(holder.connection[1]))
    except (FileNotFoundError, ValueError, TypeError, IndexError):
        return None
    return replace(holder, connection=connection)
