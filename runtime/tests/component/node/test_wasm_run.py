"""`edgelab wasm run` as a person calls it, with the committed modules and with small ones."""

import contextlib
import os
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO

import pytest
import wasmtime

WASM = Path(__file__).parents[4] / "wasm"
PATIENCE = 30.0

# Says its arguments, each ended by NUL, and ends with status 7.
ARGUMENTS = """(module
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
(memory (export "memory") 1)
(func (export "_start")
  (drop (call $args_sizes (i32.const 8) (i32.const 4))) (drop (call $args (i32.const 200) (i32.const 1000)))
  (i32.store (i32.const 0) (i32.const 1000))
  (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100)))
  (call $exit (i32.const 7))))"""
TRAP = '(module (func (export "_start") unreachable))'
SPIN = """(module
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(memory (export "memory") 1)
(data (i32.const 0) "\\08\\00\\00\\00\\05\\00\\00\\00here\\n")
(func (export "_start")
  (drop (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 100))) (loop (br 0))))"""
LIBRARY = '(module (func (export "add")))'

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    """Where the command has its temporary files."""
    directory = tmp_path / "temporary"
    directory.mkdir()
    return directory


@pytest.fixture
def start(temporary: Path) -> Iterator[Start]:
    """Starts `edgelab wasm run` with these words, as often as called."""
    with contextlib.ExitStack() as ends:

        def start(*words: object) -> subprocess.Popen[str]:
            argv = [sys.executable, "-m", "edgelab", "wasm", "run", *map(str, words)]
            environment = os.environ | {"TMPDIR": str(temporary)}
            pipe = subprocess.PIPE
            process = subprocess.Popen(argv, stdin=pipe, stdout=pipe, stderr=pipe, text=True, env=environment)
            ends.enter_context(process)
            ends.callback(process.kill)
            return process

        yield start


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(start: Start, temporary: Path) -> Run:
    """Runs it to its end, with nothing left behind; returns status, output and errors."""

    def run(*words: object, given: str = "") -> tuple[int, str, str]:
        process = start(*words)
        output, errors = process.communicate(given, timeout=PATIENCE)
        assert list(temporary.iterdir()) == []
        return process.returncode, output, errors

    return run


@pytest.fixture
def module(tmp_path: Path) -> Callable[[str], Path]:
    """Makes a module of WebAssembly text."""

    def module(text: str) -> Path:
        path = tmp_path / "module.wasm"
        path.write_bytes(wasmtime.wat2wasm(text))
        return path

    return module


def test_a_module_has_its_arguments_and_its_status_is_told(run: Run, module: Callable[[str], Path]) -> None:
    status, output, errors = run(module(ARGUMENTS), "--arg", "one two", "--arg=-x")
    assert output.split("\0") == ["module.wasm", "one two", "-x", ""]
    assert (status, errors) == (7, "module.wasm ended with status 7\n")


def test_a_trap_is_told(run: Run, module: Callable[[str], Path]) -> None:
    status, _output, errors = run(module(TRAP))
    assert status == 134
    assert "module.wasm ended with status 134: " in errors
    assert "unreachable" in errors


def test_a_module_has_no_variables_but_those_given(run: Run) -> None:
    os.environ["DEBUG_ECHO_DESCRIPTION"] = "ours"
    try:
        status, _output, errors = run(WASM / "hello.wasm")
    finally:
        del os.environ["DEBUG_ECHO_DESCRIPTION"]
    assert status == 1
    assert errors.startswith("DEBUG_ECHO_DESCRIPTION is not set")


def test_a_module_has_the_directories_and_variables_given(start: Start, tmp_path: Path) -> None:
    given = start(WASM / "hello.wasm", "--env", "DEBUG_ECHO_DESCRIPTION=a=b")
    assert given.stdout is not None
    assert given.stdout.readline() == "Pod is running and using debugEcho device named: a=b\n"
    (tmp_path / "shared").mkdir()
    handler = start(WASM / "debug_echo.wasm", "--dir", f"{tmp_path}/shared::/tmp/wde-dir")
    assert handler.stdout is not None
    assert [handler.stdout.readline() for _line in range(2)][1] == "Input not specified yet!\n"
    assert (tmp_path / "shared/debug-echo-availability.txt").read_text() == "ONLINE"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("flags", [[], ["--details", "-"]])
def test_a_signal_ends_both(
    start: Start, temporary: Path, module: Callable[[str], Path], number: signal.Signals, flags: list[str]
) -> None:
    process = start(module(SPIN), *flags)
    assert process.stdin is not None
    process.stdin.close()
    with _child(process, process.stderr if flags else process.stdout) as child:
        process.send_signal(number)
        assert process.wait(PATIENCE) == 0
        _await_end(child)
    assert list(temporary.iterdir()) == []


@contextlib.contextmanager
def _child(process: subprocess.Popen[str], output: IO[str] | None) -> Iterator[int]:
    """Waits until the module runs, and gives a descriptor of its process."""
    assert output is not None
    assert output.readline() == "here\n"
    (child,) = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
    descriptor = os.pidfd_open(int(child))
    yield descriptor
    os.close(descriptor)


def _await_end(child: int) -> None:
    assert select.select([child], [], [], PATIENCE)[0]


def test_a_module_ends_with_the_command_that_is_killed(start: Start, module: Callable[[str], Path]) -> None:
    process = start(module(SPIN))
    with _child(process, process.stdout) as child:
        process.kill()
        _await_end(child)


@pytest.fixture
def device() -> Iterator[str]:
    """The URL of an HTTP device whose value is 42.17."""

    class Device(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Length", "6")
            self.end_headers()
            self.wfile.write(b"42.17\n")

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Device) as server:
        threading.Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def test_requests_go_to_the_urls_among_the_variables(start: Start, device: str) -> None:
    broker = start(WASM / "http_broker.wasm", "--env", f"AKRI_HTTP_DEVICE_ENDPOINT={device}")
    assert broker.stdout is not None
    assert broker.stdout.readline() == f"http device {device} value 42.17\n"


def test_the_devices_of_a_handler_are_shown_as_they_come_and_go(start: Start, temporary: Path, tmp_path: Path) -> None:
    (tmp_path / "details.yml").write_text("descriptions: [foo0, foo1]")
    (tmp_path / "handler").mkdir()
    handler = start(
        WASM / "debug_echo.wasm",
        "--details",
        tmp_path / "details.yml",
        "--properties",
        "--dir",
        f"{tmp_path}/handler::/tmp/wde-dir",
    )
    assert handler.stdout is not None
    assert [handler.stdout.readline() for _line in range(2)] == [
        "+ foo0 DEBUG_ECHO_DESCRIPTION=foo0\n",
        "+ foo1 DEBUG_ECHO_DESCRIPTION=foo1\n",
    ]
    (tmp_path / "handler/debug-echo-availability.txt").write_text("OFFLINE")
    assert [handler.stdout.readline() for _line in range(2)] == ["- foo0\n", "- foo1\n"]
    handler.send_signal(signal.SIGINT)
    _output, errors = handler.communicate(timeout=PATIENCE)
    assert handler.returncode == 0
    assert [line.partition(" {")[0] for line in errors.splitlines()] == [
        "Wasi Debug Echo is up and running :)",
        *["output:"] * 2,
    ]
    assert list(temporary.iterdir()) == []


def test_a_handler_needs_no_directory_of_ours(run: Run) -> None:
    status, output, _errors = run(
        WASM / "debug_echo.wasm", "--details", "-", "--once", given='{"descriptions": ["foo0"]}'
    )
    assert (status, output) == (0, "+ foo0\n")


def test_a_handler_that_ends_is_told(run: Run) -> None:
    status, output, errors = run(WASM / "hello.wasm", "--details", "-")
    assert (status, output) == (1, "")
    assert errors.splitlines()[-1] == "hello.wasm ended with status 1"


@pytest.mark.parametrize(
    ("words", "given", "told"),
    [
        (["nothing.wasm"], "", "Run nothing.wasm. There is no such file."),
        ([WASM / "build.py"], "", "The module cannot run here: it is not WebAssembly"),
        ([WASM / "debug_echo.wasm", "--details", "-"], "descriptions: 7", "descriptions is a number, not a list"),
        ([WASM / "debug_echo.wasm", "--details", "nothing.yml"], "", "Read the discovery details in nothing.yml"),
        (
            [WASM / "debug_echo.wasm", "--details", "-", "--dir", "/tmp::/a", "--dir", "/usr::/b"],
            "",
            "It is none of /a, /b for sure. Name one of them /tmp/wde-dir",
        ),
    ],
)
def test_what_cannot_be_done_is_told(run: Run, words: list[object], given: str, told: str) -> None:
    status, _output, errors = run(*words, given=given)
    assert status == 1
    assert told in errors
    assert len(errors.splitlines()) == 1


def test_a_library_is_refused(run: Run, module: Callable[[str], Path]) -> None:
    status, _output, errors = run(module(LIBRARY))
    assert status == 1
    assert "it exports no function _start" in errors


@pytest.mark.parametrize("words", [["--dir", "/nothing/there"], ["--env", "NAME"], ["--env", "=value"]])
def test_wrong_words_are_refused(run: Run, words: list[str]) -> None:
    status, _output, errors = run(WASM / "hello.wasm", *words)
    assert status == 2
    assert words[1].lstrip("=") in errors
