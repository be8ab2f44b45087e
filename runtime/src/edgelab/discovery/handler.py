"""Serving a discovery handler: what every handler needs beside its own way of finding devices.

A handler is a function that takes a DiscoverRequest and yields complete lists of devices for as long as somebody
listens. It yields as soon as it knows, an empty list included: an agent takes no list for "not known yet" and an
empty one for "no devices". Control comes back to the function when a list has been handed to the agent.

`serve_handler` serves it on a Unix socket and keeps it registered: once at the start, once more when the agent
dropped a stream (a handler cannot see why, so it always registers again, as Akri 0.13.26's do) and with every new
registration socket.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery.registration import Registrar, Registration
from edgelab.service.sockets import serve_grpc
from edgelab.wire import discovery_pb2 as wire
from edgelab.wire.discovery_grpc import DiscoveryHandlerBase

if TYPE_CHECKING:
    from grpclib.server import Stream

log = logging.getLogger(__name__)


class InvalidDetailsError(ValueError):
    """A Configuration's discovery details cannot be used; the text says which part of them and why."""


@dataclass(frozen=True, slots=True)
class DiscoverRequest:
    """What a Configuration asks for: its discovery details as given, and its properties (None: without a value)."""

    details: str
    properties: Mapping[str, bytes | None]


Discoverer = Callable[[DiscoverRequest], AsyncGenerator[Sequence[Device], None]]
"""A way of finding devices. Raises InvalidDetailsError, or LabError when it cannot serve this request now."""


@contextlib.asynccontextmanager
async def serve_handler(registration: Registration, discover: Discoverer) -> AsyncIterator[Registrar]:
    """Serve a handler and keep it registered while the block runs; a failure of either ends the block."""
    registrar = Registrar(registration)
    handler = _Handler(discover, registrar.register_again)
    async with serve_grpc(registration.endpoint, [handler]), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(registrar.run())
        try:
            yield registrar
        finally:
            running.cancel()


class _Handler(DiscoveryHandlerBase):
    def __init__(self, discover: Discoverer, on_dropped: Callable[[], None]) -> None:
        self._discover = discover
        self._on_dropped = on_dropped

    async def Discover(self, stream: "Stream[wire.DiscoverRequest, wire.DiscoverResponse]") -> None:  # noqa: N802
        message = await stream.recv_message()
        assert message is not None
        try:
            await self._send_all(stream, _request(message))
        except InvalidDetailsError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
        except LabError as error:
            raise GRPCError(Status.FAILED_PRECONDITION, str(error)) from error
        except (asyncio.CancelledError, StreamTerminatedError, OSError):
            # Only when the agent left: after an error of our own it asks again when it sees fit.
            self._on_dropped()
            raise

    async def _send_all(
        self, stream: "Stream[wire.DiscoverRequest, wire.DiscoverResponse]", request: DiscoverRequest
    ) -> None:
        sent: tuple[Device, ...] | None = None
        async with contextlib.aclosing(self._discover(request)) as snapshots:
            async for devices in snapshots:
                snapshot = tuple(devices)
                if snapshot != sent:
                    await stream.send_message(_response(snapshot))
                    log.info("devices told to the agent: %d", len(snapshot))
                sent = snapshot


def _request(message: wire.DiscoverRequest) -> DiscoverRequest:
    properties = message.discovery_properties.items()
    return DiscoverRequest(
        details=message.discovery_details,
        properties={name: data.vec if data.HasField("vec") else None for name, data in properties},
    )


def _response(devices: Sequence[Device]) -> wire.DiscoverResponse:
    return wire.DiscoverResponse(devices=[_device(device) for device in devices])


def _device(device: Device) -> wire.Device:
    mounts = [
        wire.Mount(container_path=m.container_path, host_path=m.host_path, read_only=m.read_only) for m in device.mounts
    ]
    specs = [
        wire.DeviceSpec(container_path=s.container_path, host_path=s.host_path, permissions=s.permissions)
        for s in device.device_specs
    ]
    return wire.Device(id=device.id, properties=device.properties, mounts=mounts, device_specs=specs)
