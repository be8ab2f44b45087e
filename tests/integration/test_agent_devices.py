"""The agent against the real API server, with a handler and a kubelet that do as they are told.

Its nodes exist by name only; Configurations live in a namespace of their own.
"""

import asyncio
import contextlib
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from edgelab.agent.agent import Agent, Settings
from edgelab.agent.reclaim import Timing
from edgelab.agent.testing import Handler, Kubelet, until
from edgelab.core.names import instance as instance_name
from edgelab.kube.client import Configurations, Instances, connect
from grpclib.exceptions import GRPCError
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.models.core_v1 import Container, PodSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.core_v1 import Event, Namespace, Pod
from lightkube.types import PatchType

pytestmark = pytest.mark.lab

NODE = "agent-test"
FOO0 = {"foo0": {"D": "foo0"}}
INSTANCE = instance_name("echo", "8120fe")
RESOURCE, SHARED_RESOURCE = f"akri.sh/{INSTANCE}", "akri.sh/echo"
QUICK = Timing(every=0.1, hurried=0.05, patience=0.3)
PATIENT = Timing(every=0.1, hurried=0.05, patience=600.0)


@dataclass
class Cluster:
    """A namespace for one test."""

    client: AsyncClient
    namespace: str

    async def configure(self, handler: str, **spec: Any) -> None:
        """Apply the Configuration `echo`."""
        wanted = {"discoveryHandler": {"name": handler, "discoveryDetails": "x"}, "capacity": 2, **spec}
        metadata = {"name": "echo", "namespace": self.namespace}
        body = {"apiVersion": "akri.sh/v0", "kind": "Configuration", "metadata": metadata, "spec": wanted}
        await self.client.apply(Configurations(body), field_manager="test")

    async def instance(self) -> dict[str, Any] | None:
        """The Instance of device foo0."""
        async for found in self.client.list(Instances, namespace=self.namespace):
            if found.metadata.name == INSTANCE:
                return dict(found)
        return None

    async def until(self, *, another_than: str = "", **expected: Any) -> dict[str, Any]:
        """The Instance, as soon as its spec has these values and its uid is another one."""
        async with asyncio.timeout(10):
            while True:
                found = await self.instance()
                if found and found["metadata"]["uid"] != another_than and expected.items() <= found["spec"].items():
                    return found
                await asyncio.sleep(0.02)

    async def until_gone(self, resource: Any, name: str) -> None:
        """Wait until an object is gone."""
        async with asyncio.timeout(10):
            while True:
                if name not in [
                    found.metadata.name async for found in self.client.list(resource, namespace=self.namespace)
                ]:
                    return
                await asyncio.sleep(0.02)

    async def event(self, reason: str) -> str:
        """The message of an Event with this reason."""
        async with asyncio.timeout(10):
            while True:
                async for found in self.client.list(Event, namespace=self.namespace):
                    if found.reason == reason:
                        return str(found.message)
                await asyncio.sleep(0.05)


@dataclass
class Node:
    """A node with an agent, its kubelet and a handler."""

    cluster: Cluster
    run: Path
    name: str = NODE
    timing: Timing = QUICK
    handler: Handler = field(init=False)
    kubelet: Kubelet = field(init=False)

    def __post_init__(self) -> None:
        self.handler = Handler(f"test-{self.cluster.namespace}", self.run / "akri" / "handler.sock")
        self.handler.plug(FOO0)
        self.kubelet = Kubelet(self.run)

    @contextlib.asynccontextmanager
    async def agent(self, *, registers: bool = True) -> AsyncIterator[None]:
        """Run an agent; its end is sudden."""
        settings = Settings(self.name, self.run / "state", self.run, timing=self.timing)
        running = asyncio.create_task(Agent(self.cluster.client, settings).run())
        registration = self.run / "akri" / "agent-registration.sock"
        await until(registration.exists)
        if registers:
            await self.handler.register(registration)
        try:
            yield
        finally:
            running.cancel()
            await asyncio.gather(running, return_exceptions=True)

    @contextlib.asynccontextmanager
    async def up(self) -> AsyncIterator[None]:
        """Everything runs, and the device is offered to the kubelet."""
        async with self.handler.serving(), self.kubelet.serving(), self.agent():
            await until(lambda: RESOURCE in self.kubelet.devices and SHARED_RESOURCE in self.kubelet.devices)
            yield


@pytest.fixture
async def cluster(kubeconfig: Path) -> AsyncIterator[Cluster]:
    client = connect(kubeconfig)
    made = await client.create(Namespace(metadata=ObjectMeta(generateName=f"agent-{os.getpid()}-")))
    yield Cluster(client, made.metadata.name)
    await client.delete(Namespace, made.metadata.name)
    await client.close()


@pytest.fixture
async def node(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Node]:
    node = Node(cluster, tmp_path)
    await cluster.configure(node.handler.name)
    yield node
    with contextlib.suppress(ApiError):
        await cluster.client.delete(Configurations, "echo", namespace=cluster.namespace)
    async with node.agent(registers=False):
        await cluster.until_gone(Configurations, "echo")


async def test_a_device_becomes_an_instance_as_akri_makes_it(cluster: Cluster, node: Node) -> None:
    async with node.up():
        found = await cluster.until(nodes=[NODE])
        assert found["spec"] == {
            "brokerProperties": {"D": "foo0"},
            "capacity": 2,
            "cdiName": "akri.sh/echo=8120fe",
            "configurationName": "echo",
            "deviceUsage": {},
            "nodes": [NODE],
            "shared": True,
        }
        assert found["metadata"]["finalizers"] == [NODE]
        owners = found["metadata"]["ownerReferences"]
        assert [{key: owner[key] for key in owner if key != "uid"} for owner in owners] == [
            {"apiVersion": "akri.sh/v0", "kind": "Configuration", "name": "echo", "controller": True}
        ]
        assert {entry["manager"] for entry in found["metadata"]["managedFields"]} == {NODE, f"{NODE}-fin"}
        node.handler.plug({})
        await cluster.until_gone(Instances, INSTANCE)
        await until(lambda: node.kubelet.devices == {})


async def test_slots_are_claimed_and_freed(cluster: Cluster, node: Node) -> None:
    async with node.up():
        node.kubelet.in_use = {(cluster.namespace, "pod"): [(RESOURCE, f"{INSTANCE}-1"), (SHARED_RESOURCE, "echo-0")]}
        (mine,) = await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-1"])
        (any_device,) = await node.kubelet.allocate(SHARED_RESOURCE, ["echo-0"])
        assert dict(mine.envs) == dict(any_device.envs) == {"D": "foo0", "D_8120FE": "foo0"}
        await cluster.until(deviceUsage={f"{INSTANCE}-0": f"C:echo-0:{NODE}", f"{INSTANCE}-1": NODE})
        await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-1"])
        with pytest.raises(GRPCError, match="Unable to claim slot"):
            await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-0"])
        with pytest.raises(GRPCError, match="Unable to claim slot"):
            await node.kubelet.allocate(SHARED_RESOURCE, ["echo-0", "echo-1"])
        await until(lambda: node.kubelet.devices[RESOURCE] == {f"{INSTANCE}-0": False, f"{INSTANCE}-1": True})
        node.kubelet.in_use = {}
        await cluster.until(deviceUsage={})
        await until(lambda: node.kubelet.devices[RESOURCE] == {f"{INSTANCE}-0": True, f"{INSTANCE}-1": True})


async def test_the_slot_of_a_deleted_pod_is_freed_at_once(cluster: Cluster, node: Node) -> None:
    node.timing = PATIENT
    async with node.up():
        await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-1"])
        name = f"{cluster.namespace}-pod"
        node.kubelet.in_use = {("default", name): [(RESOURCE, f"{INSTANCE}-1")]}
        spec = PodSpec(nodeName=NODE, containers=[Container(name="main", image="none")])
        await cluster.client.create(Pod(metadata=ObjectMeta(name=name, namespace="default"), spec=spec))
        seen = node.kubelet.lists + 10  # by then the agent has seen the Pod too
        await until(lambda: node.kubelet.lists > seen)
        await cluster.client.delete(Pod, name, namespace="default", grace_period=0)
        node.kubelet.in_use = {}
        await cluster.until(deviceUsage={})


async def test_a_restarted_agent_leaves_everything_as_it_was(cluster: Cluster, node: Node) -> None:
    async with node.kubelet.serving():
        async with node.handler.serving(), node.agent():
            await until(lambda: RESOURCE in node.kubelet.devices)
            node.kubelet.in_use = {(cluster.namespace, "pod"): [(RESOURCE, f"{INSTANCE}-1")]}
            await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-1"])
            before = await cluster.until(deviceUsage={f"{INSTANCE}-1": NODE})
        node.kubelet.devices.clear()
        async with node.agent(registers=False):  # the handler is not there yet
            await cluster.event("DiscoveryHandlerUnavailable")
            assert await cluster.instance() == before
            async with node.handler.serving():
                await until(lambda: RESOURCE in node.kubelet.devices and SHARED_RESOURCE in node.kubelet.devices)
                assert await cluster.instance() == before
                with pytest.raises(GRPCError, match="Unable to claim slot"):
                    await node.kubelet.allocate(SHARED_RESOURCE, ["echo-0", "echo-1"])
                await cluster.until(deviceUsage={f"{INSTANCE}-1": NODE})


async def test_an_instance_deleted_by_hand_comes_back_with_its_slots(cluster: Cluster, node: Node) -> None:
    async with node.up():
        node.kubelet.in_use = {(cluster.namespace, "pod"): [(RESOURCE, f"{INSTANCE}-1")]}
        await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-1"])
        before = await cluster.until(deviceUsage={f"{INSTANCE}-1": NODE})
        await cluster.client.delete(Instances, INSTANCE, namespace=cluster.namespace)
        again = await cluster.until(deviceUsage={f"{INSTANCE}-1": NODE}, another_than=before["metadata"]["uid"])
        assert again["spec"] == before["spec"]


async def test_a_changed_configuration_reaches_instance_and_kubelet(cluster: Cluster, node: Node) -> None:
    async with node.up():
        await cluster.configure(node.handler.name, capacity=3, brokerProperties={"X": "1"})
        await cluster.until(capacity=3, brokerProperties={"D": "foo0", "X": "1"})
        await until(lambda: len(node.kubelet.devices[RESOURCE]) == 3)
        (response,) = await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-2"])
        assert response.envs["X_8120FE"] == "1"


async def test_nodes_share_a_device(cluster: Cluster, node: Node, tmp_path: Path) -> None:
    other = Node(cluster, tmp_path / "other", "agent-test-other")
    async with node.up(), other.up():
        await cluster.until(nodes=[NODE, other.name])
        await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-0"])
        await until(lambda: other.kubelet.devices[RESOURCE] == {f"{INSTANCE}-0": False, f"{INSTANCE}-1": True})
        await cluster.configure(node.handler.name, capacity=4)
        await cluster.until(capacity=4)
        await until(lambda: len(node.kubelet.devices[RESOURCE]) == len(other.kubelet.devices[RESOURCE]) == 4)
        other.handler.plug({})
        await cluster.until(nodes=[NODE])
        await until(lambda: other.kubelet.devices == {})
        await cluster.client.delete(Configurations, "echo", namespace=cluster.namespace)
        await cluster.until_gone(Configurations, "echo")


async def test_slots_that_akris_controller_cleaned_can_be_claimed(cluster: Cluster, node: Node) -> None:
    async with node.up():
        patch = {"spec": {"deviceUsage": {f"{INSTANCE}-0": ""}}}
        await cluster.client.patch(
            Instances, INSTANCE, patch, namespace=cluster.namespace, patch_type=PatchType.MERGE, field_manager="unknown"
        )
        await node.kubelet.allocate(RESOURCE, [f"{INSTANCE}-0"])
        await cluster.until(deviceUsage={f"{INSTANCE}-0": NODE})


async def test_a_deleted_configuration_leaves_nothing(cluster: Cluster, node: Node) -> None:
    async with node.up():
        await cluster.client.delete(Configurations, "echo", namespace=cluster.namespace)
        await cluster.until_gone(Configurations, "echo")
        await cluster.until_gone(Instances, INSTANCE)
        await until(lambda: node.kubelet.devices == {} and node.handler.open == 0)


async def test_what_a_handler_refuses_is_told_on_the_configuration(cluster: Cluster, node: Node) -> None:
    node.handler.refusal = "descriptions: expected a list"
    async with node.handler.serving(), node.agent():
        assert "descriptions: expected a list" in await cluster.event("InvalidDiscoveryDetails")
