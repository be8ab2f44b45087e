"""The process of a container: set apart from everything else, it runs its module, writes its log and records its end.

It is forked by the zygote and lives on when the zygote or the node dies. Its session, descriptors, umask and
privileges are its own. SIGTERM ends it as it ends any program, with what was already said in the log. When its
directory is removed, it ends too: nobody knows of it any more.
"""

import ctypes
import os
import resource
import select
import signal
import threading
from pathlib import Path
from typing import NamedTuple, NoReturn

import wasmtime
from inotify_simple import INotify, flags

from edgelab.node.containers import guest
from edgelab.node.containers.log import ContainerLog
from edgelab.node.containers.process import ProcessIdentity, identify
from edgelab.node.containers.records import ContainerSpec, Exit, RunDirectory, Start, now

NICENESS = 5
"""Modules get less of a busy processor than the node does, which must go on answering."""

_TERMINATED = 128 + signal.SIGTERM
_PR_SET_NO_NEW_PRIVS = 38
_CHUNK = 64 * 1024


class _Ends(NamedTuple):
    """Descriptors that become readable when the container is to end."""

    terminated: int
    removed: int


def contained(spec: ContainerSpec, engine: wasmtime.Engine, started: int) -> NoReturn:
    """Be the container: never returns. The process's exit code is the container's.

    The descriptor `started` is closed when the start is recorded.
    """
    run = RunDirectory(Path(spec.directory))
    try:
        _set_apart(started)
        terminated = _terminations()
        outputs = {_redirect(1): "stdout", _redirect(2): "stderr"}
        log = ContainerLog(run.log)
        run.record_start(Start(_own_identity(), now()))
        ends = _Ends(terminated, _removal_of(run.start_record))
        os.close(started)
    except OSError as error:
        _leave(run, Exit(guest.CANNOT_RUN, "ContainerCannotRun", now(), str(error)))
    pump = threading.Thread(target=_pump, args=(outputs, ends, log, run))
    pump.start()
    end = guest.run(spec, engine)
    for output in (1, 2):
        os.dup2(0, output)
    pump.join()
    _leave(run, end)


def _set_apart(keep: int) -> None:
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)
    os.closerange(3, keep)
    os.closerange(keep + 1, os.sysconf("SC_OPEN_MAX"))
    os.dup2(os.open(os.devnull, os.O_RDWR), 0)
    os.setsid()
    os.nice(NICENESS)
    os.umask(0o077)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
    os.chdir("/")


def _terminations() -> int:
    """A descriptor that becomes readable when SIGTERM arrives, even while the module computes.

    The zygote blocks SIGTERM, so one that came since the fork is pending and arrives now.
    """
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    signal.signal(signal.SIGTERM, lambda _number, _frame: None)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    return reader


def _removal_of(record: Path) -> int:
    """A descriptor that becomes readable when the file is removed.

    Where the kernel has no inotify instance left for this user, it is one that never becomes readable. Raises
    FileNotFoundError when the file is gone already.
    """
    try:
        with INotify() as watch:
            watch.add_watch(record, flags.DELETE_SELF)
            return os.dup(watch.fileno())
    except FileNotFoundError:
        raise
    except OSError:
        return os.pipe()[0]


def _redirect(output: int) -> int:
    reader, writer = os.pipe()
    os.dup2(writer, output)
    os.close(writer)
    return reader


def _own_identity() -> ProcessIdentity:
    own = identify(os.getpid())
    assert own is not None
    return own


def _pump(outputs: dict[int, str], ends: _Ends, log: ContainerLog, run: RunDirectory) -> None:
    poll = select.poll()
    for descriptor in (*outputs, *ends):
        poll.register(descriptor, select.POLLIN)
    left = set(outputs)
    while left:
        ready = [descriptor for descriptor, _events in poll.poll()]
        for descriptor in left.intersection(ready):
            said = os.read(descriptor, _CHUNK)
            log.write(outputs[descriptor], said)
            if not said:
                poll.unregister(descriptor)
                left.remove(descriptor)
        if ends.terminated in ready:
            _drain(outputs, log)
            log.close()
            _leave(run, Exit(_TERMINATED, "Error", now()))
        if ends.removed in ready:
            os._exit(_TERMINATED)
    log.close()


def _drain(outputs: dict[int, str], log: ContainerLog) -> None:
    for descriptor, stream in outputs.items():
        os.set_blocking(descriptor, False)
        try:
            log.write(stream, os.read(descriptor, _CHUNK))
        except BlockingIOError:
            continue


def _leave(run: RunDirectory, end: Exit) -> NoReturn:
    try:
        run.record_exit(end)
    finally:
        os._exit(end.exit_code)
