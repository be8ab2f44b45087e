"""Telling processes apart for longer than their pid lasts: by pid, start time and boot."""

import os
from dataclasses import dataclass
from pathlib import Path

_START_TIME = 19
"""Index of `starttime` among the fields of /proc/PID/stat that follow the command's closing parenthesis."""


@dataclass(frozen=True, slots=True)
class ProcessIdentity:
    """A process, told apart from later ones with its pid; `start` is in clock ticks after boot."""

    pid: int
    start: int
    boot: str


def boot_id() -> str:
    """Differs after each boot of the machine."""
    return Path("/proc/sys/kernel/random/boot_id").read_text().strip()


def identify(pid: int) -> ProcessIdentity | None:
    """The identity of a live process or zombie; None when there is none with that pid."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = stat.rpartition(")")[2].split()
    return ProcessIdentity(pid, int(fields[_START_TIME]), boot_id())


def open_pidfd(process: ProcessIdentity) -> int | None:
    """A descriptor that becomes readable when the process ends; None when that process is gone.

    The pid is looked at again after the descriptor refers to it, so it cannot have passed to another process.
    """
    try:
        descriptor = os.pidfd_open(process.pid)
    except OSError:
        return None
    if identify(process.pid) != process:
        os.close(descriptor)
        return None
    return descriptor
