"""`edgelab proxy` as a process: its end, planned or not."""

import asyncio
import contextlib
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENCE = 20.0
DETAILS = "descriptions: [foo0, foo1]"


@pytest.fixture
def start_process(run_dir: Path, handler_dir: Path) -> Iterator[Callable[[], subprocess.Popen[str]]]:
    """Starts `edgelab proxy` as the lab does, as often as called."""
    flags = ["--run", str(run_dir), "--handler", f"debugEcho={handler_dir}"]
    with contextlib.ExitStack() as ends:

        def start() -> subprocess.Popen[str]:
            argv = [sys.executable, "-m", "edgelab", "proxy", *flags]
            process = subprocess.Popen(argv, stderr=subprocess.PIPE, text=True)
            ends.callback(process.communicate)
            ends.callback(process.kill)
            return process

        yield start


async def test_a_killed_proxy_comes_back_over_its_stale_sockets(
    agent, handler_dir: Path, start_guest, start_process
) -> None:
    start_guest()
    async with agent.up():
        first = start_process()
        async with agent.discover((await agent.registered()).endpoint, DETAILS) as answers:
            assert await answers.next_ids() == ["foo0", "foo1"]
            first.kill()
            await asyncio.to_thread(first.wait)
            start_process()
            assert await agent.devices(DETAILS) == ["foo0", "foo1"]


async def test_sigterm_ends_the_proxy_and_its_sockets(agent, run_dir: Path, start_process) -> None:
    async with agent.up():
        process = start_process()
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, DETAILS):
            process.terminate()
            _output, log = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert process.returncode == 0
    assert log.splitlines()[-1].endswith("stopped")
    assert not Path(endpoint).exists()
    assert not (run_dir / "proxy.sock").exists()


async def test_a_missing_directory_is_told_in_one_line(handler_dir: Path, start_process) -> None:
    handler_dir.rmdir()
    process = start_process()
    _output, log = await asyncio.to_thread(process.communicate, timeout=PATIENCE)
    assert process.returncode == 1
    assert f"Watch the handler's directory {handler_dir}" in log.splitlines()[-1]
