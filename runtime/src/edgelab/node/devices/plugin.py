"""One device plugin as the node sees it: its devices while its ListAndWatch stream is open, and calls to it."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from pathlib import Path

from grpclib.client import Channel
from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.node.devices.allocation import as_allocation
from edgelab.node.seams import Allocation
from edgelab.service.sockets import grpc_channel
from edgelab.wire.deviceplugin_grpc import DevicePluginStub
from edgelab.wire.deviceplugin_pb2 import (
    AllocateRequest,
    ContainerAllocateRequest,
    DevicePluginOptions,
    Empty,
    PreStartContainerRequest,
)

log = logging.getLogger(__name__)

_DIAL_SECONDS = 10.0
"""How long a plugin may take to serve after it registered, as with a kubelet: some register first, then serve."""

_DIAL_BACKOFF = Backoff(0.01, 0.5)

_CALL_SECONDS = 30.0

_BROKEN = (GRPCError, StreamTerminatedError, OSError)


class Plugin:
    """A registered device plugin. `run` follows it until its stream ends; `devices` maps ids to health meanwhile."""

    def __init__(
        self, resource: str, socket: Path, options: DevicePluginOptions | None, devices: dict[str, bool]
    ) -> None:
        self.resource, self.socket = resource, socket
        self.devices = devices
        self._options = options
        self._channel: Channel | None = None

    async def run(self, on_devices: Callable[[], None]) -> str:
        """Follow the plugin's devices, calling back on each message; returns why it ended."""
        async with grpc_channel(self.socket) as self._channel:
            try:
                await self._dial(self._channel)
                return await self._watch(DevicePluginStub(self._channel), on_devices)
            except (*_BROKEN, TimeoutError) as error:
                return f"{type(error).__name__}: {error}"

    async def _dial(self, channel: Channel) -> None:
        failures = 0
        async with asyncio.timeout(_DIAL_SECONDS):
            while True:
                try:
                    await channel.__connect__()
                    break
                except OSError:
                    failures += 1
                    await asyncio.sleep(_DIAL_BACKOFF.delay(failures))
            if self._options is None:
                self._options = await DevicePluginStub(channel).GetDevicePluginOptions(Empty())

    async def _watch(self, stub: DevicePluginStub, on_devices: Callable[[], None]) -> str:
        async with stub.ListAndWatch.open() as stream:
            await stream.send_message(Empty(), end=True)
            async for response in stream:
                self.devices = {device.ID: device.health == "Healthy" for device in response.devices}
                on_devices()
        return "its stream ended"

    async def allocate(self, ids: Sequence[str]) -> Allocation:
        """Ask the plugin for what a container with these devices gets; raises LabError when it refuses."""
        request = AllocateRequest(container_requests=[ContainerAllocateRequest(devices_ids=ids)])
        try:
            response = await self._stub.Allocate(request, timeout=_CALL_SECONDS)
        except (*_BROKEN, TimeoutError) as error:
            raise self._refused("Allocate", ids, error) from error
        return as_allocation(response.container_responses)

    async def pre_start(self, ids: Sequence[str]) -> None:
        """Tell the plugin that a container with these devices is about to start, if it wants to know."""
        if not (self._options and self._options.pre_start_required):
            return
        try:
            await self._stub.PreStartContainer(PreStartContainerRequest(devices_ids=ids), timeout=_CALL_SECONDS)
        except (*_BROKEN, TimeoutError) as error:
            raise self._refused("PreStartContainer", ids, error) from error

    @property
    def _stub(self) -> DevicePluginStub:
        if self._channel is None:
            raise LabError(
                f"Call the device plugin of {self.resource}", "It has just registered and does not serve yet"
            )
        return DevicePluginStub(self._channel)

    def _refused(self, call: str, ids: Sequence[str], error: Exception) -> LabError:
        seen = (error.message if isinstance(error, GRPCError) else "") or str(error) or type(error).__name__
        return LabError(
            attempted=f"{call} {', '.join(ids)} of {self.resource}",
            seen=f"Its device plugin {self.socket.name} answers: {seen}",
            cause="The device was taken by another node or through another resource" if call == "Allocate" else "",
        )
