"""Device plugins (kubelet API v1beta1): a gRPC server per resource, registered with the kubelet of the node.

`Plugins.start` and `stop` are idempotent. Every plugin registers by itself as soon as the kubelet's socket answers,
and again when that socket is made anew, which is how a restarted kubelet shows itself. Such a kubelet has removed the
sockets of all plugins: they are made anew, too.
"""

import asyncio
import contextlib
import hashlib
import logging
import typing
from collections import defaultdict
from pathlib import Path

import httpx2
from grpclib.const import Status
from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.agent.resources import Grant, Resource
from edgelab.core import names
from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.kube.workers import Workers
from edgelab.service.sockets import grpc_channel, serve_grpc
from edgelab.service.watching import watch_directory
from edgelab.wire import deviceplugin_pb2 as wire
from edgelab.wire.deviceplugin_grpc import DevicePluginBase, RegistrationStub

if typing.TYPE_CHECKING:
    from grpclib.server import Stream

log = logging.getLogger(__name__)

KUBELET_SOCKET = "kubelet.sock"
_OURS = "edgelab-"
_REGISTER_SECONDS = 10.0
_AT_ONCE = 32
_CONNECTS, _CONNECT_PAUSE_SECONDS = 40, 0.05


class DevicePlugin(DevicePluginBase):
    """Serves one resource."""

    def __init__(self, resource: Resource) -> None:
        self.resource = resource
        self._changed = asyncio.Event()

    def changed(self) -> None:
        """The devices of the resource may have changed."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def GetDevicePluginOptions(  # noqa: N802
        self, stream: "Stream[wire.Empty, wire.DevicePluginOptions]"
    ) -> None:
        """No options."""
        await stream.recv_message()
        await stream.send_message(wire.DevicePluginOptions())

    async def ListAndWatch(self, stream: "Stream[wire.Empty, wire.ListAndWatchResponse]") -> None:  # noqa: N802
        """The devices, now and at each change."""
        await stream.recv_message()
        told: list[tuple[str, bool]] | None = None
        while True:
            changed, devices = self._changed, self.resource.devices()
            if devices != told:
                told = devices
                await stream.send_message(_listing(devices))
            await changed.wait()

    async def GetPreferredAllocation(  # noqa: N802
        self,
        stream: "Stream[wire.PreferredAllocationRequest, wire.PreferredAllocationResponse]",  # noqa: ARG002
    ) -> None:
        """Not offered."""
        raise GRPCError(Status.UNIMPLEMENTED)

    async def Allocate(self, stream: "Stream[wire.AllocateRequest, wire.AllocateResponse]") -> None:  # noqa: N802
        """Claim devices; one response per container. Fails with UNKNOWN and the reason, as Akri 0.13.26 does."""
        request = await stream.recv_message()
        assert request is not None
        try:
            grants = await self.resource.allocate([entry.devices_ids for entry in request.container_requests])
        except (LabError, httpx2.HTTPError) as error:
            log.warning("allocation of %s failed: %s", names.resource(self.resource.name), error)
            raise GRPCError(Status.UNKNOWN, f"Unable to claim slot: {error}") from error
        self.changed()
        await stream.send_message(wire.AllocateResponse(container_responses=[_response(grant) for grant in grants]))

    async def PreStartContainer(  # noqa: N802
        self, stream: "Stream[wire.PreStartContainerRequest, wire.PreStartContainerResponse]"
    ) -> None:
        """Nothing to do."""
        await stream.recv_message()
        await stream.send_message(wire.PreStartContainerResponse())


def _listing(devices: list[tuple[str, bool]]) -> wire.ListAndWatchResponse:
    entries = [wire.Device(ID=device, health="Healthy" if healthy else "Unhealthy") for device, healthy in devices]
    return wire.ListAndWatchResponse(devices=entries)


def _response(grant: Grant) -> wire.ContainerAllocateResponse:
    return wire.ContainerAllocateResponse(
        envs=dict(grant.environment),
        mounts=[
            wire.Mount(container_path=mount.container_path, host_path=mount.host_path, read_only=mount.read_only)
            for mount in grant.mounts
        ],
        devices=[
            wire.DeviceSpec(container_path=spec.container_path, host_path=spec.host_path, permissions=spec.permissions)
            for spec in grant.device_specs
        ],
    )


class Plugins:
    """The device plugins of a node, in the kubelet's directory. Use it inside `async with`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._running: dict[str, tuple[DevicePlugin, contextlib.AsyncExitStack]] = {}
        self._locks: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._registered: dict[str, tuple[int, int]] = {}
        self._room = asyncio.Semaphore(_AT_ONCE)
        self._registrations: Workers[str] = Workers(self._register, backoff=Backoff(0.2, 10.0))

    async def __aenter__(self) -> "Plugins":
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        for stale in self._directory.glob(f"{_OURS}*.sock"):  # other vendors' plugins listen there, too
            stale.unlink()
        await self._registrations.__aenter__()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self._registrations.__aexit__()
        await asyncio.gather(*(self.stop(name) for name in list(self._running)))

    async def start(self, resource: Resource) -> None:
        """Serve a resource; if it is served already, tell the kubelet what changed.

        Raises LabError when the name belongs to another object.
        """
        async with self._locks[resource.name]:
            plugin, _stack = self._running.get(resource.name, (None, None))
            if plugin is None:
                await self._serve(resource)
            elif plugin.resource.owner != resource.owner:
                raise _ambiguous(resource, plugin.resource)
            else:
                plugin.changed()

    async def stop(self, name: str) -> None:
        """No longer serve a resource."""
        async with self._locks[name]:
            _plugin, stack = self._running.pop(name, (None, None))
            self._registered.pop(name, None)
            if stack:
                await stack.aclose()

    def changed(self, name: str) -> None:
        """The devices of a resource may have changed."""
        plugin, _stack = self._running.get(name, (None, None))
        if plugin:
            plugin.changed()

    def serves(self, owner: tuple[str, str, str]) -> bool:
        """Whether the resource of this object is served."""
        plugin, _stack = self._running.get(owner[2], (None, None))
        return plugin is not None and plugin.resource.owner == owner

    async def run(self) -> None:
        """Register every plugin whenever the kubelet's socket appears; until cancelled."""
        with watch_directory(self._directory) as watch:
            while True:
                if await self._kubelet_answers():
                    for name in self._running:
                        self._registrations.add(name)
                while KUBELET_SOCKET not in await watch.changed():
                    pass

    async def _kubelet_answers(self) -> bool:
        # A socket's file exists a moment before anybody listens on it; one that stays mute was left by a dead kubelet.
        for _attempt in range(_CONNECTS):
            try:
                _reader, writer = await asyncio.open_unix_connection(self._directory / KUBELET_SOCKET)
            except ConnectionRefusedError:
                await asyncio.sleep(_CONNECT_PAUSE_SECONDS)
            except FileNotFoundError:
                return False
            else:
                writer.close()
                return True
        return False

    async def _serve(self, resource: Resource) -> None:
        plugin, stack = DevicePlugin(resource), contextlib.AsyncExitStack()
        await stack.enter_async_context(serve_grpc(self._directory / _socket_name(resource.name), [plugin]))
        self._running[resource.name] = plugin, stack
        self._registrations.add(resource.name)

    async def _serve_where_removed(self, name: str) -> None:
        async with self._locks[name]:
            plugin, stack = self._running.get(name, (None, None))
            if plugin and stack and not (self._directory / _socket_name(name)).exists():
                await stack.aclose()
                await self._serve(plugin.resource)

    async def _register(self, name: str) -> None:
        kubelet = self._kubelet()
        if kubelet is None or self._registered.get(name) == kubelet:
            return
        await self._serve_where_removed(name)
        plugin = self._running.get(name)
        if plugin is None:
            return
        request = wire.RegisterRequest(
            version="v1beta1",
            endpoint=_socket_name(name),
            resource_name=names.resource(name),
            options=wire.DevicePluginOptions(),
        )
        try:
            async with self._room, grpc_channel(self._directory / KUBELET_SOCKET) as channel:
                await RegistrationStub(channel).Register(request, timeout=_REGISTER_SECONDS)
        except (FileNotFoundError, ConnectionRefusedError):
            return  # the kubelet went: its next socket will be seen to appear
        except (GRPCError, OSError, StreamTerminatedError, TimeoutError) as error:
            raise LabError(f"Register {names.resource(name)} with the kubelet", repr(error)) from error
        if self._running.get(name) is plugin:
            self._registered[name] = kubelet
        log.info("%s is registered with the kubelet", names.resource(name))

    def _kubelet(self) -> tuple[int, int] | None:
        # Each start of a kubelet makes its socket anew, which tells one from the next.
        try:
            found = (self._directory / KUBELET_SOCKET).stat()
        except FileNotFoundError:
            return None
        return found.st_ino, found.st_ctime_ns


def _socket_name(resource: str) -> str:
    # A digest instead of the name: an Instance's name may be longer than a socket's path leaves room for.
    return f"{_OURS}{hashlib.blake2b(resource.encode(), digest_size=8).hexdigest()}.sock"


def _ambiguous(resource: Resource, other: Resource) -> LabError:
    return LabError(
        attempted=f"Offer {names.resource(resource.name)} for {' '.join(resource.owner)}",
        seen=f"{' '.join(other.owner)} on this node has the same resource",
        remedy="Give one of the Configurations another name",
    )
