# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Is a process ready, and if not: why. Looks at the program, its sockets and its log.

An answer counts only if the program itself (or a child in its session) listens on the address: on an occupied port
the process that occupies it would answer.
"""

from __future__ import annotations

import http.client
import re
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Process, Ready

try:
    from edgelab.core.errors import LabError
    from edgelab.lab import procs
except ImportError:
    pass  # the module that uses this says that the runtime is missing

_ANSWER_SECONDS = 5
_LOG_LINES = 15
_LOG_BYTES = 16 * 1024
_IN_USE = re.compile(r"address already in use", re.IGNORECASE)


def address(ready: Ready) -> str:
    """The address that the program listens on when it is ready, as `edgelab.lab.procs` writes it."""
    if ready.https:
        return f"tcp:{urlsplit(ready.https).port or 443}"
    if ready.tcp:
        return f"tcp:{ready.tcp.rpartition(':')[2]}"
    return f"unix:{ready.unix or ready.status}"


def missing(ready: Ready | None, pid: int | None) -> str:
    """What is missing for a process to be ready; empty when it is. pid is its program's, None when that has ended."""
    if pid is None:
        return "its program does not run"
    if ready is None:
        return ""
    if not _listens(pid, address(ready)):
        return f"it does not listen on {address(ready)}"
    try:
        return _answer(ready)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"{ready.https or ready.status} gives {type(error).__name__}: {error}"


def _listens(pid: int, wanted: str) -> bool:
    inodes = {inode for inode, endpoint in procs.listening().items() if endpoint == wanted}
    if inodes & procs.sockets_of(pid):
        return True
    members = [process.pid for process in procs.processes() if process.session == pid] if inodes else []
    return any(inodes & procs.sockets_of(member) for member in members)


def _answer(ready: Ready) -> str:
    if ready.https:
        return _https(ready.https, ready)
    if ready.status:
        return _status(Path(ready.status))
    return ""


def _https(url: str, ready: Ready) -> str:
    parts = urlsplit(url)
    context = ssl.create_default_context(cafile=ready.ca)
    if ready.client_certificate:
        context.load_cert_chain(ready.client_certificate, ready.client_key)
    connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=_ANSWER_SECONDS, context=context)
    try:
        connection.request("GET", f"{parts.path or '/'}?{parts.query}".rstrip("?"))
        response = connection.getresponse()
        body = response.read(2000).decode(errors="replace")
    finally:
        connection.close()
    return "" if response.status == http.HTTPStatus.OK else f"{url} answers {response.status}: {body.strip()}"


def _status(path: Path) -> str:
    # Imported here because it brings asyncio, which only this kind of process needs.
    from edgelab.service.status import ask  # noqa: PLC0415

    try:
        status = ask(path, timeout=_ANSWER_SECONDS)
    except LabError as error:
        return str(error)
    return "" if status.get("ready") else f"its status is {status}"


@dataclass(frozen=True)
class Evidence:
    """What is known about a process that is not ready; `info` is supervisord's view, `pid` its program if it runs."""

    process: Process
    pid: int | None
    info: dict[str, Any]
    missing: str
    log: Path

    def occupier(self) -> procs.Process | None:
        """Who else listens where this process wants to."""
        ready = self.process.ready
        wanted = [address(ready)] if ready else []
        wanted += [f"tcp:{port}" for port in ports_in_use(self.log_tail())]
        holders = (holder for where in wanted for holder in procs.listeners(where))
        return next((holder for holder in holders if holder.session != self.pid), None)

    def log_tail(self) -> str:
        """The last lines of the program's log."""
        return log_tail(self.log)

    def error(self, attempted: str, occupier: procs.Process | None) -> LabError:
        """The error that tells all of it."""
        lines = self.log_tail()
        seen = f"supervisord says {self.info.get('statename', 'nothing about it')}"
        seen += f" (exit status {self.info['exitstatus']})" if self.info.get("exitstatus") else ""
        seen += f"; {self.missing}. The end of its log {self.log}:\n{lines}\n"
        cause, remedy = "", f"Look at {self.log}, then run this again"
        if occupier is not None:
            cause = f"Its port or socket is taken: {occupier} listens there"
            remedy = "End that process or give this one another port, then run this again; supervisord keeps trying"
        elif _IN_USE.search(lines):
            cause = "Its port is taken by a process that cannot be seen from here (another user's?)"
            remedy = "Find it as root (ss -ltnp) or choose another port, then run this again"
        return LabError(attempted, seen, cause, remedy)


def ports_in_use(log: str) -> set[int]:
    """Ports that a log says are already in use, in the words of Go's net package and of Python's asyncio."""
    lines = [line for line in log.splitlines() if _IN_USE.search(line)]
    found = (re.search(r":(\d{2,5}): bind|', (\d{2,5})\)", line) for line in lines)
    return {int(match[1] or match[2]) for match in found if match}


def log_tail(path: Path, lines: int = _LOG_LINES) -> str:
    """The last lines of a file; empty when there is none."""
    try:
        with path.open("rb") as file:
            file.seek(0, 2)
            file.seek(max(file.tell() - _LOG_BYTES, 0))
            text = file.read().decode(errors="replace")
    except FileNotFoundError:
        return ""
    return "\n".join(text.splitlines()[-lines:])
