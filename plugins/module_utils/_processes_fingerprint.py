# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The fingerprint of a process: another one means that it must be restarted.

It covers the command line, the environment, and the content of the program and of the files and directories that the
caller names. Digests of files are remembered with what `stat` says about them, since hashing the control plane's
300 MB at each run would take a second.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Process

ABSENT = "absent"
_BUFFER = 1024 * 1024


class Digests:
    """Digests of files and directories; those of unchanged files come from a memo file."""

    def __init__(self, memo: Path) -> None:
        """Load the memo; one that cannot be read counts as empty."""
        self._memo = memo
        try:
            self._known: dict[str, list[object]] = json.loads(memo.read_text())
        except (OSError, ValueError):
            self._known = {}
        self._fresh = False

    def of(self, path: str) -> str:
        """The digest of a file's content, or of the names and contents below a directory; `absent` without either."""
        if Path(path).is_dir():
            return _hash(f"{name}={self._of_file(name)}" for name in sorted(_files_below(path)))
        return self._of_file(path)

    def save(self) -> None:
        """Write the memo if there is anything new in it."""
        if self._fresh:
            write_whole(self._memo, json.dumps(self._known))

    def _of_file(self, path: str) -> str:
        try:
            with Path(path).open("rb") as file:
                status = os.fstat(file.fileno())
                identity = [status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
                known = self._known.get(path)
                if known is not None and known[:-1] == identity:
                    return str(known[-1])
                digest = hashlib.blake2b(digest_size=16)
                while block := file.read(_BUFFER):
                    digest.update(block)
        except FileNotFoundError:
            return ABSENT
        self._known[path] = [*identity, digest.hexdigest()]
        self._fresh = True
        return digest.hexdigest()


def _files_below(directory: str) -> Iterator[str]:
    for root, directories, names in os.walk(directory):
        directories[:] = [name for name in directories if name != "__pycache__"]
        yield from (f"{root}/{name}" for name in names)


def fingerprint(process: Process, digests: Digests) -> str:
    """The fingerprint of a process as it would be started now: 32 hexadecimal digits."""
    return _hash(
        [
            json.dumps([process.argv, sorted(process.environment.items())]),
            *(f"{path}={digests.of(path)}" for path in (*process.argv[:1], *process.restart_on)),
        ]
    )


def _hash(parts: Iterator[str] | list[str]) -> str:
    return hashlib.blake2b("\n".join(parts).encode(), digest_size=16).hexdigest()
