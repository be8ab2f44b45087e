"""Serving a discovery handler: what every handler needs beside its own way of finding devices.

A handler is a function that takes a DiscoverRequest and yields complete lists of devices for as long as somebody
listens. It yields as soon as it knows, an empty list included: an agent takes no list for "not known yet" and an
empty one for "no devices". Control comes back to the function when a list has been handed to the agent. A list that
holds the same devices as the one before is not sent; of devices with one id the first counts, and a warning says so.

`serve_handler` serves it on a Unix socket or over TCP and keeps it registered: once at the start, once more when the
agent dropped the last stream (a handler cannot see why, so it always registers again, as Akri 0.13.26's do) and with
every new registration socket.
"""

import asyncio
import contextlib
import logging
import socket
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery.registration import Address, Registrar, Registration
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


Snapshot = dict[str, Device]
"""A set of devices by their ids, which is equal to another whatever their order."""

LARGEST_MESSAGE = 4 * 1024 * 1024
"""Bytes that a gRPC client takes unless told otherwise, as Akri's agents do."""

Discoverer = Callable[[DiscoverRequest], AsyncGenerator[Sequence[Device], None]]
"""A way of finding devices. Raises InvalidDetailsError, or LabError when it cannot serve this request now."""


@contextlib.asynccontextmanager
async def serve_handler(
    registration: Registration, discover: Discoverer, *, listener: socket.socket | None = None
) -> AsyncIterator["ServedHandler"]:
    """Serve a handler and keep it registered while the block runs; a failure of either ends the block.

    One that is registered with an address listens on `listener`, which `edgelab.service.sockets.bind` made.
    """
    where = listener or registration.endpoint
    assert not isinstance(where, Address)
    registrar = Registrar(registration)
    handler = ServedHandler(discover, registrar)
    async with serve_grpc(where, [handler]), asyncio.TaskGroup() as tasks:
        running = tasks.create_task(registrar.run())
        try:
            yield handler
        finally:
            running.cancel()


class ServedHandler(DiscoveryHandlerBase):
    """A handler while it is served, and what its status says."""

    def __init__(self, discover: Discoverer, registrar: Registrar) -> None:
        self._discover = discover
        self._registrar = registrar
        self._sent: dict[int, Snapshot | None] = {}
        self._left = False

    @property
    def registered(self) -> bool:
        """The agent that listens now knows the handler."""
        return self._registrar.registered

    @property
    def streams(self) -> int:
        """How many Discover streams are open."""
        return len(self._sent)

    @property
    def devices(self) -> int | None:
        """How many devices the open streams were told of last; None while none was told anything."""
        told = [snapshot for snapshot in self._sent.values() if snapshot is not None]
        return len(set().union(*told)) if told else None

    async def Discover(self, stream: "Stream[wire.DiscoverRequest, wire.DiscoverResponse]") -> None:  # noqa: N802
        """Answer one Configuration until the agent leaves or the handler fails."""
        message = await stream.recv_message()
        assert message is not None
        self._sent[id(stream)] = None
        try:
            await self._send_all(stream, _request(message))
        except InvalidDetailsError as error:
            raise GRPCError(Status.INVALID_ARGUMENT, str(error)) from error
        except LabError as error:
            raise GRPCError(Status.FAILED_PRECONDITION, str(error)) from error
        except (asyncio.CancelledError, StreamTerminatedError, OSError):
            # Only when the agent left: after an error of our own it asks again when it sees fit.
            self._left = True
            raise
        finally:
            del self._sent[id(stream)]
            self._register_if_alone()

    def _register_if_alone(self) -> None:
        # While other streams live, so does the agent, and knows the handler. Registering then would make Akri 0.13's
        # agents open each of those streams a second time.
        if self._left and not self._sent:
            self._left = False
            self._registrar.register_again()

    async def _send_all(
        self, stream: "Stream[wire.DiscoverRequest, wire.DiscoverResponse]", request: DiscoverRequest
    ) -> None:
        async with contextlib.aclosing(self._discover(request)) as sets:
            async for devices in sets:
                snapshot = {device.id: device for device in reversed(devices)}
                if snapshot == self._sent[id(stream)]:
                    continue
                if len(snapshot) < len(devices):
                    log.warning("reported more than once, of which the first counts: %s", _repeated(devices))
                await stream.send_message(_response(snapshot))
                log.info("devices told to the agent: %d", len(snapshot))
                self._sent[id(stream)] = snapshot


def _repeated(devices: Sequence[Device]) -> str:
    counts = Counter(device.id for device in devices)
    return ", ".join(repr(name) for name, count in counts.items() if count > 1)


def _request(message: wire.DiscoverRequest) -> DiscoverRequest:
    properties = message.discovery_properties.items()
    return DiscoverRequest(
        details=message.discovery_details,
        properties={name: data.vec if data.HasField("vec") else None for name, data in properties},
    )


def _response(snapshot: Snapshot) -> wire.DiscoverResponse:
    response = wire.DiscoverResponse(devices=[_device(device) for device in reversed(snapshot.values())])
    if response.ByteSize() > LARGEST_MESSAGE:
        raise LabError(
            attempted=f"Tell the agent of {len(snapshot)} devices",
            seen=f"They take {response.ByteSize()} bytes, and an agent takes {LARGEST_MESSAGE} at most",
            remedy="Ask for fewer devices, or give them fewer and shorter properties",
        )
    return response


def _device(device: Device) -> wire.Device:
    mounts = [
        wire.Mount(container_path=m.container_path, host_path=m.host_path, read_only=m.read_only) for m in device.mounts
    ]
    specs = [
        wire.DeviceSpec(container_path=s.container_path, host_path=s.host_path, permissions=s.permissions)
        for s in device.device_specs
    ]
    return wire.Device(id=device.id, properties=device.properties, mounts=mounts, device_specs=specs)
