"""The committed Wasm modules by themselves."""

from pathlib import Path

import pytest
import wasmtime

WASM = Path(__file__).parents[4] / "wasm"
PAGE = 65536


@pytest.mark.parametrize("module", sorted(WASM.glob("*.wasm")), ids=lambda module: module.stem)
def test_a_guest_needs_little_of_a_pods_memory_limit(module: Path) -> None:
    exports = {export.name: export.type for export in wasmtime.Module.from_file(wasmtime.Engine(), str(module)).exports}
    memory = exports["memory"]
    assert isinstance(memory, wasmtime.MemoryType)
    assert memory.limits.min * PAGE < 256 * 1024


def test_the_broker_names_its_device_and_stays(start_wasm) -> None:
    broker = start_wasm("hello", DEBUG_ECHO_DESCRIPTION='"foo0"')
    assert broker.stdout.readline() == 'Pod is running and using debugEcho device named: "foo0"\n'
    assert broker.poll() is None


def test_a_broker_without_a_device_fails(start_wasm) -> None:
    broker = start_wasm("hello")
    told, _errors = broker.communicate(timeout=20)
    assert broker.returncode == 1
    assert told == "DEBUG_ECHO_DESCRIPTION is not set: this Pod was given no debugEcho device\n"


def test_a_handler_without_its_directory_fails(start_wasm) -> None:
    handler = start_wasm("debug_echo")
    told, _errors = handler.communicate(timeout=20)
    assert handler.returncode == 1
    assert told.splitlines()[-1] == "There is no /tmp/wde-dir: mount the handler's directory there"


def test_a_handler_says_once_that_it_waits(start_wasm, handler_dir: Path) -> None:
    handler = start_wasm("debug_echo", handler_dir)
    assert [handler.stdout.readline() for _line in range(2)] == [
        "Wasi Debug Echo is up and running :)\n",
        "Input not specified yet!\n",
    ]
    (handler_dir / "in.in").write_text('{"descriptions":[]}')
    assert handler.stdout.readline() == 'output: {"devices":[]}\n'
    (handler_dir / "in.in").unlink()
    assert handler.stdout.readline() == "Input not specified yet!\n"
    assert (handler_dir / "debug-echo-availability.txt").read_text() == "ONLINE"
