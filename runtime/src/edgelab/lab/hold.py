"""`edgelab hold`: run a program so that a restarted supervisor takes it over instead of starting it twice.

The program gets a session of its own and writes to a log file, so nothing ties it to the supervisor. A record file says
which process it is and with which fingerprint it was started. The next `hold` for the same record finds it and

- watches it, when it runs with the fingerprint that is wanted now,
- ends it and starts the program anew, when the fingerprint differs,
- starts the program, when it is gone.

SIGTERM ends the program by --stop-signal (SIGKILL after --stop-seconds). When the supervisor dies, `hold` ends and the
program lives on. The exit status is the program's, 128+N when signal N ended it, 127 when it could not be started; of a
program that an earlier `hold` started it cannot be known: 0 when it was told to end, else 1.

One of these stands beside every process of a lab, so this file keeps to small parts of the standard library and can be
run by itself: `python -I -S hold.py ...`.
"""

import json
import os
import select
import signal
import sys
import time
from types import SimpleNamespace

TYPE_CHECKING = False  # typing itself would weigh 1 MB
if TYPE_CHECKING:
    from argparse import ArgumentParser, Namespace


STDOUT, STDERR = 1, 2
CANNOT_START = 127
LOOK_AT_LOG_SECONDS = 60


def add_arguments(parser: "ArgumentParser") -> None:
    """The arguments of `edgelab hold`."""
    parser.add_argument("--record", required=True, metavar="FILE", help="says which process is the program")
    parser.add_argument("--fingerprint", required=True, metavar="TEXT", help="another one restarts the program")
    parser.add_argument("--log", required=True, metavar="FILE", help="gets what the program writes")
    parser.add_argument("--log-megabytes", type=int, default=10, metavar="N", help="size at which FILE becomes FILE.1")
    parser.add_argument("--stop-seconds", type=float, default=10, metavar="N", help="from that signal to SIGKILL")
    parser.add_argument("--stop-signal", default="TERM", metavar="NAME", help="asks the program to end")
    parser.add_argument("program", nargs="+", metavar="PROGRAM", help="what to run, after --")


def run(arguments: "Namespace | SimpleNamespace") -> int:
    """Hold the program until it ends; returns its exit status."""
    log = open_log(arguments.log)
    os.dup2(log, STDERR)
    return _Hold(arguments, log).run()


class _Hold:
    """One run of `edgelab hold`; `told` once SIGTERM or SIGINT asked for the end."""

    def __init__(self, arguments: "Namespace | SimpleNamespace", log: int) -> None:
        self.arguments = arguments
        self.log = log
        self.told = False
        self.wakeup, writer = os.pipe()
        os.set_blocking(writer, False)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)

    def run(self) -> int:
        """Take over or start, then watch."""
        record = read_record(self.arguments.record)
        running = open_recorded(record)
        if running is not None and record["fingerprint"] != self.arguments.fingerprint:
            say(f"process {record['pid']} was started differently: ending it")
            self._watch(running, end=True)
            if self.told:
                return 0
            running = None
        if running is not None:
            say(f"watching process {record['pid']}, which already runs")
            self._watch(running)
            return 0 if self.told else 1
        return self._run_program()

    def _run_program(self) -> int:
        limit_log(self.log, self.arguments.log, self.arguments.log_megabytes)
        pid = start(self.arguments.program, self.arguments.record, self.arguments.fingerprint, self.log)
        self._watch(os.pidfd_open(pid))
        status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return status if status >= 0 else 128 - status

    def _watch(self, program: int, *, end: bool = False) -> None:
        """Return when the program (a pidfd) has ended; on the way pass on the wish that it end."""
        poller = select.poll()
        poller.register(program, select.POLLIN)
        poller.register(self.wakeup, select.POLLIN)
        # Only an error can be seen here: the supervisor, which reads our output, is gone.
        poller.register(STDOUT, 0)
        deadline = self._ask_to_end(program) if end else None
        while True:
            seen = {file for file, _events in poller.poll(_milliseconds(deadline))}
            if program in seen:
                return
            if STDOUT in seen:
                raise SystemExit(0)
            if self.wakeup in seen:
                os.read(self.wakeup, 64)
                self.told = True
                deadline = deadline or self._ask_to_end(program)
            if deadline is not None and time.monotonic() >= deadline:
                send(program, signal.SIGKILL)
            limit_log(self.log, self.arguments.log, self.arguments.log_megabytes)

    def _ask_to_end(self, program: int) -> float:
        """Ask a program (a pidfd) to end; returns the monotonic time when patience ends."""
        send(program, signal.Signals[f"SIG{self.arguments.stop_signal}"])
        return time.monotonic() + float(self.arguments.stop_seconds)


def _milliseconds(deadline: float | None) -> float:
    seconds = LOOK_AT_LOG_SECONDS if deadline is None else deadline - time.monotonic()
    return max(seconds, 0.05) * 1000


def start(program: list[str], record: str, fingerprint: str, log: int) -> int:
    """Fork and become the program in the child; returns its pid.

    The child writes the record itself before it becomes the program: however and whenever we end, no program runs
    without a record.
    """
    pid = os.fork()
    if pid:
        return pid
    try:
        _leave_supervisor(log)
        write_record(record, fingerprint)
        kept = {name: value for name, value in os.environ.items() if not name.startswith("SUPERVISOR_")}
        os.execvpe(program[0], program, kept)  # noqa: S606 - there is no shell on purpose
    except OSError as error:
        say(f"cannot start {program[0]}: {error}")
    finally:
        os._exit(CANNOT_START)


def _leave_supervisor(log: int) -> None:
    os.setsid()
    signal.set_wakeup_fd(-1)
    # What is ignored stays so in the program: Python ignores SIGPIPE and SIGXFSZ, a shell's `&` SIGINT and SIGQUIT.
    for number in signal.valid_signals() - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(log, STDOUT)
    os.dup2(log, STDERR)


def write_record(path: str, fingerprint: str) -> None:
    """Record this process."""
    pid = os.getpid()
    record = {"pid": pid, "start_time": start_time(pid), "boot_id": boot_id(), "fingerprint": fingerprint}
    temporary = f"{path}.new"
    with open(temporary, "w", encoding="utf-8") as file:  # noqa: PTH123 - pathlib would weigh 1 MB in each hold
        json.dump(record, file)
    os.replace(temporary, path)  # noqa: PTH105


def read_record(path: str) -> dict[str, object]:
    """What a record file says; empty when there is none or it cannot be read."""
    try:
        with open(path, encoding="utf-8") as file:  # noqa: PTH123
            record = json.load(file)
    except (OSError, ValueError):
        return {}
    complete = isinstance(record, dict) and {"pid", "start_time", "boot_id", "fingerprint"} <= record.keys()
    return record if complete else {}


def open_recorded(record: dict[str, object]) -> int | None:
    """A pidfd of the process that a record names; None when it no longer runs."""
    pid = record.get("pid")
    if not isinstance(pid, int) or record["boot_id"] != boot_id():
        return None
    try:
        program = os.pidfd_open(pid)
    except OSError:
        return None
    # Looked at after the pidfd is open: from here on the number cannot go to another process.
    if start_time(pid) == record["start_time"]:
        return program
    os.close(program)
    return None


def start_time(pid: int) -> int | None:
    """When a process started, in clock ticks since boot; None when it is gone or a zombie."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:  # noqa: PTH123
            # The name in parentheses may hold anything, parentheses too.
            fields = file.read().rpartition(b")")[2].split()
    except OSError:
        return None
    return None if fields[0] in (b"Z", b"X") else int(fields[19])


def boot_id() -> str:
    """Identifies this run of the kernel; pids and start times mean nothing in another."""
    with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:  # noqa: PTH123
        return file.read().strip()


def end(program: int, stop_seconds: float) -> None:
    """End a program (a pidfd) and wait until it has ended: SIGTERM, SIGKILL after some seconds."""
    send(program, signal.SIGTERM)
    if not select.select([program], [], [], stop_seconds)[0]:
        send(program, signal.SIGKILL)
        select.select([program], [], [])


def send(program: int, number: int) -> None:
    """Send a signal to a program (a pidfd) that may have ended."""
    try:
        signal.pidfd_send_signal(program, number)
    except ProcessLookupError:
        return


def open_log(path: str) -> int:
    """A log file that each write extends, also after it was cut."""
    return os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o600)


def limit_log(log: int, path: str, megabytes: int) -> None:
    """Move the content of a log that has grown too long to PATH.1; the file that the program writes to stays."""
    size = os.fstat(log).st_size
    if size <= megabytes * 1_000_000:
        return
    old = os.open(f"{path}.1", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        copied = 0
        while copied < size:
            copied += os.sendfile(old, log, copied, size - copied) or size
        os.ftruncate(log, 0)
    finally:
        os.close(old)


def say(text: str) -> None:
    """A line of our own in the program's log."""
    os.write(STDERR, f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} edgelab hold: {text}\n".encode())


def _run_by_itself(words: list[str]) -> int:
    # argparse would double what each hold weighs; lab_processes writes these words.

    end = words.index("--")
    options = {name[2:].replace("-", "_"): value for name, value in zip(words[:end:2], words[1:end:2], strict=True)}
    numbers = {"log_megabytes": int(options.get("log_megabytes", 10)), "stop_seconds": float(options["stop_seconds"])}
    return run(SimpleNamespace(**{"stop_signal": "TERM"} | options | numbers, program=words[end + 1 :]))


if __name__ == "__main__":
    sys.exit(_run_by_itself(sys.argv[1:]))
