"""The zygote: a small process that has loaded wasmtime and forks a container for each line that it reads.

Started as `python -m edgelab.node.containers.zygote FD` with one end of a stream socketpair. A line is a ContainerSpec;
the answer is `{"pid": N}` once the container has recorded its start, or `{"error": "..."}`. The zygote reaps its
containers and records the end of those that a signal ended, before they are reaped: so a container that is gone has its
record. When the node is gone, it stays until its last container has ended. It has one thread and compiles nothing, so
that forking is safe.
"""

import gc
import json
import os
import select
import signal
import socket
import sys
from pathlib import Path

import wasmtime

from edgelab.node.containers import guest
from edgelab.node.containers.contained import contained
from edgelab.node.containers.records import ContainerSpec, Exit, RunDirectory, now

_LONGEST_READ = 1024 * 1024


def main(descriptor: int) -> None:
    """Serve until the node is gone and every container has ended."""
    zygote = _Zygote(socket.socket(fileno=descriptor))
    # Children share the memory of everything that is loaded now, unless the collector touches it.
    gc.freeze()
    zygote.serve()


class _Zygote:
    def __init__(self, node: socket.socket) -> None:
        self._node = node
        self._engine = wasmtime.Engine()
        self._runs: dict[int, RunDirectory] = {}
        self._children = _child_signals()

    def serve(self) -> None:
        """Answer requests and reap."""
        poll = select.poll()
        poll.register(self._node, select.POLLIN)
        poll.register(self._children, select.POLLIN)
        listening, received = True, b""
        while listening or self._runs:
            ready = {descriptor for descriptor, _events in poll.poll()}
            if self._children in ready:
                os.read(self._children, _LONGEST_READ)
                self._reap()
            if self._node.fileno() in ready:
                received, listening = self._receive(received)
                if not listening:
                    poll.unregister(self._node)

    def _receive(self, before: bytes) -> tuple[bytes, bool]:
        try:
            chunk = self._node.recv(_LONGEST_READ)
        except OSError:
            chunk = b""
        *lines, rest = (before + chunk).split(b"\n")
        for line in lines:
            self._answer(line)
        return rest, bool(chunk)

    def _answer(self, line: bytes) -> None:
        try:
            answer: dict[str, object] = {"pid": self._fork(ContainerSpec.from_json(line))}
        except OSError as error:
            answer = {"error": str(error)}
        try:
            self._node.sendall(json.dumps(answer).encode() + b"\n")
        except OSError:
            return  # the node is gone; its successor finds the container by its record

    def _fork(self, spec: ContainerSpec) -> int:
        reader, writer = os.pipe()
        pid = os.fork()
        if pid == 0:
            try:
                contained(spec, self._engine, writer)
            finally:
                os._exit(guest.CANNOT_RUN)
        self._runs[pid] = RunDirectory(Path(spec.directory))
        os.close(writer)
        os.read(reader, 1)  # ends when the container has recorded its start, or has ended
        os.close(reader)
        return pid

    def _reap(self) -> None:
        while self._runs:
            ended = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
            if ended is None:
                return
            run = self._runs.pop(ended.si_pid)
            if run.path.exists() and run.exit() is None:
                run.record_exit(_end_of(ended))
            os.waitpid(ended.si_pid, 0)


def _end_of(ended: os.waitid_result) -> Exit:
    if ended.si_code == os.CLD_EXITED:
        return Exit(ended.si_status or guest.CANNOT_RUN, "ContainerCannotRun", now(), "It could not record its end")
    return Exit(128 + ended.si_status, "Error", now(), f"Ended by {signal.Signals(ended.si_status).name}")


def _child_signals() -> int:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    # The zygote ends by the end of its socket alone. Blocked, not ignored: a container that gets SIGTERM before it
    # can handle it then still gets it.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    return reader


if __name__ == "__main__":
    main(int(sys.argv[1]))
