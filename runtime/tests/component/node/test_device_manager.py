"""The device manager against real device plugins on real sockets."""

import asyncio
import contextlib
import resource
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from edgelab.core.errors import LabError
from edgelab.node.devices import manager as manager_module
from edgelab.node.devices import plugin as plugin_module
from edgelab.node.devices.manager import DeviceManager
from edgelab.node.devices.services import PodResourcesLister, Registration
from edgelab.node.record_wanted import Count
from edgelab.node.seams import Allocation, ContainerRef
from edgelab.service.sockets import grpc_channel, serve_grpc
from edgelab.wire.deviceplugin_grpc import DevicePluginBase, RegistrationStub
from edgelab.wire.deviceplugin_pb2 import (
    AllocateResponse,
    ContainerAllocateResponse,
    Device,
    DevicePluginOptions,
    ListAndWatchResponse,
    PreStartContainerResponse,
    RegisterRequest,
)
from edgelab.wire.podresources_grpc import PodResourcesListerStub
from edgelab.wire.podresources_pb2 import (
    AllocatableResourcesRequest,
    GetPodResourcesRequest,
    ListPodResourcesRequest,
)
from grpclib.const import Status
from grpclib.exceptions import GRPCError


class Plugin(DevicePluginBase):
    """A device plugin whose devices, answers and options a test sets."""

    def __init__(self, *ids: str) -> None:
        self.devices = dict.fromkeys(ids, "Healthy")
        self.changed = asyncio.Event()
        self.allocated: list[list[str]] = []
        self.started: list[list[str]] = []
        self.refusal = ""
        self.options = DevicePluginOptions()
        self.gate: asyncio.Event | None = None

    async def GetDevicePluginOptions(self, stream: Any) -> None:  # noqa: N802
        await stream.recv_message()
        await stream.send_message(self.options)

    async def ListAndWatch(self, stream: Any) -> None:  # noqa: N802
        await stream.recv_message()
        while True:
            self.changed.clear()
            devices = [Device(ID=name, health=health) for name, health in self.devices.items()]
            await stream.send_message(ListAndWatchResponse(devices=devices))
            await self.changed.wait()

    async def GetPreferredAllocation(self, stream: Any) -> None:  # noqa: N802
        raise GRPCError(Status.UNIMPLEMENTED)

    async def Allocate(self, stream: Any) -> None:  # noqa: N802
        request = await stream.recv_message()
        ids = list(request.container_requests[0].devices_ids)
        self.allocated.append(ids)
        if self.gate:
            await self.gate.wait()
        if self.refusal:
            raise GRPCError(Status.UNKNOWN, self.refusal)
        answer = ContainerAllocateResponse(envs={"DEVICES": ",".join(ids), "TIMES": str(len(self.allocated))})
        await stream.send_message(AllocateResponse(container_responses=[answer]))

    async def PreStartContainer(self, stream: Any) -> None:  # noqa: N802
        self.started.append(list((await stream.recv_message()).devices_ids))
        await stream.send_message(PreStartContainerResponse())


@dataclass
class Node:
    """A device manager with its sockets, and a way to wait for what it says."""

    run: Path
    file: Path
    manager: DeviceManager = field(init=False)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @contextlib.asynccontextmanager
    async def serving(self) -> AsyncIterator["Node"]:
        self.manager = DeviceManager(self.run, self.file, self.news.set)
        async with self.manager, serve_grpc(self.run / "kubelet.sock", [Registration(self.manager)]):
            yield self

    async def register(self, resource_name: str, endpoint: str, **details: Any) -> None:
        async with grpc_channel(self.run / "kubelet.sock") as channel:
            request = RegisterRequest(version="v1beta1", endpoint=endpoint, resource_name=resource_name, **details)
            await RegistrationStub(channel).Register(request, timeout=10)

    async def until(self, holds: Callable[[], bool]) -> None:
        async with asyncio.timeout(30):
            while not holds():
                self.news.clear()
                await self.news.wait()

    async def counts(self, resource_name: str, expected: Count | None) -> None:
        await self.until(lambda: self.manager.counts().get(resource_name) == expected)


@pytest.fixture
def node(tmp_path: Path) -> Node:
    return Node(tmp_path / "dp", tmp_path / "devices.json")


@contextlib.asynccontextmanager
async def plugged(node: Node, name: str, plugin: Plugin, **details: Any) -> AsyncIterator[None]:
    async with serve_grpc(node.run / f"{name}.sock", [plugin]):
        await node.register(f"akri.sh/{name}", f"{name}.sock", **details)
        yield


def owner(pod: str, container: str = "c") -> ContainerRef:
    return ContainerRef("default", pod, f"uid-{pod}", container)


async def test_devices_are_counted_and_health_changes_are_told(node: Node) -> None:
    plugin = Plugin("a-0", "a-1")
    async with node.serving(), plugged(node, "a", plugin):
        await node.counts("akri.sh/a", Count(2, 2))
        plugin.devices["a-1"] = "Unhealthy"
        plugin.changed.set()
        await node.counts("akri.sh/a", Count(2, 1))


async def test_a_plugin_may_register_before_it_serves(node: Node) -> None:
    async with node.serving():
        await node.register("akri.sh/late", "late.sock")
        async with serve_grpc(node.run / "late.sock", [Plugin("l-0")]):
            await node.counts("akri.sh/late", Count(1, 1))


async def test_bad_registrations_are_refused(node: Node) -> None:
    async with node.serving():
        with pytest.raises(GRPCError) as caught:
            await node.register("cpu", "cpu.sock")
        assert caught.value.status is Status.INVALID_ARGUMENT
        assert not node.manager.counts()


async def test_capacity_one_is_given_once_and_again_after_release(node: Node) -> None:
    plugin = Plugin("a-0")
    async with node.serving(), plugged(node, "a", plugin):
        await node.counts("akri.sh/a", Count(1, 1))
        for pod in ("p", "q", "r"):
            given = await node.manager.allocate(owner(pod), {"akri.sh/a": 1})
            assert given.environment["DEVICES"] == "a-0"
            with pytest.raises(LabError, match="0 free and healthy of 1"):
                await node.manager.allocate(owner("other"), {"akri.sh/a": 1})
            node.manager.release(f"uid-{pod}")


async def test_a_container_keeps_what_it_has_over_its_restarts_and_those_of_the_node(node: Node) -> None:
    plugin = Plugin("a-0", "a-1")
    async with node.serving(), plugged(node, "a", plugin):
        await node.counts("akri.sh/a", Count(2, 2))
        first = await node.manager.allocate(owner("p"), {"akri.sh/a": 1})
        assert await node.manager.allocate(owner("p"), {"akri.sh/a": 1}) == first
    async with Node(node.run, node.file).serving() as restarted:
        assert restarted.manager.counts() == {"akri.sh/a": Count(0, 0)}
        assert await restarted.manager.allocate(owner("p"), {"akri.sh/a": 1}) == first
        async with plugged(restarted, "a", plugin):
            await restarted.counts("akri.sh/a", Count(2, 2))
            other = await restarted.manager.allocate(owner("q"), {"akri.sh/a": 1})
    assert other.environment["DEVICES"] == "a-1"
    assert plugin.allocated == [["a-0"], ["a-1"]]


async def test_two_containers_that_ask_at_once_get_different_devices(node: Node) -> None:
    plugin = Plugin("a-0", "a-1")
    plugin.gate = asyncio.Event()
    async with node.serving(), plugged(node, "a", plugin):
        await node.counts("akri.sh/a", Count(2, 2))
        both = asyncio.gather(*(node.manager.allocate(owner(pod), {"akri.sh/a": 1}) for pod in "pq"))
        plugin.gate.set()
        assert sorted(given.environment["DEVICES"] for given in await both) == ["a-0", "a-1"]


async def test_a_refused_device_is_free_again(node: Node) -> None:
    plugin = Plugin("a-0")
    plugin.refusal = "Unable to claim slot"
    async with node.serving(), plugged(node, "a", plugin):
        await node.counts("akri.sh/a", Count(1, 1))
        with pytest.raises(LabError, match="Unable to claim slot"):
            await node.manager.allocate(owner("p"), {"akri.sh/a": 1})
        plugin.refusal = ""
        assert (await node.manager.allocate(owner("q"), {"akri.sh/a": 1})).environment["DEVICES"] == "a-0"


async def test_all_resources_of_a_container_count_and_an_unknown_one_is_refused(node: Node) -> None:
    async with node.serving(), plugged(node, "a", Plugin("a-0")), plugged(node, "b", Plugin("b-0")):
        await node.counts("akri.sh/a", Count(1, 1))
        await node.counts("akri.sh/b", Count(1, 1))
        given = await node.manager.allocate(owner("p"), {"akri.sh/a": 1, "akri.sh/b": 1})
        assert given.environment["DEVICES"] == "b-0"
        assert await node.manager.allocate(owner("q"), {"akri.sh/a": 0}) == Allocation()
        with pytest.raises(LabError, match="No device plugin"):
            await node.manager.allocate(owner("q"), {"akri.sh/none": 1})
        assert node.manager.knows("akri.sh/a")
        assert not node.manager.knows("akri.sh/none")


@pytest.mark.parametrize("by_request", [True, False])
async def test_a_plugin_that_wants_to_know_of_starts_is_told_of_each(node: Node, by_request: bool) -> None:
    plugin = Plugin("a-0")
    plugin.options = DevicePluginOptions(pre_start_required=True)
    details = {"options": plugin.options} if by_request else {}
    async with node.serving(), plugged(node, "a", plugin, **details):
        await node.counts("akri.sh/a", Count(1, 1))
        for _round in range(2):
            await node.manager.allocate(owner("p"), {"akri.sh/a": 1})
        assert plugin.started == [["a-0"], ["a-0"]]
        assert plugin.allocated == [["a-0"]]


async def test_a_plugin_that_goes_counts_nothing_at_once_and_may_come_back(node: Node) -> None:
    async with node.serving():
        async with plugged(node, "a", Plugin("a-0")):
            await node.counts("akri.sh/a", Count(1, 1))
        await node.counts("akri.sh/a", Count(0, 0))
        async with plugged(node, "a", Plugin("a-0", "a-1")):
            await node.counts("akri.sh/a", Count(2, 2))


async def test_a_resource_without_plugin_is_forgotten_after_the_grace(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manager_module, "GRACE_SECONDS", 0.0)
    async with node.serving():
        async with plugged(node, "a", Plugin("a-0")):
            await node.counts("akri.sh/a", Count(1, 1))
        await node.until(lambda: node.manager.counts() == {"akri.sh/a": None})
        assert not node.manager.knows("akri.sh/a")
    async with Node(node.run, node.file).serving() as restarted:
        assert not restarted.manager.counts()


async def test_a_second_registration_replaces_the_first(node: Node) -> None:
    async with node.serving(), plugged(node, "a", Plugin("a-0")):
        await node.counts("akri.sh/a", Count(1, 1))
        async with serve_grpc(node.run / "new.sock", [Plugin("a-0", "a-1", "a-2")]):
            await node.register("akri.sh/a", "new.sock")
            await node.counts("akri.sh/a", Count(3, 3))


async def test_pod_resources_tell_who_has_what(node: Node, tmp_path: Path) -> None:
    async with node.serving(), plugged(node, "a", Plugin("a-0", "a-1")):
        socket = tmp_path / "pr" / "kubelet.sock"
        await node.counts("akri.sh/a", Count(2, 2))
        await node.manager.allocate(owner("p"), {"akri.sh/a": 1})
        async with serve_grpc(socket, [PodResourcesLister(node.manager)]), grpc_channel(socket) as channel:
            stub = PodResourcesListerStub(channel)
            (pod,) = (await stub.List(ListPodResourcesRequest())).pod_resources
            assert (pod.name, pod.namespace) == ("p", "default")
            assert list(pod.containers[0].devices[0].device_ids) == ["a-0"]
            (devices,) = (await stub.GetAllocatableResources(AllocatableResourcesRequest())).devices
            assert list(devices.device_ids) == ["a-0", "a-1"]
            got = await stub.Get(GetPodResourcesRequest(pod_name="p", pod_namespace="default"))
            assert got.pod_resources == pod
            with pytest.raises(GRPCError) as caught:
                await stub.Get(GetPodResourcesRequest(pod_name="q", pod_namespace="default"))
            assert caught.value.status is Status.NOT_FOUND


async def test_an_old_peer_with_a_foreign_scheme_and_authority_is_accepted(node: Node) -> None:
    async with node.serving():
        socket = node.run / "kubelet.sock"
        async with grpc_channel(socket) as channel:
            channel._scheme, channel._authority = "dummy", "[::]:50051"
            request = RegisterRequest(version="v1beta1", endpoint="a.sock", resource_name="akri.sh/a")
            await RegistrationStub(channel).Register(request, timeout=10)
        assert node.manager.knows("akri.sh/a")


@pytest.fixture
def many_files() -> Any:
    """A thousand plugins and their clients need more than the usual 1024 open files."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (before[1], before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


async def test_a_thousand_plugins_come_and_go_at_once(node: Node, many_files: None) -> None:
    names = [f"d{number}" for number in range(1000)]
    async with node.serving():
        async with contextlib.AsyncExitStack() as plugins:
            for name in names:
                await plugins.enter_async_context(serve_grpc(node.run / f"{name}.sock", [Plugin(f"{name}-0")]))
            channel = await plugins.enter_async_context(grpc_channel(node.run / "kubelet.sock"))
            for name in names:
                request = RegisterRequest(version="v1beta1", endpoint=f"{name}.sock", resource_name=f"akri.sh/{name}")
                await RegistrationStub(channel).Register(request, timeout=10)
            await node.until(lambda: list(node.manager.counts().values()) == [Count(1, 1)] * 1000)
            given = await node.manager.allocate(owner("p"), {"akri.sh/d0": 1})
            assert given.environment["DEVICES"] == "d0-0"
        await node.until(lambda: list(node.manager.counts().values()) == [Count(0, 0)] * 1000)
        assert await node.manager.allocate(owner("p"), {"akri.sh/d0": 1}) == given


async def test_registration_of_plugins_that_have_vanished_does_no_harm(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with node.serving(), plugged(node, "alive", Plugin("x")):
        await node.counts("akri.sh/alive", Count(1, 1))
        monkeypatch.setattr(plugin_module, "_DIAL_SECONDS", 0.01)
        await asyncio.gather(*(node.register(f"akri.sh/v{number}", f"v{number}.sock") for number in range(20)))
        await node.until(lambda: list(node.manager.counts().values()).count(Count(0, 0)) == 20)
        assert node.manager.counts()["akri.sh/alive"] == Count(1, 1)
