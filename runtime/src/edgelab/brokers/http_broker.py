"""The brokers of an HTTP device: one that tells its values, and one that serves them by gRPC and tells them as well."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError

from edgelab.brokers.http_device import Reading
from edgelab.service.sockets import serve_grpc
from edgelab.wire import http_pb2 as wire
from edgelab.wire.http_grpc import DeviceServiceBase

if TYPE_CHECKING:
    from grpclib.server import Stream

Read = Callable[[], Awaitable[Reading]]
Say = Callable[[object], None]
Sleep = Callable[[float], Awaitable[None]]

log = logging.getLogger(__name__)


async def tell_values(read: Read, say: Say, interval: float, *, sleep: Sleep = asyncio.sleep) -> None:
    """Read the device and say what it said, now and every `interval` seconds, until cancelled."""
    while True:
        say(await read())
        await sleep(interval)


@contextlib.asynccontextmanager
async def serve_values(read: Read, say: Say, listener: socket.socket) -> AsyncIterator[None]:
    """Serve the gRPC service of Akri's HTTP sample on a socket that is bound, while the block runs."""
    async with serve_grpc(listener, [_DeviceService(read, say)]):
        log.info("serving http.DeviceService on port %d", listener.getsockname()[1])
        yield


class _DeviceService(DeviceServiceBase):
    """Reads the device on each call, as Akri's sample does; a device that fails makes the call fail (UNAVAILABLE)."""

    def __init__(self, read: Read, say: Say) -> None:
        self._read, self._say = read, say

    async def ReadSensor(self, stream: "Stream[wire.ReadSensorRequest, wire.ReadSensorResponse]") -> None:  # noqa: N802
        """One reading; the request's name is not looked at, as in Akri's sample."""
        await stream.recv_message()
        reading = await self._read()
        self._say(reading)
        if reading.failure:
            raise GRPCError(Status.UNAVAILABLE, reading.failure)
        await stream.send_message(wire.ReadSensorResponse(value=reading.value))
