# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Directories of the cache that another version of the collection has made, and that nobody uses any more, go.

`cache/collection` and `cache/runtime` have a directory for each content, so every version leaves one. A playbook marks
the one that it uses by its time. Another goes when no playbook has used it for a day (tasks are processes of their own,
so between two of them nothing shows that a playbook runs) and no process has to do with it. Standard library alone, as
this runs before the runtime is there. Whatever cannot be removed stays for the next time.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

UNUSED_SECONDS = 24 * 60 * 60


def mark_used(directory: Path) -> None:
    """A playbook uses this directory now."""
    with contextlib.suppress(OSError):  # one that is not the user's own is somebody else's to keep
        os.utime(directory)


def prune(parent: Path, current: Path | None, in_use: Callable[[Path], bool] | None = None) -> list[str]:
    """Remove what nobody uses of the directories in one, but never the current one; returns the paths that are gone."""
    before = time.time() - UNUSED_SECONDS
    found = sorted(parent.iterdir()) if parent.is_dir() else []
    old = [path for path in found if path != current and path.is_dir() and path.stat().st_mtime < before]
    unused = [path for path in old if not (in_use or has_processes)(path)]
    for path in unused:
        shutil.rmtree(str(path), ignore_errors=True)
    return [str(path) for path in unused if not path.exists()]


def has_processes(directory: Path) -> bool:
    """Whether a process names a file in there: by its command line, its environment or what it has loaded."""
    inside = os.fsencode(directory) + b"/"
    return any(inside in _told(process) for process in Path("/proc").iterdir() if process.name.isdigit())


def _told(process: Path) -> bytes:
    told = b""
    for name in ("cmdline", "environ", "maps"):
        with contextlib.suppress(OSError):  # it has ended, or is another user's
            told += (process / name).read_bytes()
    return told
