"""For tests of discovery handlers: what a handler yields, and an agent that a handler can be served to.

    async with observe(HANDLER, "directory: /tmp/x") as sets:
        assert await sets.next() == ()

`Agent` speaks the wire protocol over real sockets and nothing else; a handler cannot tell it from a real one.
"""

import asyncio
import contextlib
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from grpclib.client import Channel, Stream

from edgelab.core.model import Device
from edgelab.discovery.definition import Handler
from edgelab.discovery.handler import DiscoverRequest
from edgelab.service.sockets import serve_grpc
from edgelab.wire import discovery_pb2 as wire
from edgelab.wire.discovery_grpc import DiscoveryHandlerStub, RegistrationBase

if typing.TYPE_CHECKING:
    from grpclib.server import Stream as ServerStream

PATIENCE = 20.0
"""Seconds after which something that should have happened counts as missing."""


class Sets:
    """The sets of devices that a handler yields, one after the other."""

    def __init__(self, sets: AsyncGenerator[Sequence[Device], None]) -> None:
        self._sets = sets
        self._last: dict[str, Device] | None = None

    async def next(self) -> tuple[Device, ...]:
        """The next set that differs from the one before, as an agent is told. Raises TimeoutError."""
        async with asyncio.timeout(PATIENCE):
            while True:
                devices = tuple(await anext(self._sets))
                snapshot = {device.id: device for device in devices}
                if snapshot != self._last:
                    self._last = snapshot
                    return devices


@contextlib.asynccontextmanager
async def observe(
    handler: Handler[Any], details: str, properties: Mapping[str, bytes | None] | None = None
) -> AsyncIterator[Sets]:
    """Ask a handler as a Configuration with these details and properties does, while the block runs."""
    async with contextlib.aclosing(handler.answer(DiscoverRequest(details, properties or {}))) as sets:
        yield Sets(sets)


async def first(
    handler: Handler[Any], details: str, properties: Mapping[str, bytes | None] | None = None
) -> tuple[Device, ...]:
    """The first set that a handler yields. Raises InvalidDetailsError and LabError as the handler does."""
    async with observe(handler, details, properties) as sets:
        return await sets.next()


class Agent(RegistrationBase):
    """Takes registrations on a socket, and asks handlers for devices."""

    def __init__(self, socket: Path) -> None:
        self.socket = socket
        self.registrations: asyncio.Queue[wire.RegisterDiscoveryHandlerRequest] = asyncio.Queue()

    async def RegisterDiscoveryHandler(  # noqa: N802 - the name on the wire
        self, stream: "ServerStream[wire.RegisterDiscoveryHandlerRequest, wire.Empty]"
    ) -> None:
        """Remember a registration."""
        request = await stream.recv_message()
        assert request is not None
        self.registrations.put_nowait(request)
        await stream.send_message(wire.Empty())

    def up(self) -> contextlib.AbstractAsyncContextManager[None]:
        """Listen while the block runs."""
        return serve_grpc(self.socket, [self])

    async def registered(self) -> wire.RegisterDiscoveryHandlerRequest:
        """Wait for the next registration."""
        async with asyncio.timeout(PATIENCE):
            return await self.registrations.get()

    async def devices(self, details: str) -> list[str]:
        """Wait for a registration, ask that handler, and drop the stream after its first answer."""
        endpoint = (await self.registered()).endpoint
        async with self.discover(endpoint, details) as answers:
            return await answers.next_ids()

    @contextlib.asynccontextmanager
    async def discover(self, endpoint: str, details: str) -> AsyncIterator["Answers"]:
        """Ask the handler at an endpoint; the stream is dropped when the block ends."""
        channel = _channel(endpoint)
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

    def __init__(self, stream: Stream[wire.DiscoverRequest, wire.DiscoverResponse]) -> None:
        self._stream = stream

    async def next(self) -> list[wire.Device]:
        """The next set of devices; raises GRPCError when the handler refused."""
        async with asyncio.timeout(PATIENCE):
            response = await self._stream.recv_message()
        assert response is not None, "the handler ended the stream"
        return list(response.devices)

    async def next_ids(self) -> list[str]:
        """The ids in the next set."""
        return [device.id for device in await self.next()]


def _channel(endpoint: str) -> Channel:
    if endpoint.startswith("/"):
        return Channel(path=endpoint)
    url = urlsplit(endpoint)
    return Channel(url.hostname, url.port)
