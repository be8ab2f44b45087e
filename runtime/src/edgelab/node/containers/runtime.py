"""Starting, watching and stopping containers from the node's side; taking over those of an earlier node.

`on_end(directory)` is called when a run has ended and its end is on disk. Leaving the `async with` block ends the
watching, not the containers.
"""

import asyncio
import contextlib
import json
import logging
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from edgelab.core.errors import LabError
from edgelab.node.containers.process import ProcessIdentity, boot_id, identify, open_pidfd
from edgelab.node.containers.records import UNKNOWN_EXIT, ContainerSpec, Exit, RunDirectory, now

log = logging.getLogger(__name__)

_RECORD_SECONDS = 2.0
"""How long the zygote may take to record the end of a container that a signal ended."""

_START_SECONDS = 10.0
_LONGEST_LINE = 8 * 1024 * 1024


class Containers:
    """The containers of the node; a run is known by its directory. `directory` gets the zygote's own log."""

    def __init__(self, directory: Path, *, on_end: Callable[[Path], None]) -> None:
        self._directory, self._on_end = directory, on_end
        self._pidfds: dict[Path, int] = {}
        self._over: dict[Path, asyncio.Event] = {}
        self._endings: set[asyncio.Task[None]] = set()
        self._zygote: _Zygote | None = None
        self._asking = asyncio.Lock()

    async def __aenter__(self) -> "Containers":
        await self._running_zygote()
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._endings:
            task.cancel()
        for path in list(self._pidfds):
            self._forget(path)
        if self._zygote:
            self._zygote.close()

    async def start(self, spec: ContainerSpec) -> None:
        """Run a module. Its directory must exist. Raises LabError when no process can be made for it."""
        run = RunDirectory(Path(spec.directory))
        async with self._asking:
            zygote = await self._running_zygote()
            try:
                async with asyncio.timeout(_START_SECONDS):
                    answer = await zygote.ask(spec.to_json())
            except (OSError, EOFError, TimeoutError, ValueError) as error:
                zygote.close()
                self._zygote = None
                if run.start() is None:
                    raise _not_started(spec, f"The process that starts containers failed: {error!r}") from error
                answer = {}
        if "error" in answer:
            raise _not_started(spec, answer["error"])
        await self.adopt(run)

    async def adopt(self, run: RunDirectory) -> None:
        """Watch a run that began, or record that it ended unseen; a run that ended or never began is left alone."""
        start = run.start()
        if start is None or run.exit() is not None or run.path in self._pidfds:
            return
        pidfd = open_pidfd(start.process) if start.process.boot == boot_id() else None
        if pidfd is None:
            await self._settle(run, start.process)
            return
        self._pidfds[run.path] = pidfd
        self._over[run.path] = asyncio.Event()
        asyncio.get_running_loop().add_reader(pidfd, self._ended, run, start.process)

    def is_running(self, run: RunDirectory) -> bool:
        """The run began and has not been seen to end."""
        return run.path in self._pidfds

    async def ended(self, run: RunDirectory) -> None:
        """Return when a run is over and its end is recorded; at once when it is not known to run."""
        if over := self._over.get(run.path):
            await over.wait()

    def signal(self, run: RunDirectory, number: signal.Signals) -> None:
        """Send a signal to a running container; nothing happens when it has ended."""
        pidfd = self._pidfds.get(run.path)
        if pidfd is not None:
            with contextlib.suppress(ProcessLookupError):
                signal.pidfd_send_signal(pidfd, number)

    def _ended(self, run: RunDirectory, process: ProcessIdentity) -> None:
        asyncio.get_running_loop().remove_reader(self._pidfds[run.path])
        task = asyncio.create_task(self._finish(run, process))
        self._endings.add(task)
        task.add_done_callback(self._endings.discard)

    async def _finish(self, run: RunDirectory, process: ProcessIdentity) -> None:
        await self._settle(run, process)
        self._forget(run.path)
        self._on_end(run.path)

    async def _settle(self, run: RunDirectory, process: ProcessIdentity) -> None:
        """Wait for the record of the end; write one if there is nobody left who would."""
        deadline = asyncio.get_running_loop().time() + _RECORD_SECONDS
        while run.exit() is None:
            # The zygote records an end before it reaps: a process that is gone without a record had no zygote.
            if identify(process.pid) != process or asyncio.get_running_loop().time() > deadline:
                break
            await asyncio.sleep(0.01)
        if run.exit() is None and run.path.exists():
            message = "The container ended while nobody watched it"
            run.record_exit(Exit(UNKNOWN_EXIT, "ContainerStatusUnknown", now(), message))

    def _forget(self, path: Path) -> None:
        pidfd = self._pidfds.pop(path)
        self._over.pop(path).set()
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)

    async def _running_zygote(self) -> "_Zygote":
        if self._zygote is None or not self._zygote.is_alive():
            self._zygote = await _Zygote.begin(self._directory / "zygote.log")
        return self._zygote


class _Zygote:
    """The zygote process and the conversation with it, one question at a time."""

    def __init__(
        self, process: subprocess.Popen[bytes], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._process, self._reader, self._writer = process, reader, writer

    @classmethod
    async def begin(cls, log_file: Path) -> "_Zygote":
        ours, theirs = socket.socketpair()
        with theirs, log_file.open("wb") as output:
            process = subprocess.Popen(  # noqa: ASYNC220  a fork and exec takes a millisecond
                [sys.executable, "-m", "edgelab.node.containers.zygote", str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        return cls(process, *await asyncio.open_connection(sock=ours, limit=_LONGEST_LINE))

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        """It ends when its last container has; until then it is its keeper."""
        self._writer.close()

    async def ask(self, line: str) -> dict[str, str]:
        self._writer.write(line.encode() + b"\n")
        await self._writer.drain()
        answer = await self._reader.readline()
        if not answer:
            raise EOFError
        found: dict[str, str] = json.loads(answer)
        return found


def _not_started(spec: ContainerSpec, seen: str) -> LabError:
    return LabError(
        attempted=f"Start a process for {Path(spec.directory).parent.name}",
        seen=seen,
        remedy="It is tried again; if it stays, look for a limit on processes or memory",
    )
