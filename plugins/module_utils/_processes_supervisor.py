# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""supervisord of one lab: start it, tell it what to run, stop it. Talks its XML-RPC over the lab's Unix socket.

Each process is a supervisor group of its own, so that a change concerns one process alone.
"""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import xmlrpc.client
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._files import write_whole
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Places, supervisord_section

try:
    from edgelab.core.errors import LabError
    from edgelab.lab import procs
except ImportError:
    pass  # the module that uses this says that the runtime is missing

_ANSWER_SECONDS = 10
_START_SECONDS = 20
_NOT_RUNNING = 70  # supervisor.xmlrpc.Faults
_STOPPED_STATES = ("STOPPED", "EXITED", "FATAL", "UNKNOWN")


class _Connection(http.client.HTTPConnection):
    def __init__(self, path: str, timeout: float) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _Transport(xmlrpc.client.Transport):
    def __init__(self, path: Path, timeout: float) -> None:
        super().__init__()
        self._path, self._timeout = str(path), timeout

    def make_connection(self, host: Any) -> _Connection:  # noqa: ARG002 - the base class names it
        return _Connection(self._path, self._timeout)


class Supervisor:
    """The supervisord whose files are at `places`; methods raise LabError when it does not do what it is told."""

    def __init__(self, places: Places) -> None:
        """Touch nothing yet."""
        self._places = places

    def states(self) -> dict[str, dict[str, Any]] | None:
        """What supervisord says about each process, by name (`statename`, `exitstatus`, ...); None when it is down."""
        try:
            known: list[dict[str, Any]] = self._api().getAllProcessInfo()
        except (OSError, http.client.HTTPException):
            return None
        return {process["name"]: process for process in known}

    def ensure(self) -> None:
        """Start supervisord unless it answers; one that lost its socket is replaced, its programs live on."""
        if self.states() is not None:
            return
        for lost in self._own_processes():
            _end(lost.pid, signal.SIGKILL)
        write_whole(self._places.configuration, supervisord_section(self._places))
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(self._places.configuration)]
        try:
            subprocess.run(
                command, env=_clean_environment(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
                check=True, timeout=_START_SECONDS, cwd="/",
            )  # fmt: skip
        except (subprocess.SubprocessError, OSError) as error:
            raise LabError(
                attempted="Start supervisord",
                seen=f"{error}: {getattr(error, 'stderr', None) or ''}",
                remedy=f"Look at {self._places.supervisor}/supervisord.log",
            ) from error
        self._await_answer()

    def start(self, name: str, configuration: str) -> None:
        """Run a process with this configuration; whatever ran under its name is stopped first."""
        self.stop(name)
        write_whole(self._places.program(name), configuration)
        try:
            api = self._api()
            api.reloadConfig()
            if self._knows(name):
                api.removeProcessGroup(name)
            api.addProcessGroup(name)
            api.startProcess(name, False)
        except (xmlrpc.client.Error, OSError) as error:
            raise self._refused(f"Start {name}", error) from error

    def stop(self, name: str) -> None:
        """End a process, if supervisord runs it, and wait until it has ended."""
        info = (self.states() or {}).get(name)
        if info is None or info["statename"] in _STOPPED_STATES:
            return
        try:
            # supervisord itself gives up waiting (stopwaitsecs) and kills.
            self._api(timeout=600).stopProcess(name)
        except xmlrpc.client.Fault as error:
            if error.faultCode != _NOT_RUNNING:
                raise self._refused(f"Stop {name}", error) from error
        except OSError as error:
            raise self._refused(f"Stop {name}", error) from error

    def forget(self, name: str) -> None:
        """Remove a stopped process from supervisord and its configuration from the disk."""
        self._places.program(name).unlink(missing_ok=True)
        try:
            if self._knows(name):
                self._api().removeProcessGroup(name)
        except (xmlrpc.client.Error, OSError) as error:
            raise self._refused(f"Remove {name}", error) from error

    def shut_down(self) -> None:
        """End supervisord and wait until it is gone."""
        # It sees a request at once and a signal within a second; one that does not answer still sees the signal.
        with contextlib.suppress(xmlrpc.client.Error, OSError, http.client.HTTPException):
            self._api().shutdown()
        for process in self._own_processes():
            _end(process.pid, signal.SIGTERM)

    def _knows(self, name: str) -> bool:
        return name in (self.states() or {})

    def _api(self, timeout: float = _ANSWER_SECONDS) -> Any:
        transport = _Transport(self._places.socket, timeout)
        return xmlrpc.client.ServerProxy("http://localhost", transport=transport).supervisor

    def _await_answer(self) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while self.states() is None:
            if time.monotonic() > deadline:
                raise LabError(
                    attempted="Start supervisord",
                    seen=f"It does not answer on {self._places.socket} after {_START_SECONDS} s",
                    remedy=f"Look at {self._places.supervisor}/supervisord.log",
                )
            time.sleep(0.05)

    def _own_processes(self) -> list[procs.Process]:
        ending = f"supervisor.supervisord -c {self._places.configuration}"
        return [process for process in procs.processes() if process.command.endswith(ending)]

    def _refused(self, attempted: str, error: Exception) -> LabError:
        seen = error.faultString if isinstance(error, xmlrpc.client.Fault) else str(error)
        log = f"{self._places.supervisor}/supervisord.log"
        return LabError(attempted=attempted, seen=f"supervisord says: {seen}", remedy=f"Look at {log}")


def _clean_environment() -> dict[str, str]:
    # No proxies, nothing of Ansible or Python: what runs in the lab must not depend on who started it.
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return {**kept, "LANG": "C.UTF-8"}


def _end(pid: int, number: signal.Signals, seconds: float = 60) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, number)
    deadline = time.monotonic() + seconds
    while any(process.pid == pid for process in procs.processes()):
        if time.monotonic() > deadline:
            raise LabError(attempted="Stop supervisord", seen=f"Process {pid} still runs after {seconds:.0f} s")
        time.sleep(0.02)
