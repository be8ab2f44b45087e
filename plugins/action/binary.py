# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
"""Run the module `binary`, offer it what the controller has, and show how far a build is while it works.

What is missing on another machine is copied there from the controller's own cache, if that has it for the machine's
architecture: most of the time it is nearer than any publisher.

The module tells its progress in a file of the cache, which can be read here when the target is this machine; elsewhere
nothing is shown. Nothing depends on what is shown.
"""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible.utils.display import Display
from ansible_collections.edgelab.akri.plugins.module_utils._binary_cache import is_sound
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import progress_path

SECONDS_BETWEEN_LINES = 10


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible tells no types
    """The action `binary`."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the module; returns what it returns."""
        super().run(tmp, task_vars)
        if self._connection.transport != "local" and not self._task.check_mode:
            return self._provided(task_vars)
        with shown(self._files()):
            result: dict[str, Any] = self._execute_module(task_vars=task_vars)
        return result

    def _provided(self, task_vars: dict[str, Any] | None) -> dict[str, Any]:
        """Ask another machine what is missing there, and have it provided, from what is at hand here if possible."""
        self._task.check_mode = True
        asked: dict[str, Any] = self._execute_module(task_vars=task_vars)
        self._task.check_mode = False
        missing = asked.get("missing")
        if not missing:
            return asked
        self._make_tmp_path()
        offer = {"offered": self._brought(sound_entries(missing, own_cache()))}
        result: dict[str, Any] = self._execute_module(module_args={**self._task.args, **offer}, task_vars=task_vars)
        self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _brought(self, entries: Sequence[Path]) -> str:
        """Copy entries of a cache into the task's directory on the machine; returns its path."""
        there: str = self._connection._shell.tmpdir
        directories = [f"{there}/{entry.name}" for entry in entries]
        self._low_level_execute_command(shlex.join(["mkdir", "-p", there, *directories]))
        for path in (path for entry in entries for path in entry.iterdir()):
            self._transfer_file(str(path), f"{there}/{path.parent.name}/{path.name}")
        self._fixup_perms2([there, *directories])
        return there

    def _files(self) -> list[Path]:
        arguments = self._task.args
        directory, programs = arguments.get("directory"), arguments.get("programs")
        # Anything that is not as the module wants it, the module refuses.
        if self._task.check_mode or self._connection.transport != "local" or not isinstance(programs, list):
            return []
        names = [program["name"] for program in programs if isinstance(program, dict) and "name" in program]
        return [progress_path(Path(str(directory)).expanduser(), str(name)) for name in names]


def own_cache() -> Path:
    """The controller's cache of programs; see core/layout.py."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base, "edgelab/bin")


def sound_entries(missing: Mapping[str, str], cache: Path) -> list[Path]:
    """Which of the entries, by the names of their programs, a cache has."""
    return [cache / entry for name, entry in missing.items() if is_sound(cache / entry, name)]


@contextlib.contextmanager
def shown(files: list[Path]) -> Iterator[None]:
    """Show what the files say, every few seconds, until the block ends."""
    ended = threading.Event()
    teller = threading.Thread(target=_tell, args=(files, ended), daemon=True)
    teller.start()
    try:
        yield
    finally:
        ended.set()
        teller.join()


def _tell(files: list[Path], ended: threading.Event) -> None:
    # Ansible ends its worker by a signal, which only wakes the main thread if no other thread takes it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    began = time.monotonic()
    while not ended.wait(SECONDS_BETWEEN_LINES):
        for file in files:
            with contextlib.suppress(OSError):
                Display().display(f"{file.read_text()}, {duration(time.monotonic() - began)}")


def duration(seconds: float) -> str:
    """Seconds as people say them.

    >>> duration(100.4)
    '1 min 40 s'
    """
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"
