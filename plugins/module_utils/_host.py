# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What the modules that prepare a machine share: commands, files written whole, errors as people read them.

They run before anything of ours is on the machine, so this is the standard library alone.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule


class HostError(Exception):
    """Text for people: what was attempted, what was seen, the likely cause, the next step."""


def run(module: AnsibleModule, work: Callable[[], dict[str, Any]]) -> None:
    """Exit with what work returns, or fail with the text of its HostError."""
    try:
        result = work()
    except HostError as error:
        module.fail_json(msg=str(error))
    module.exit_json(**result)


def command(argv: Sequence[str], *, codes: Sequence[int] = (0,)) -> str:
    """What a program printed, in English; raises HostError with its errors when it ends with another code."""
    environment = {**os.environ, "LC_ALL": "C"}
    try:
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=environment)
    except OSError as error:
        raise HostError(f"Run {argv[0]}: {error.strerror}. Install it, or look at this machine's PATH.") from error
    if done.returncode not in codes:
        said = (done.stderr or done.stdout).strip()
        raise HostError(f"Run {' '.join(argv)}: it ended with {done.returncode} and said: {said}.")
    return done.stdout


def read(path: Path) -> str | None:
    """The text of a file; None when there is none."""
    try:
        return path.read_text(errors="replace")
    except (FileNotFoundError, NotADirectoryError):
        return None


def differing(wanted: Mapping[Path, str | None]) -> dict[Path, str | None]:
    """Those of the files that do not hold what they should; None: a file is not to be there."""
    return {path: text for path, text in wanted.items() if read(path) != text}


def difference(changes: Mapping[Path, str | None]) -> list[dict[str, str]]:
    """Ansible's diff of what write() is about to do."""
    return [
        {"before_header": str(path), "after_header": str(path), "before": read(path) or "", "after": text or ""}
        for path, text in changes.items()
    ]


def write(changes: Mapping[Path, str | None], mode: int = 0o644) -> None:
    """Put files in place, readable by all or as the mode says, each by a rename; remove those that are None."""
    for path, text in changes.items():
        try:
            _write(path, text, mode)
        except OSError as error:
            raise HostError(f"Write {path}: {error.strerror}. It takes root (become) and a writable system.") from error


def _write(path: Path, text: str | None, mode: int) -> None:
    if text is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    half = path.with_name(f".{path.name}.new")
    half.touch(mode=0o600)
    half.write_text(text)
    half.chmod(mode)
    half.replace(path)
