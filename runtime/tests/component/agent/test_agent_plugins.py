"""Device plugins, with a kubelet over real sockets."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from edgelab.agent.plugin import Plugins
from edgelab.agent.resources import Grant, grant
from edgelab.agent.testing import Kubelet, until
from edgelab.core.errors import LabError
from edgelab.core.model import Device, DeviceSpec, Mount
from grpclib.const import Status
from grpclib.exceptions import GRPCError

DEVICE = Device("foo0", {"D": "foo0"}, (Mount("/in", "/host", read_only=True),), (DeviceSpec("/dev/x", "/dev/y", "r"),))


@dataclass
class Fixed:
    """A resource with the devices it is given; allocates those that are healthy."""

    name: str
    kind: str = "Instance"
    health: dict[str, bool] = field(default_factory=lambda: {"d-0": True, "d-1": True})

    @property
    def owner(self) -> tuple[str, str, str]:
        return self.kind, "default", self.name

    def devices(self) -> list[tuple[str, bool]]:
        return list(self.health.items())

    async def allocate(self, containers: Sequence[Sequence[str]]) -> list[Grant]:
        if not all(self.health.get(device) for ids in containers for device in ids):
            raise LabError("Claim slot d-1", "It is held by elsewhere")
        return [grant([("aae70c", DEVICE, {"X": "1"})]) for _container in containers]


@pytest.fixture
def kubelet(tmp_path: Path) -> Kubelet:
    return Kubelet(tmp_path)


@pytest.fixture
async def plugins(kubelet: Kubelet) -> AsyncIterator[Plugins]:
    async with Plugins(kubelet.plugins) as plugins:
        running = asyncio.create_task(plugins.run())
        yield plugins
        running.cancel()


async def test_a_resource_is_offered_and_follows_its_devices(kubelet: Kubelet, plugins: Plugins) -> None:
    async with kubelet.serving():
        await plugins.start(resource := Fixed("echo"))
        await until(lambda: kubelet.devices == {"akri.sh/echo": {"d-0": True, "d-1": True}})
        resource.health["d-1"] = False
        plugins.changed("echo")
        await until(lambda: kubelet.devices == {"akri.sh/echo": {"d-0": True, "d-1": False}})
        await plugins.stop("echo")
        await until(lambda: kubelet.devices == {})
        assert [path.name for path in kubelet.plugins.iterdir()] == ["kubelet.sock"]


async def test_what_a_container_gets(kubelet: Kubelet, plugins: Plugins) -> None:
    async with kubelet.serving():
        await plugins.start(Fixed("echo"))
        await until(lambda: kubelet.devices)
        first, second = await kubelet.allocate("akri.sh/echo", ["d-0", "d-1"], ["d-1"])
        assert first == second
        assert dict(first.envs) == {"D": "foo0", "D_AAE70C": "foo0", "X": "1", "X_AAE70C": "1"}
        assert [(m.container_path, m.host_path, m.read_only) for m in first.mounts] == [("/in", "/host", True)]
        assert [(d.container_path, d.host_path, d.permissions) for d in first.devices] == [("/dev/x", "/dev/y", "r")]


async def test_a_refused_allocation_says_why(kubelet: Kubelet, plugins: Plugins) -> None:
    async with kubelet.serving():
        await plugins.start(Fixed("echo", health={"d-0": False}))
        await until(lambda: kubelet.devices)
        with pytest.raises(GRPCError) as caught:
            await kubelet.allocate("akri.sh/echo", ["d-0"])
    assert caught.value.status is Status.UNKNOWN
    assert caught.value.message == "Unable to claim slot: Claim slot d-1. It is held by elsewhere."


async def test_a_kubelet_that_comes_later_or_again_gets_every_resource(kubelet: Kubelet, plugins: Plugins) -> None:
    names = {f"akri.sh/echo-{number}" for number in range(50)}
    for name in names:
        await plugins.start(Fixed(name.partition("/")[2]))
    for _round in range(2):
        kubelet.devices.clear()
        async with kubelet.serving():
            await until(lambda: set(kubelet.devices) == names)


async def test_a_dead_kubelets_socket_is_not_the_end(kubelet: Kubelet, plugins: Plugins) -> None:
    (kubelet.plugins / "kubelet.sock").touch()
    await plugins.start(Fixed("echo"))
    async with kubelet.serving():
        await until(lambda: "akri.sh/echo" in kubelet.devices)


async def test_starting_again_serves_once(kubelet: Kubelet, plugins: Plugins) -> None:
    async with kubelet.serving():
        await plugins.start(Fixed("echo"))
        await until(lambda: kubelet.devices)
        await plugins.start(Fixed("echo"))
        assert kubelet.registrations == ["akri.sh/echo"]


async def test_two_objects_cannot_have_one_resource(kubelet: Kubelet, plugins: Plugins) -> None:
    await plugins.start(Fixed("echo"))
    with pytest.raises(LabError, match="has the same resource"):
        await plugins.start(Fixed("echo", kind="Configuration"))


async def test_sockets_of_an_agent_that_was_killed_are_cleared(kubelet: Kubelet) -> None:
    kubelet.plugins.mkdir(parents=True)
    async with Plugins(kubelet.plugins) as plugins, kubelet.serving():
        await plugins.start(Fixed("echo"))
        [ours] = {path.name for path in kubelet.plugins.iterdir()} - {"kubelet.sock"}
    others = {"kubelet.sock", "another-vendor.sock"}
    for name in {ours} | others:
        (kubelet.plugins / name).touch()
    async with Plugins(kubelet.plugins):
        assert {path.name for path in kubelet.plugins.iterdir()} == others


async def test_a_name_longer_than_a_socket_path_is_served(kubelet: Kubelet, plugins: Plugins) -> None:
    async with kubelet.serving():
        await plugins.start(Fixed("e" * 63))
        await until(lambda: kubelet.devices)
