"""Containers for real: the zygote, the processes it forks, and their adoption."""

import asyncio
import os
import shutil
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import wasmtime
from edgelab.node.containers.process import ProcessIdentity
from edgelab.node.containers.records import ContainerSpec, Exit, Preopen, RunDirectory, Start
from edgelab.node.containers.runtime import Containers

DEADLINE = 10.0
MEBI = 1024 * 1024

IMPORTS = """
(import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
(import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "fd_read" (func $fd_read (param i32 i32 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_sizes_get" (func $args_sizes (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_open"
  (func $path_open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
(import "wasi_snapshot_preview1" "path_create_directory" (func $mkdir (param i32 i32 i32) (result i32)))
(memory (export "memory") 2)
(func $say (param $to i32) (param $at i32) (param $length i32)
  (i32.store (i32.const 0) (local.get $at))
  (i32.store (i32.const 4) (local.get $length))
  (drop (call $fd_write (local.get $to) (i32.const 0) (i32.const 1) (i32.const 8))))
(data (i32.const 100) "hello\\n")
(data (i32.const 120) "newdir")
(data (i32.const 140) "greeting")
"""

HELLO = "(call $say (i32.const 1) (i32.const 100) (i32.const 6))"
SPIN = f"{HELLO} (loop (br 0))"
BOTH = f"{HELLO} (call $say (i32.const 2) (i32.const 100) (i32.const 6))"
UNFINISHED = """
(call $say (i32.const 1) (i32.const 100) (i32.const 4)) (call $say (i32.const 2) (i32.const 100) (i32.const 6))
(loop (br 0))"""
STDIN_IS_EMPTY = """
(i32.store (i32.const 0) (i32.const 200)) (i32.store (i32.const 4) (i32.const 10))
(drop (call $fd_read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
(call $exit (i32.load (i32.const 8)))"""
ENVIRONMENT = """
(drop (call $environ_sizes (i32.const 40) (i32.const 44))) (drop (call $environ (i32.const 200) (i32.const 4000)))
(call $say (i32.const 1) (i32.const 4000) (i32.load (i32.const 44)))"""
ARGUMENTS = """
(drop (call $args_sizes (i32.const 40) (i32.const 44))) (drop (call $args (i32.const 200) (i32.const 4000)))
(call $say (i32.const 1) (i32.const 4000) (i32.load (i32.const 44)))"""
# Opens `greeting` in the first pre-opened directory (descriptor 3) and says what is in it.
READ_FILE = """
(if (call $path_open (i32.const 3) (i32.const 0) (i32.const 140) (i32.const 8) (i32.const 0)
      (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 48)) (then (call $exit (i32.const 1))))
(i32.store (i32.const 0) (i32.const 4000)) (i32.store (i32.const 4) (i32.const 100))
(drop (call $fd_read (i32.load (i32.const 48)) (i32.const 0) (i32.const 1) (i32.const 52)))
(call $say (i32.const 1) (i32.const 4000) (i32.load (i32.const 52)))"""
MAKE_DIRECTORY = "(call $exit (call $mkdir (i32.const 3) (i32.const 120) (i32.const 6)))"
GROW = "(call $exit (i32.eq (memory.grow (i32.const 1000)) (i32.const -1)))"


class Bench:
    """Containers, and what a test needs to run modules in them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.endings: list[Path] = []
        self.containers = self.successor()

    def successor(self) -> Containers:
        return Containers(self.directory, on_end=self.endings.append)

    def spec(self, body: str, **fields: object) -> ContainerSpec:
        number = len(list(self.directory.glob("run*")))
        run, module = self.directory / f"run{number}", self.directory / f"module{number}"
        run.mkdir()
        wasm = wasmtime.wat2wasm(f'(module {IMPORTS} (func (export "_start") {body}))')
        module.write_bytes(wasmtime.Module(wasmtime.Engine(), wasm).serialize())
        known = {"arguments": ("main",), "memory_limit": 16 * MEBI} | fields
        return ContainerSpec(str(run), str(module), **known)  # type: ignore[arg-type]

    async def start(self, body: str, **fields: object) -> RunDirectory:
        spec = self.spec(body, **fields)
        await self.containers.start(spec)
        return RunDirectory(Path(spec.directory))

    async def ended(self, run: RunDirectory) -> Exit:
        await until(lambda: run.exit() and not self.containers.is_running(run))
        end = run.exit()
        assert end is not None
        return end

    async def run(self, body: str, **fields: object) -> tuple[Exit, bytes]:
        run = await self.start(body, **fields)
        return await self.ended(run), said(run)


def said(run: RunDirectory) -> bytes:
    """The text of a log, without times, streams and tags."""
    return b"\n".join(line.split(b" ", 3)[3] for line in run.log.read_bytes().split(b"\n")[:-1])


async def until(true: Callable[[], object]) -> None:
    async with asyncio.timeout(DEADLINE):
        while not true():  # noqa: ASYNC110  it waits for other processes
            await asyncio.sleep(0.01)


@pytest.fixture
async def bench(tmp_path: Path) -> AsyncIterator[Bench]:
    it = Bench(tmp_path)
    async with it.containers:
        yield it
    for path in tmp_path.glob("run*"):
        start = RunDirectory(path).start()
        if start and RunDirectory(path).exit() is None:
            os.kill(start.process.pid, signal.SIGKILL)


async def test_a_module_runs_and_ends(bench: Bench) -> None:
    end, text = await bench.run(BOTH)
    assert (end.exit_code, end.reason) == (0, "Completed")
    assert text == b"hello\nhello"
    assert [path.name for path in bench.endings] == ["run0"]


@pytest.mark.parametrize(("given", "kept"), [(0, 0), (3, 3), (126, 126), (255, 255), (256, 0), (-1, 255)])
async def test_exit_codes_are_kept(bench: Bench, given: int, kept: int) -> None:
    end, _text = await bench.run(f"(call $exit (i32.const {given}))")
    assert (end.exit_code, end.reason) == (kept, "Error" if kept else "Completed")


async def test_a_trap_is_told(bench: Bench) -> None:
    end, text = await bench.run(f"{HELLO} unreachable")
    assert (end.exit_code, end.reason) == (134, "Error")
    assert "unreachable" in end.message
    assert text == b"hello"


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGKILL, 137)])
async def test_a_busy_module_can_be_stopped(bench: Bench, number: signal.Signals, code: int) -> None:
    run = await bench.start(SPIN)
    assert bench.containers.is_running(run)
    await until(lambda: run.log.exists() and run.log.stat().st_size)
    bench.containers.signal(run, number)
    assert (await bench.ended(run)).exit_code == code
    assert said(run) == b"hello"


async def test_what_was_said_last_is_kept_when_it_is_stopped(bench: Bench) -> None:
    run = await bench.start(UNFINISHED)
    await until(lambda: run.log.exists() and b"stderr" in run.log.read_bytes())
    bench.containers.signal(run, signal.SIGTERM)
    await bench.ended(run)
    assert run.log.read_bytes().endswith(b" stdout P hell\n")


async def test_memory_beyond_the_limit(bench: Bench) -> None:
    denied, _text = await bench.run(GROW)
    assert denied.exit_code == 1
    granted, _text = await bench.run(GROW, memory_limit=128 * MEBI)
    assert granted.exit_code == 0
    killed, _text = await bench.run(HELLO, memory_limit=MEBI // 16)
    assert (killed.exit_code, killed.reason) == (137, "OOMKilled")


async def test_a_file_that_is_no_compiled_module(bench: Bench) -> None:
    spec = bench.spec(HELLO)
    Path(spec.module).write_bytes(b"garbage")
    await bench.containers.start(spec)
    end = await bench.ended(RunDirectory(Path(spec.directory)))
    assert (end.exit_code, end.reason) == (128, "ContainerCannotRun")


async def test_environment_and_arguments(bench: Bench) -> None:
    _end, text = await bench.run(ENVIRONMENT, environment={"A": "1", "B": "ü"})
    assert text.split(b"\0") == [b"A=1", "B=ü".encode(), b""]
    _end, text = await bench.run(ARGUMENTS, arguments=("main", "--x", ""))
    assert text.split(b"\0") == [b"main", b"--x", b"", b""]


async def test_nothing_of_the_nodes_own_reaches_a_module(bench: Bench) -> None:
    _end, text = await bench.run(ENVIRONMENT)
    assert text == b""
    end, _text = await bench.run(STDIN_IS_EMPTY)
    assert end.exit_code == 0
    end, _text = await bench.run(READ_FILE)
    assert end.exit_code == 1


async def test_directories(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared" / "greeting").write_text("from the host")
    readable = Preopen(str(tmp_path / "shared"), "/data", writable=False)
    _end, text = await bench.run(READ_FILE, preopens=(readable,))
    assert text == b"from the host"
    end, _text = await bench.run(MAKE_DIRECTORY, preopens=(readable,))
    assert end.exit_code != 0
    end, _text = await bench.run(MAKE_DIRECTORY, preopens=(Preopen(str(tmp_path / "shared"), "/data"),))
    assert end.exit_code == 0
    assert (tmp_path / "shared" / "newdir").is_dir()


async def test_a_container_is_a_process_of_its_own(bench: Bench) -> None:
    run = await bench.start(SPIN)
    start = run.start()
    assert start is not None
    pid = start.process.pid
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    assert os.getsid(pid) == pid
    assert status["NoNewPrivs"].strip() == "1"
    assert status["Umask"].strip() == "0077"
    assert os.getpriority(os.PRIO_PROCESS, pid) > os.getpriority(os.PRIO_PROCESS, 0)
    sockets = [path for path in Path(f"/proc/{pid}/fd").iterdir() if "socket" in str(path.readlink())]
    assert sockets == []
    assert run.log.stat().st_mode & 0o777 == 0o600


async def test_the_next_node_adopts_what_lives_and_learns_what_ended(bench: Bench) -> None:
    kept, stopped, killed = [await bench.start(SPIN) for _run in range(3)]
    await bench.containers.__aexit__()
    start = stopped.start()
    assert start is not None
    os.kill(start.process.pid, signal.SIGTERM)
    await until(stopped.exit)

    bench.containers = bench.successor()
    async with bench.containers:
        for run in (kept, stopped, killed):
            await bench.containers.adopt(run)
        assert bench.containers.is_running(kept)
        assert not bench.containers.is_running(stopped)
        assert (await bench.ended(stopped)).exit_code == 143
        # The zygote of the former node is still there to see this one killed.
        bench.containers.signal(killed, signal.SIGKILL)
        assert await bench.ended(killed) == Exit(137, "Error", _finished(killed), "Ended by SIGKILL")
        bench.containers.signal(kept, signal.SIGKILL)
        await bench.ended(kept)


def _finished(run: RunDirectory) -> str:
    end = run.exit()
    assert end is not None
    return end.finished_at


async def test_a_run_before_a_reboot_counts_as_ended(bench: Bench, tmp_path: Path) -> None:
    run = RunDirectory(tmp_path / "run-old")
    run.path.mkdir()
    run.record_start(Start(ProcessIdentity(os.getpid(), 1, "another boot"), "2026-11-21T09:00:00Z"))
    await bench.containers.adopt(run)
    end = run.exit()
    assert end is not None
    assert (end.exit_code, end.reason) == (137, "ContainerStatusUnknown")


async def test_containers_outlive_a_killed_zygote_and_another_takes_its_place(bench: Bench) -> None:
    before = await bench.start(SPIN)
    start = before.start()
    assert start is not None
    zygote = int(Path(f"/proc/{start.process.pid}/stat").read_text().rpartition(")")[2].split()[1])
    os.kill(zygote, signal.SIGKILL)
    await until(lambda: Path(f"/proc/{zygote}/stat").read_text().rpartition(")")[2].split()[0] == "Z")
    end, _text = await bench.run(HELLO)
    assert end.exit_code == 0
    assert bench.containers.is_running(before)
    bench.containers.signal(before, signal.SIGTERM)
    assert (await bench.ended(before)).exit_code == 143


async def test_a_container_ends_when_its_directory_is_removed(bench: Bench) -> None:
    run = await bench.start(SPIN)
    # The zygote may note its end there meanwhile.
    shutil.rmtree(run.path, ignore_errors=True)
    await until(lambda: not bench.containers.is_running(run))


async def test_many_at_once(bench: Bench) -> None:
    ends = await asyncio.gather(*(bench.run(HELLO) for _run in range(20)))
    assert {(end.exit_code, text) for end, text in ends} == {(0, b"hello")}
