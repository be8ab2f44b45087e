"""Processes and listening sockets of this machine, as /proc tells them; nothing of another user is needed.

Everything here is a look at one moment: a process may end while it is read, and is then left out.
"""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_TCP_LISTEN = "0A"
_UNIX_LISTEN = 0x10000  # __SO_ACCEPTCON of net/unix.h


@dataclass(frozen=True, slots=True)
class Process:
    """A process; `command` is its argument list in one line."""

    pid: int
    session: int
    command: str

    def __str__(self) -> str:
        return f"process {self.pid} ({self.command[:120]})"


def processes() -> Iterator[Process]:
    """All processes that have an argument list (kernel threads and zombies have none)."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                command = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
                if command:
                    yield Process(int(entry.name), _session(entry), command)


def _session(entry: Path) -> int:
    # The name in parentheses may hold anything, parentheses too.
    return int((entry / "stat").read_bytes().rpartition(b")")[2].split()[3])


def listening() -> dict[str, str]:
    """Listening sockets of this network namespace: inode → `tcp:PORT` or `unix:PATH`."""
    found = {}
    for table in ("tcp", "tcp6"):
        for fields in _rows(table):
            if fields[3] == _TCP_LISTEN:
                found[fields[9]] = f"tcp:{int(fields[1].rpartition(':')[2], 16)}"
    for fields in _rows("unix"):
        if len(fields) > 7 and int(fields[3], 16) & _UNIX_LISTEN:
            found[fields[6]] = f"unix:{fields[7]}"
    return found


def _rows(table: str) -> list[list[str]]:
    try:
        lines = Path("/proc/net", table).read_text(errors="replace").splitlines()
    except FileNotFoundError:  # a kernel without IPv6
        return []
    return [line.split() for line in lines[1:]]


def sockets_of(pid: int) -> set[str]:
    """Inodes of the sockets that a process has open; empty when it is not ours to look at."""
    found = set()
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("socket:["):
                    found.add(target[8:-1])
    return found


def listeners(address: str) -> list[Process]:
    """Who listens on `tcp:PORT` or `unix:PATH`, as far as can be seen."""
    inodes = {inode for inode, endpoint in listening().items() if endpoint == address}
    return [process for process in processes() if inodes & sockets_of(process.pid)] if inodes else []


def is_listening(address: str) -> bool:
    """Whether anybody listens on `tcp:PORT` or `unix:PATH`."""
    return address in listening().values()
