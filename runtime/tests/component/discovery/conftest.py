"""A fake agent, real sockets, and the committed Wasm handler running in wasmtime."""

import contextlib
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edgelab.discovery.testing import Agent

WASM = Path(__file__).parents[4] / "wasm"

GUEST = """
import os, sys, wasmtime
engine = wasmtime.Engine()
linker = wasmtime.Linker(engine)
linker.define_wasi()
wasi = wasmtime.WasiConfig()
wasi.inherit_stdout()
wasi.inherit_stderr()
wasi.env = [(name, value) for name, value in os.environ.items() if name == "DEBUG_ECHO_DESCRIPTION"]
for directory in sys.argv[2:]:
    wasi.preopen_dir(directory, "/tmp/wde-dir")
store = wasmtime.Store(engine)
store.set_wasi(wasi)
module = wasmtime.Module.from_file(engine, sys.argv[1])
try:
    linker.instantiate(store, module).exports(store)["_start"](store)
except wasmtime.ExitTrap as end:
    sys.exit(end.code)
"""


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run directory, short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="el-", dir="/tmp") as directory:
        (Path(directory) / "akri").mkdir()
        yield Path(directory)


@pytest.fixture
def agent(run_dir: Path) -> Agent:
    """An agent that does not listen yet."""
    return Agent(run_dir / "akri" / "agent-registration.sock")


@pytest.fixture
def handler_dir(tmp_path: Path) -> Path:
    """An empty handler directory."""
    directory = tmp_path / "handler"
    directory.mkdir()
    return directory


@pytest.fixture
def start_wasm() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts a committed Wasm module: its name, directories to mount, and environment variables as keywords."""
    with contextlib.ExitStack() as ends:

        def start(name: str, *directories: Path, **environment: str) -> subprocess.Popen[str]:
            argv = [sys.executable, "-c", GUEST, str(WASM / f"{name}.wasm"), *map(str, directories)]
            pipe = subprocess.PIPE
            process = subprocess.Popen(argv, stdout=pipe, stderr=subprocess.STDOUT, text=True, env=environment)
            ends.callback(process.wait)
            ends.callback(process.kill)
            return process

        yield start


@pytest.fixture
def start_guest(handler_dir: Path, start_wasm: Callable[..., subprocess.Popen[str]]) -> Callable[[], Any]:
    """Starts debug_echo.wasm on the handler directory, as often as called; returns its process."""
    return lambda: start_wasm("debug_echo", handler_dir)
