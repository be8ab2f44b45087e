"""Peers for tests of an agent: a discovery handler and a kubelet that do as they are told, over real sockets.

They speak the wire protocols and nothing else; an agent cannot tell them from real ones.
"""

import asyncio
import contextlib
import typing
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from pathlib import Path

from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.core.layout import Sockets
from edgelab.service.sockets import grpc_channel, serve_grpc
from edgelab.wire import deviceplugin_pb2 as plugin_wire
from edgelab.wire import discovery_pb2 as discovery_wire
from edgelab.wire import podresources_pb2 as pods_wire
from edgelab.wire.deviceplugin_grpc import DevicePluginStub, RegistrationBase
from edgelab.wire.discovery_grpc import DiscoveryHandlerBase, RegistrationStub
from edgelab.wire.podresources_grpc import PodResourcesListerBase

if typing.TYPE_CHECKING:
    from grpclib.server import Stream


class Handler(DiscoveryHandlerBase):
    """A discovery handler: `plug()` sets its devices; each Discover call is remembered in `requests`.

    One that is `silent` answers no call until its devices change.
    """

    def __init__(self, name: str, socket: Path, *, shared: bool = True) -> None:
        self.name, self.socket, self.shared = name, socket, shared
        self.requests: list[discovery_wire.DiscoverRequest] = []
        self.open = 0
        self.refusal = ""
        self.silent = False
        self._devices: list[discovery_wire.Device] = []
        self._changed = asyncio.Event()

    def plug(self, devices: Mapping[str, Mapping[str, str]]) -> None:
        """Report exactly these devices from now on: id → properties."""
        self.report(discovery_wire.Device(id=name, properties=properties) for name, properties in devices.items())

    def report(self, devices: Iterable[discovery_wire.Device]) -> None:
        """Report exactly these devices from now on."""
        self._devices = list(devices)
        self._changed.set()
        self._changed = asyncio.Event()

    async def Discover(  # noqa: N802
        self, stream: "Stream[discovery_wire.DiscoverRequest, discovery_wire.DiscoverResponse]"
    ) -> None:
        """Report the devices, now and at each change, unless there is a refusal to tell."""
        request = await stream.recv_message()
        assert request is not None
        self.requests.append(request)
        if self.refusal:
            raise GRPCError(Status.INVALID_ARGUMENT, self.refusal)
        self.open += 1
        try:
            while True:
                changed = self._changed
                if not self.silent:
                    await stream.send_message(discovery_wire.DiscoverResponse(devices=self._devices))
                await changed.wait()
                self.silent = False
        finally:
            self.open -= 1

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen while the block runs."""
        async with serve_grpc(self.socket, [self]):
            yield

    async def register(self, agent: Path) -> None:
        """Register with an agent's registration socket."""
        request = discovery_wire.RegisterDiscoveryHandlerRequest(
            name=self.name, endpoint=str(self.socket), shared=self.shared
        )
        async with grpc_channel(agent) as channel:
            await RegistrationStub(channel).RegisterDiscoveryHandler(request)


class Kubelet(RegistrationBase, PodResourcesListerBase):
    """The device manager of a kubelet: takes registrations, watches each resource, allocates on request."""

    def __init__(self, run: Path) -> None:
        sockets = Sockets(run)
        self.plugins, self.pod_resources = sockets.device_plugins, sockets.pod_resources
        self.devices: dict[str, dict[str, bool]] = {}
        self.registrations: list[str] = []
        self.in_use: dict[tuple[str, str], list[tuple[str, str]]] = {}
        self.lists = 0
        self._endpoints: dict[str, str] = {}
        self._watches: list[asyncio.Task[None]] = []

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator[None]:
        """Listen while the block runs; its end is that of a kubelet that was killed.

        A kubelet that starts removes every file in its directory first, plugins' sockets included.
        """
        for stale in self.plugins.glob("*"):
            stale.unlink()
        async with serve_grpc(self.plugins / "kubelet.sock", [self]), serve_grpc(self.pod_resources, [self]):
            try:
                yield
            finally:
                for watch in self._watches:
                    watch.cancel()
                await asyncio.gather(*self._watches, return_exceptions=True)

    def __mapping__(self) -> dict[str, typing.Any]:
        """Both services of a kubelet."""
        return {**RegistrationBase.__mapping__(self), **PodResourcesListerBase.__mapping__(self)}

    async def Register(self, stream: "Stream[plugin_wire.RegisterRequest, plugin_wire.Empty]") -> None:  # noqa: N802
        """Take a registration and watch the plugin's devices."""
        request = await stream.recv_message()
        assert request is not None
        self.registrations.append(request.resource_name)
        self._endpoints[request.resource_name] = request.endpoint
        self._watches.append(asyncio.create_task(self._watch(request.resource_name)))
        await stream.send_message(plugin_wire.Empty())

    async def List(  # noqa: N802
        self, stream: "Stream[pods_wire.ListPodResourcesRequest, pods_wire.ListPodResourcesResponse]"
    ) -> None:
        """The devices that Pods use: what `in_use` says. `lists` counts the calls."""
        await stream.recv_message()
        self.lists += 1
        await stream.send_message(_listing(self.in_use))

    async def GetAllocatableResources(  # noqa: N802
        self,
        stream: "Stream[pods_wire.AllocatableResourcesRequest, pods_wire.AllocatableResourcesResponse]",  # noqa: ARG002
    ) -> None:
        """Not offered."""
        raise GRPCError(Status.UNIMPLEMENTED)

    async def Get(  # noqa: N802
        self,
        stream: "Stream[pods_wire.GetPodResourcesRequest, pods_wire.GetPodResourcesResponse]",  # noqa: ARG002
    ) -> None:
        """Not offered."""
        raise GRPCError(Status.UNIMPLEMENTED)

    async def allocate(self, resource: str, *containers: Sequence[str]) -> list[plugin_wire.ContainerAllocateResponse]:
        """Allocate devices of a resource. Raises GRPCError as the plugin answers."""
        requests = [plugin_wire.ContainerAllocateRequest(devices_ids=ids) for ids in containers]
        async with grpc_channel(self.plugins / self._endpoints[resource]) as channel:
            response = await DevicePluginStub(channel).Allocate(
                plugin_wire.AllocateRequest(container_requests=requests)
            )
        return list(response.container_responses)

    async def _watch(self, resource: str) -> None:
        with contextlib.suppress(OSError, StreamTerminatedError, GRPCError):
            async with (
                grpc_channel(self.plugins / self._endpoints[resource]) as channel,
                DevicePluginStub(channel).ListAndWatch.open() as stream,
            ):
                await stream.send_message(plugin_wire.Empty(), end=True)
                async for listing in stream:
                    self.devices[resource] = {device.ID: device.health == "Healthy" for device in listing.devices}
        self.devices.pop(resource, None)


def _listing(in_use: Mapping[tuple[str, str], Sequence[tuple[str, str]]]) -> pods_wire.ListPodResourcesResponse:
    return pods_wire.ListPodResourcesResponse(
        pod_resources=[
            pods_wire.PodResources(
                namespace=namespace,
                name=name,
                containers=[
                    pods_wire.ContainerResources(
                        name="main",
                        devices=[
                            pods_wire.ContainerDevices(resource_name=resource, device_ids=[device])
                            for resource, device in devices
                        ],
                    )
                ],
            )
            for (namespace, name), devices in in_use.items()
        ]
    )


async def until(condition: Callable[[], object], *, seconds: float = 10.0) -> None:
    """Return as soon as the condition holds; raises TimeoutError after so many seconds."""
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - the condition is about other processes, which set no Event
            await asyncio.sleep(0.005)
