"""What of a lab still exists: processes, listening sockets, files, mounts. `edgelab residue --lab NAME` tells.

A process belongs to a lab when it writes to a file of the lab, removed or not, as every program and every container
does, or when it is the lab's supervisord or one of its `hold`s. A shell in the lab's directory, kubectl with its
kubeconfig or a pager on a log does not. The cache is shared by all labs and stays.
"""

import argparse
import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from edgelab.core.layout import layout
from edgelab.lab import procs

_FILES_SHOWN = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `edgelab residue`."""
    parser.add_argument("--lab", default="default", help="name of the lab")


def run(arguments: argparse.Namespace) -> int:
    """Print what is left of a lab, one thing a line; returns 1 if there is anything, 2 for a name that is none."""
    try:
        place = layout(arguments.lab, os.environ, os.getuid())
    except ValueError as error:
        print(error)  # noqa: T201 - what the command is for
        return 2
    left = residue(place.state, place.run)
    print("\n".join(left) or f"Nothing is left of the lab {arguments.lab}.")  # noqa: T201
    return 1 if left else 0


def residue(state: Path, run_directory: Path) -> list[str]:
    """Everything that is left of the lab with these directories, each in words."""
    roots = [state, run_directory]
    left = lab_processes(roots)
    files = [path for root in roots for path in _files(root)]
    return [
        *map(str, left),
        *(f"{process} listens on {where}" for process in left for where in _endpoints(process)),
        *(f"mount {path}" for path in mounts(roots)),
        *(f"file {path}" for path in files[:_FILES_SHOWN]),
        *([f"... and {len(files) - _FILES_SHOWN} more files"] if len(files) > _FILES_SHOWN else []),
    ]


def lab_processes(roots: Iterable[Path]) -> list[procs.Process]:
    """The processes that belong to the lab with these directories."""
    prefixes = tuple(f"{root}/" for root in roots)
    return [process for process in procs.processes() if _belongs(process, prefixes)]


def _belongs(process: procs.Process, prefixes: tuple[str, ...]) -> bool:
    if process.pid == os.getpid():
        return False
    supervised = any(f"{prefix}supervisor/" in process.command for prefix in prefixes)
    return supervised or any(target.startswith(prefixes) for target in _written(process.pid))


def _written(pid: int) -> Iterator[str]:
    """The files that a process has open for writing; nothing for a process of another user."""
    with contextlib.suppress(OSError):
        for descriptor in Path(f"/proc/{pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                target = str(descriptor.readlink())
                if target.startswith("/") and _is_writable(pid, descriptor.name):
                    yield target


def _is_writable(pid: int, descriptor: str) -> bool:
    lines = Path(f"/proc/{pid}/fdinfo/{descriptor}").read_text().splitlines()
    flags = next(int(line.split()[1], 8) for line in lines if line.startswith("flags:"))
    return flags & os.O_ACCMODE != os.O_RDONLY


def _endpoints(process: procs.Process) -> list[str]:
    inodes = procs.sockets_of(process.pid)
    return sorted(endpoint for inode, endpoint in procs.listening().items() if inode in inodes)


def mounts(roots: Iterable[Path], table: Path = Path("/proc/self/mountinfo")) -> list[str]:
    """Mount points at or below these directories."""
    points = [line.split()[4] for line in table.read_text(errors="replace").splitlines()]
    # The kernel writes white space and backslashes in octal.
    plain = [point.encode("latin-1", "replace").decode("unicode_escape") for point in points]
    return [point for point in plain for root in roots if point == str(root) or point.startswith(f"{root}/")]


def _files(root: Path) -> list[Path]:
    return [root, *sorted(root.rglob("*"))] if root.exists() or root.is_symlink() else []
