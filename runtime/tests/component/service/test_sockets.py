"""gRPC over Unix sockets, and what old peers send."""

import asyncio
import contextlib
from pathlib import Path
from typing import Any

import pytest
from edgelab.core.errors import LabError
from edgelab.service.bounded import BoundedChannel
from edgelab.service.sockets import bind, grpc_channel, prepare, serve_grpc
from edgelab.wire import discovery_grpc
from edgelab.wire import discovery_pb2 as pb
from grpclib.client import Channel
from grpclib.exceptions import ProtocolError, StreamTerminatedError


class Registration(discovery_grpc.RegistrationBase):
    def __init__(self) -> None:
        self.names: list[str] = []

    async def RegisterDiscoveryHandler(self, stream: Any) -> None:  # noqa: N802
        request = await stream.recv_message()
        self.names.append(request.name)
        await stream.send_message(pb.Empty())


async def test_a_handler_built_before_akri_0_8_17_can_register(tmp_path: Path) -> None:
    """It sends `:scheme dummy` and the authority `[::]:50051`, which gRPC's C core refuses."""
    registration, path = Registration(), tmp_path / "r.sock"
    async with serve_grpc(path, [registration]), grpc_channel(path) as channel:
        channel._scheme, channel._authority = "dummy", "[::]:50051"
        await discovery_grpc.RegistrationStub(channel).RegisterDiscoveryHandler(
            pb.RegisterDiscoveryHandlerRequest(name="debugEcho")
        )
    assert registration.names == ["debugEcho"]
    assert not path.exists()


def test_a_path_that_linux_cannot_bind_is_told_with_its_length(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="Linux allows 107"):
        prepare(tmp_path / ("a" * 108))


def test_a_stale_socket_gives_way(tmp_path: Path) -> None:
    stale = tmp_path / "x.sock"
    stale.touch()
    prepare(stale)
    assert not stale.exists()


class Silent(discovery_grpc.DiscoveryHandlerBase):
    async def Discover(self, stream: Any) -> None:  # noqa: N802
        await stream.send_message(pb.DiscoverResponse())
        await asyncio.Event().wait()


async def test_a_client_of_a_stream_learns_that_the_server_has_closed(tmp_path: Path) -> None:
    path = tmp_path / "s.sock"
    async with contextlib.AsyncExitStack() as server, grpc_channel(path) as channel:
        await server.enter_async_context(serve_grpc(path, [Silent()]))

        async def discover() -> None:
            async with discovery_grpc.DiscoveryHandlerStub(channel).Discover.open() as stream:
                await stream.send_message(pb.DiscoverRequest(), end=True)
                assert await stream.recv_message() is not None
                await server.aclose()
                await stream.recv_message()

        with pytest.raises(StreamTerminatedError):
            await asyncio.wait_for(discover(), 10)


class Flooding(discovery_grpc.DiscoveryHandlerBase):
    """Sends as much as is taken of one message."""

    def __init__(self) -> None:
        self.stopped = asyncio.Event()

    async def Discover(self, stream: Any) -> None:  # noqa: N802
        await stream.recv_message()
        await stream.send_initial_metadata()
        await stream._stream.send_data(b"\0" + (1_000_000_000).to_bytes(4, "big"))
        try:
            while True:
                await stream._stream.send_data(bytes(65536))
        finally:
            self.stopped.set()


async def ask_for_too_much(port: int) -> None:
    channel = BoundedChannel("127.0.0.1", port)
    async with channel, discovery_grpc.DiscoveryHandlerStub(channel).Discover.open() as stream:
        await stream.send_message(pb.DiscoverRequest(), end=True)
        await stream.recv_message()


async def test_a_message_that_is_too_large_is_refused_and_keeps_no_server_from_ending() -> None:
    """The client goes while the server waits for it to read."""
    listener, flooding = bind("127.0.0.1", 0), Flooding()
    async with asyncio.timeout(20), serve_grpc(listener, [flooding]):
        with pytest.raises(ProtocolError, match="1000000000 bytes, more than 4194304"):
            await ask_for_too_much(listener.getsockname()[1])
        await flooding.stopped.wait()


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
async def test_grpc_is_served_over_tcp_on_a_free_port(host: str) -> None:
    registration = Registration()
    with bind(host, 0) as listener:
        address, port = listener.getsockname()[:2]
        async with serve_grpc(listener, [registration]), Channel(address, port) as channel:
            await discovery_grpc.RegistrationStub(channel).RegisterDiscoveryHandler(
                pb.RegisterDiscoveryHandlerRequest(name="http")
            )
    assert registration.names == ["http"]


def test_a_port_that_is_taken_is_told() -> None:
    with (
        bind("127.0.0.1", 0) as taken,
        pytest.raises(LabError, match=r"Listen on 127\.0\.0\.1, port [0-9]+\. Address already in use"),
    ):
        bind("127.0.0.1", taken.getsockname()[1])
