# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Files written whole: others see the old content or the new, never a part; nor does a full disk leave one."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import suppress
from pathlib import Path

with suppress(ImportError):  # the module that uses this says that the runtime is missing
    from edgelab.core.errors import LabError


def write_whole(path: Path, text: str, mode: int = 0o600) -> None:
    """Write a file by way of a temporary one in the same directory. Raises LabError when it cannot be written."""
    temporary = None
    try:
        descriptor, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        Path(temporary).replace(path)
    except OSError as error:
        if temporary is not None:
            Path(temporary).unlink(missing_ok=True)
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
