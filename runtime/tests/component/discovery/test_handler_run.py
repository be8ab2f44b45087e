"""`edgelab handler run`: what a person sees, on a terminal and elsewhere."""

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

PATIENCE = 20.0

Run = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def availability(tmp_path: Path) -> Path:
    """The file that unplugs devices."""
    return tmp_path / "availability.txt"


@pytest.fixture
def run(tmp_path: Path, availability: Path) -> Iterator[Run]:
    """Starts `edgelab handler run` with these words; keywords are Popen's."""
    details = tmp_path / "details.yaml"
    details.write_text("descriptions: [foo0, foo1]")
    environment = os.environ | {"DEBUG_ECHO_AVAILABILITY_FILE": str(availability), "HOME": str(tmp_path)}
    with contextlib.ExitStack() as ends:

        def start(*words: object, **more: Any) -> subprocess.Popen[str]:
            argv = [sys.executable, "-m", "edgelab", "handler", "run", *map(str, words)]
            options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment} | more
            process: subprocess.Popen[str] = subprocess.Popen(argv, cwd=tmp_path, **options)
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process

        yield start


def test_each_change_is_a_line_and_ctrl_c_ends_it_well(run: Run, availability: Path) -> None:
    process = run("debugEcho", "--details", "details.yaml")
    assert process.stdout
    assert [process.stdout.readline() for _device in range(2)] == ["+ foo0\n", "+ foo1\n"]
    availability.write_text("OFFLINE foo1\n")
    assert process.stdout.readline() == "- foo1\n"
    availability.write_text("\n")
    assert process.stdout.readline() == "+ foo1\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=PATIENCE) == ("", "")
    assert process.returncode == 0


def test_details_come_from_standard_input_and_once_ends_it(run: Run) -> None:
    process = run("debug_echo", "--details", "-", "--once", "--properties", stdin=subprocess.PIPE)
    output, error = process.communicate("descriptions: [a]", timeout=PATIENCE)
    assert (output, error, process.returncode) == ("+ a DEBUG_ECHO_DESCRIPTION=a\n", "", 0)


@pytest.mark.parametrize(
    ("shared", "flags", "named"),
    [
        ("true", [], "akri-debug-echo-8120fe"),
        ("true", ["--node", "krustlet-wasi"], "akri-debug-echo-8120fe"),
        ("false", ["--node", "krustlet-wasi"], "akri-debug-echo-6854ca"),
    ],
)
def test_instances_are_named_as_akri_names_them(run: Run, shared: str, flags: list[str], named: str) -> None:
    environment = os.environ | {"DEBUG_ECHO_INSTANCES_SHARED": shared}
    words = ["debug_echo", "--details", "details.yaml", "--once", "--configuration", "akri-debug-echo", *flags]
    output, _error = run(*words, env=environment).communicate(timeout=PATIENCE)
    assert output.splitlines()[0] == f"+ foo0 {named}"


def test_instances_of_local_devices_need_a_node(run: Run) -> None:
    environment = os.environ | {"DEBUG_ECHO_INSTANCES_SHARED": "false"}
    process = run("debug_echo", "--details", "details.yaml", "--configuration", "c", env=environment)
    assert "Give --node NAME" in process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["debugEcho"], "discoveryDetails.descriptions is missing; a list of texts is wanted"),
        (
            ["debugEcho", "--details", "nowhere.yaml"],
            "Read the discovery details in nowhere.yaml. [Errno 2] No such",
        ),
        (["nonsense"], "Find the discovery handler nonsense. Built in are debug_echo, http, udev."),
        (
            ["broken.py"],
            "Find devices by the handler broken. DIR/broken.py, line 5: ZeroDivisionError: ",
        ),
    ],
)
def test_what_is_wrong_is_told_in_one_line(run: Run, tmp_path: Path, words: list[str], told: str) -> None:
    (tmp_path / "broken.py").write_text(
        "from edgelab.discovery.sdk import handler\n"
        "@handler('broken', shared=True)\n"
        "async def HANDLER(details: str, properties):\n"
        "    yield []\n"
        "    yield 1 / 0\n"
    )
    process = run(*words)
    output, error = process.communicate(timeout=PATIENCE)
    assert (output, process.returncode) == ("", 1)
    assert error.startswith(f"edgelab handler: {told.replace('DIR', str(tmp_path))}")
    assert len(error.splitlines()) == 1


def test_a_reader_who_has_seen_enough_is_no_error(run: Run, availability: Path) -> None:
    process = run("debugEcho", "--details", "details.yaml")
    assert process.stdout
    assert process.stderr
    assert process.stdout.readline() == "+ foo0\n"
    process.stdout.close()
    availability.write_text("OFFLINE\n")
    assert process.wait(PATIENCE) == 0
    assert process.stderr.read() == ""


class Terminal:
    """A terminal of 60 columns, and what stands on it: enough of one for what is drawn here."""

    def __init__(self) -> None:
        self._ours, self.theirs = pty.openpty()
        fcntl.ioctl(self.theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 20, 60, 0, 0))
        self.lines: list[str] = []

    def read_until(self, last: str) -> list[str]:
        """Draw what comes until the last line is that one; returns the lines. Fails when nothing comes any more."""
        while not self.lines or self.lines[-1] != last:
            assert select.select([self._ours], [], [], PATIENCE)[0], f"it stays like this: {self.lines}"
            self._draw(os.read(self._ours, 65536).decode())
        return self.lines

    def _draw(self, text: str) -> None:
        for up, drawn in self._frames(text):
            self.lines = self.lines[: len(self.lines) - up] + drawn.replace("\r", "").splitlines()

    @staticmethod
    def _frames(text: str) -> Iterator[tuple[int, str]]:
        """How far each drawing goes up, and what it draws after it has erased what is below."""
        before = 0
        for part in text.split("\x1b[J"):
            body, _escape, up = part.partition("\x1b[")
            if body:
                yield before, body
            before = int(up.removesuffix("F")) if up else 0

    def close(self) -> None:
        """Take it away."""
        os.close(self._ours)
        os.close(self.theirs)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    """A terminal for one program."""
    with contextlib.closing(Terminal()) as made:
        yield made


def test_on_a_terminal_the_table_is_drawn_again(run: Run, terminal: Terminal, availability: Path) -> None:
    process = run(
        "debugEcho", "--details", "details.yaml", "--configuration", "c", stdout=terminal.theirs, stderr=terminal.theirs
    )
    assert terminal.read_until("2 devices") == ["DEVICE  INSTANCE", "foo0    c-8120fe", "foo1    c-a19705", "2 devices"]
    availability.write_text("OFFLINE foo0\n")
    assert terminal.read_until("1 device") == ["DEVICE  INSTANCE", "foo1    c-a19705", "1 device"]
    process.send_signal(signal.SIGINT)
    assert process.wait(PATIENCE) == 0


def test_on_a_terminal_warnings_stand_above_the_table(run: Run, terminal: Terminal, tmp_path: Path) -> None:
    (tmp_path / "warning.py").write_text(
        "import logging\n"
        "from edgelab.discovery.sdk import Device, handler\n"
        "@handler('warning', shared=True)\n"
        "async def HANDLER(details: str, properties):\n"
        "    yield [Device('a')]\n"
        "    logging.getLogger('warning').warning('the \\x1b[2J greenhouse is hot')\n"
        "    yield [Device('a'), Device('b')]\n"
    )
    run("warning.py", stdout=terminal.theirs, stderr=terminal.theirs)
    seen = terminal.read_until("2 devices")
    assert seen == ["the \\x1b[2J greenhouse is hot", "DEVICE", "a", "b", "2 devices"]
