# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Files written whole, and what to tell people when they cannot be: above all, which file system is full."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError
    from edgelab.service import files


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Put text in place of a file, in a directory that is made if need be. Raises LabError; the old file stays then."""
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.write_whole(path, text.encode(), mode=mode)
    except OSError as error:
        raise cannot_write(path, error) from error


def cannot_write(path: Path, error: OSError) -> LabError:
    """The error that tells why a path cannot be written, and which file system is full if one is."""
    if error.errno not in (errno.ENOSPC, errno.EDQUOT):
        return LabError(attempted=f"Write {path}", seen=str(error))
    mount = mount_point(path)
    return LabError(
        attempted=f"Write {path}",
        seen=f"{os.strerror(error.errno)}: the file system mounted at {mount}. The file is as it was before",
        remedy=f"Free some space there (df -h {mount}; df -i {mount}) or set XDG_STATE_HOME, then run this again",
    )


def mount_point(path: Path) -> Path:
    """Where the file system that holds a path (which need not exist yet) is mounted."""
    existing = next(parent for parent in (path, *path.parents) if parent.exists()).resolve()
    return next(parent for parent in (existing, *existing.parents) if parent.is_mount())
