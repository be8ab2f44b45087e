"""Processes of the runtime, run by tests."""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from edgelab.service.status import ask
from labkit import eventually


@contextmanager
def running(directory: Path, name: str, *words: str) -> Iterator[dict[str, Any]]:
    """Run `edgelab WORDS` with its status socket NAME.sock in the directory, for the block; gives its first status."""
    command = [sys.executable, "-m", "edgelab", *words, "--run", str(directory), "--name", name]
    with subprocess.Popen(command) as process:
        try:
            yield eventually(lambda: _status(directory / f"{name}.sock"), what=f"{name}'s status")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def until_ready(path: Path, process: subprocess.Popen[bytes]) -> dict[str, Any]:
    """The first status that a process tells at its socket; fails when it ends before."""
    while process.poll() is None:
        try:
            return ask(path)
        except OSError:
            continue
    raise AssertionError(f"it ended with {process.returncode}")


def _status(path: Path) -> dict[str, Any]:
    try:
        return ask(path)
    except OSError:
        return {}
