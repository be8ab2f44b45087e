"""A fake agent, real sockets, and the committed Wasm handler running in wasmtime."""

import asyncio
import contextlib
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from edgelab.service.sockets import serve_grpc
from edgelab.wire import discovery_pb2 as wire
from edgelab.wire.discovery_grpc import DiscoveryHandlerStub, RegistrationBase
from grpclib.client import Channel

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

PATIENCE = 20.0


class FakeAgent(RegistrationBase):
    """Takes registrations on a socket, and asks handlers for devices."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.registrations: asyncio.Queue[wire.RegisterDiscoveryHandlerRequest] = asyncio.Queue()

    async def RegisterDiscoveryHandler(self, stream) -> None:  # noqa: N802
        self.registrations.put_nowait(await stream.recv_message())
        await stream.send_message(wire.Empty())

    def up(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Listen while the block runs."""
        return serve_grpc(self.socket, [self])

    async def registered(self) -> wire.RegisterDiscoveryHandlerRequest:
        """Wait for the next registration."""
        return await asyncio.wait_for(self.registrations.get(), PATIENCE)

    async def devices(self, details: str) -> list[str]:
        """Wait for a registration, ask that handler, and drop the stream after its first answer."""
        endpoint = (await self.registered()).endpoint
        async with self.discover(endpoint, details) as answers:
            return await answers.next_ids()

    @contextlib.asynccontextmanager
    async def discover(self, endpoint: str, details: str) -> AsyncIterator["Answers"]:
        """Ask a handler; the stream is dropped when the block ends."""
        channel = Channel(path=endpoint)
        try:
            async with DiscoveryHandlerStub(channel).Discover.open() as stream:
                await stream.send_message(wire.DiscoverRequest(discovery_details=details), end=True)
                try:
                    yield Answers(stream)
                finally:
                    with contextlib.suppress(Exception):
                        await stream.cancel()
        finally:
            channel.close()


class Answers:
    """What comes back from Discover."""

    def __init__(self, stream) -> None:
        self._stream = stream

    async def next(self) -> list[wire.Device]:
        """The next list of devices; raises GRPCError when the handler refused."""
        response = await asyncio.wait_for(self._stream.recv_message(), PATIENCE)
        assert response is not None, "the handler ended the stream"
        return list(response.devices)

    async def next_ids(self) -> list[str]:
        """The ids in the next list."""
        return [device.id for device in await self.next()]


@pytest.fixture
def run_dir() -> Iterator[Path]:
    """A run directory, short enough for sockets."""
    with tempfile.TemporaryDirectory(prefix="el-", dir="/tmp") as directory:
        (Path(directory) / "akri").mkdir()
        yield Path(directory)


@pytest.fixture
def agent(run_dir: Path) -> FakeAgent:
    """An agent that does not listen yet."""
    return FakeAgent(run_dir / "akri" / "agent-registration.sock")


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
