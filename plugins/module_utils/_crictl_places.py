# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Where crictl is configured: on this machine, or inside a node that is reached by a command (Kind's are containers).

A node need not have Python: what is done there is done by the programs every Linux has. Errors are LabErrors.
"""

from __future__ import annotations

import socket
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Protocol

from ansible_collections.edgelab.akri.plugins.module_utils._files import cannot_write, write_whole

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError

_SECONDS = 30
_WRITE = 'umask 022; printf %s "$1" > "$2.new" && mv "$2.new" "$2"'


class Place(Protocol):
    """Files and sockets somewhere."""

    def listens(self, path: str) -> bool:
        """Whether something listens on a socket."""

    def read(self, path: str) -> str | None:
        """The content of a file, or None without one."""

    def write(self, path: str, text: str) -> None:
        """Put text in place of a file, readable for everyone."""

    def remove(self, path: str) -> None:
        """Remove a file."""


class Here:
    """This machine."""

    def __str__(self) -> str:
        return "this machine"

    def listens(self, path: str) -> bool:
        """Whether something listens on a socket."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(_SECONDS)
            with suppress(OSError):
                connection.connect(path)
                return True
        return False

    def read(self, path: str) -> str | None:
        """The content of a file, or None without one."""
        try:
            return Path(path).read_text()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise LabError(attempted=f"Read {path}", seen=str(error)) from error

    def write(self, path: str, text: str) -> None:
        """Put text in place of a file, readable for everyone."""
        write_whole(Path(path), text, 0o644)

    def remove(self, path: str) -> None:
        """Remove a file."""
        try:
            Path(path).unlink()
        except OSError as error:
            raise cannot_write(Path(path), error) from error


class Node:
    """A node behind a command, such as `podman exec NAME`."""

    def __init__(self, command: Sequence[str]) -> None:
        self._command = list(command)

    def __str__(self) -> str:
        return f"the node behind `{' '.join(self._command)}`"

    def listens(self, path: str) -> bool:
        """Whether there is a socket; a shell cannot connect to one."""
        return self._run("test", "-S", path).returncode == 0

    def read(self, path: str) -> str | None:
        """The content of a file, or None without one."""
        there = self._run("test", "-e", path).returncode == 0
        return self._checked("cat", path).stdout if there else None

    def write(self, path: str, text: str) -> None:
        """Put text in place of a file, readable for everyone."""
        self._checked("sh", "-c", _WRITE, "sh", text, path)

    def remove(self, path: str) -> None:
        """Remove a file."""
        self._checked("rm", path)

    def _checked(self, *words: str) -> subprocess.CompletedProcess[str]:
        done = self._run(*words)
        if done.returncode:
            raise self._failed(words, f"It ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def _run(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = [*self._command, *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=False)
        except (OSError, subprocess.TimeoutExpired) as error:
            raise self._failed(words, str(error)) from error
        if done.returncode > 1:  # 1 is how `test` says no; a node that is not there gives 125 and more
            raise self._failed(words, f"It ended with {done.returncode}: {done.stderr.strip()}")
        return done

    def _failed(self, words: Sequence[str], seen: str) -> LabError:
        return LabError(
            attempted=f"Run `{words[0]}` in {self}",
            seen=seen,
            cause="The node does not run, or the user may not use the container engine",
            remedy="Look at the node (podman ps -a, docker ps -a), then run this again",
        )
