"""The controller on a real API server: Instances of a node that exists only as an object, so that nothing runs."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from edgelab.kube.client import Configurations, Instances
from labkit import eventually
from lightkube import Client, KubeConfig
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import Event, Namespace, Node, NodeStatus, Pod, PodStatus, Service
from lightkube.types import CascadeType, PatchType

NAMESPACE = "controller-test"
NODE = "controller-test-node"
GONE = "controller-test-node-that-never-was"
BROKER: dict[str, Any] = {
    "automountServiceAccountToken": False,
    "containers": [
        {
            "name": "broker",
            "image": "nowhere.invalid/broker:v1",
            "resources": {"limits": {"{{PLACEHOLDER}}": "1"}, "requests": {"{{PLACEHOLDER}}": "1"}},
        }
    ],
}
PORTS = {"ports": [{"port": 80}]}


class World:
    """A namespace and a node of the test's own, and the few things that a test does there."""

    def __init__(self, kubeconfig: Path) -> None:
        config = KubeConfig.from_file(kubeconfig).get()
        self.client: Any = Client(config, namespace=NAMESPACE, trust_env=False)

    def set_node(self, *, ready: bool = True, **devices: int) -> None:
        """Say how the node is, and how many slots of each Instance it offers."""
        resources = {f"akri.sh/{name}": str(count) for name, count in devices.items()}
        status = {
            "capacity": resources,
            "allocatable": resources,
            "conditions": [{"type": "Ready", "status": "True" if ready else "False"}],
        }
        self.client.patch(NodeStatus, NODE, {"status": status}, patch_type=PatchType.MERGE)

    def configure(self, name: str, **spec: Any) -> str:
        """A Configuration; returns its uid."""
        body = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"brokerSpec": {"brokerPodSpec": BROKER}}}
        body["spec"] |= spec
        made = self.client.create(Configurations.from_dict(body))
        return str(made.metadata.uid)

    def discover(self, name: str, configuration: str, uid: str) -> None:
        """An Instance as the agent of the node would make it, one slot in use."""
        owner = {"apiVersion": "akri.sh/v0", "kind": "Configuration", "name": configuration, "uid": uid}
        spec = {
            "configurationName": configuration,
            "cdiName": f"akri.sh/{configuration}=000000",
            "capacity": 2,
            "nodes": [NODE],
            "shared": True,
        }
        meta = {"name": name, "namespace": NAMESPACE, "ownerReferences": [owner | {"controller": True}]}
        self.client.apply(Instances.from_dict({"metadata": meta, "spec": spec}), field_manager=NODE)
        usage = {"metadata": {"name": name, "namespace": NAMESPACE}, "spec": {"deviceUsage": {f"{name}-0": NODE}}}
        self.claim(usage)

    def claim(self, usage: dict[str, Any]) -> None:
        """Claim slots as the agent's device plugin does: without force."""
        self.client.apply(Instances.from_dict(usage), field_manager=f"dp-{NODE}")

    def hold(self, kind: Any, name: str, node: str) -> None:
        """Add a finalizer as the agent of a node does."""
        body = kind.from_dict({"metadata": {"name": name, "namespace": NAMESPACE, "finalizers": [node]}})
        self.client.apply(body, field_manager=f"{node}-fin")

    def let_go(self, kind: Any, name: str) -> None:
        """Take the finalizer of the node that is there away, as its agent does."""
        body = kind.from_dict({"metadata": {"name": name, "namespace": NAMESPACE}})
        self.client.apply(body, field_manager=f"{NODE}-fin")

    def holders(self, kind: Any, name: str) -> list[str] | None:
        """The finalizers of an object; None when it is gone."""
        there = found(lambda: self.client.get(kind, name))
        return None if there is None else sorted(there.metadata.finalizers or [])

    def broker(self, instance: str) -> Any:
        """The broker of an Instance, or None."""
        return found(lambda: self.client.get(Pod, f"{NODE}-{instance}-pod"))

    def service(self, owner: str) -> Any:
        """The Service of an Instance or a Configuration, or None."""
        return found(lambda: self.client.get(Service, f"{owner}-svc"))

    def set_phase(self, instance: str, phase: str) -> None:
        """Say what the node would say about the broker."""
        self.client.patch(PodStatus, f"{NODE}-{instance}-pod", {"status": {"phase": phase}}, patch_type=PatchType.MERGE)

    def finish(self, instance: str) -> None:
        """Do what the node does with a Pod that is to be deleted."""
        self.client.delete(Pod, f"{NODE}-{instance}-pod", grace_period=0)


def found(get: Any) -> Any:
    """What get() returns, or None when it is not there."""
    try:
        return get()
    except ApiError as error:
        if error.status.code != 404:
            raise
        return None


@pytest.fixture
def world(kubeconfig: Path) -> Iterator[World]:
    """A World that is gone afterwards."""
    made = World(kubeconfig)
    made.client.create(Namespace.from_dict({"metadata": {"name": NAMESPACE}}))
    made.client.create(Node.from_dict({"metadata": {"name": NODE}}))
    yield made
    made.client.deletecollection(Configurations)
    made.client.deletecollection(Instances)
    made.client.deletecollection(Pod, grace_period=0)
    made.client.delete(Node, NODE)
    made.client.delete(Namespace, NAMESPACE)
    eventually(lambda: found(lambda: made.client.get(Namespace, NAMESPACE)) is None, what="the namespace to be gone")


def test_a_broker_comes_when_the_node_offers_the_device_and_goes_with_the_instance(world: World) -> None:
    uid = world.configure("c", instanceServiceSpec=PORTS, configurationServiceSpec=PORTS)
    world.discover("c-000001", "c", uid)
    world.set_node()
    assert world.broker("c-000001") is None
    world.set_node(**{"c-000001": 2})
    broker = eventually(lambda: world.broker("c-000001"), what="the broker")
    term = broker.spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms[0]
    assert term.matchFields[0].values == [NODE]
    assert broker.spec.containers[0].resources.limits == {"akri.sh/c-000001": "1"}
    assert broker.metadata.labels["akri.sh/target-node"] == NODE
    assert world.service("c-000001") is None
    world.set_phase("c-000001", "Running")
    service = eventually(lambda: world.service("c-000001"), what="the Instance's Service")
    assert service.spec.selector == {"controller": "akri.sh", "akri.sh/instance": "c-000001"}
    assert eventually(lambda: world.service("c"), what="the Configuration's Service")
    world.client.delete(Instances, "c-000001")
    eventually(lambda: world.service("c-000001") is None and world.service("c") is None, what="the Services to go")
    eventually(lambda: world.broker("c-000001") is None, what="the broker to go")


def test_what_a_vanished_node_holds_can_be_deleted_and_what_others_hold_waits(world: World) -> None:
    uid = world.configure("c")
    world.discover("c-000001", "c", uid)
    for node in (GONE, NODE):
        world.hold(Configurations, "c", node)
        world.hold(Instances, "c-000001", node)
    world.client.delete(Configurations, "c", cascade=CascadeType.BACKGROUND)
    world.client.delete(Instances, "c-000001")
    for kind, name in ((Configurations, "c"), (Instances, "c-000001")):
        eventually(
            lambda kind=kind, name=name: world.holders(kind, name) == [NODE], what=f"{name} held by {NODE} alone"
        )
        world.let_go(kind, name)
        eventually(lambda kind=kind, name=name: world.holders(kind, name) is None, what=f"{name} to be gone")


def test_a_broker_is_replaced_when_it_failed_or_when_its_spec_changed(world: World) -> None:
    uid = world.configure("c")
    world.discover("c-000001", "c", uid)
    world.set_node(**{"c-000001": 2})
    first = eventually(lambda: world.broker("c-000001"), what="the broker").metadata.uid
    world.set_phase("c-000001", "Failed")
    second = eventually(lambda: another(world, first), what="another broker")
    changed = json.loads(json.dumps(BROKER).replace("broker:v1", "broker:v2"))
    patch = {"spec": {"brokerSpec": {"brokerPodSpec": changed}}}
    world.client.patch(Configurations, "c", patch, patch_type=PatchType.MERGE)
    eventually(lambda: another(world, second), what="a broker of the new spec")
    assert world.broker("c-000001").spec.containers[0].image == "nowhere.invalid/broker:v2"


def another(world: World, uid: str) -> str:
    """The uid of a broker that is not the one given; empty while there is none."""
    broker = world.broker("c-000001")
    return str(broker.metadata.uid) if broker and broker.metadata.uid != uid else ""


def test_a_lost_node_leaves_the_instance_and_its_slots_without_an_owner(world: World) -> None:
    uid = world.configure("c")
    world.set_node(**{"c-000001": 2})
    world.discover("c-000001", "c", uid)
    eventually(lambda: world.broker("c-000001"), what="the broker")
    world.set_node(ready=False)

    def left() -> bool:
        spec = world.client.get(Instances, "c-000001").spec
        return spec["nodes"] == [] and spec["deviceUsage"] == {}

    eventually(left, what="the node to be taken out of the Instance")
    eventually(lambda: world.broker("c-000001") is None, what="the broker to go")
    usage = {"metadata": {"name": "c-000001", "namespace": NAMESPACE}, "spec": {"deviceUsage": {"c-000001-0": NODE}}}
    world.claim(usage)
    managers = {entry.manager for entry in world.client.get(Instances, "c-000001").metadata.managedFields}
    assert f"dp-{NODE}" in managers
    assert "unknown" not in managers


def test_a_broker_whose_name_does_not_fit_into_a_label_is_made(world: World) -> None:
    name = "c" + "o" * 40
    instance = f"{name}-000001"
    world.set_node(**{instance: 2})
    world.discover(instance, name, world.configure(name))
    broker = eventually(lambda: world.broker(instance), what="the broker")
    assert len(broker.metadata.name) > 63 >= len(broker.metadata.labels["app"])


@pytest.mark.parametrize(
    ("name", "spec", "reason", "words"),
    [
        ("c", {"brokerSpec": {"brokerPodSpec": BROKER | {"affinity": "near"}}}, "InvalidBrokerSpec", "Configuration c"),
        ("c", {"brokerSpec": {"brokerPodSpec": {"containers": []}}}, "BrokerRefused", "spec.containers"),
    ],
)
def test_a_broker_that_cannot_be_is_told_by_an_event(
    world: World, name: str, spec: dict[str, Any], reason: str, words: str
) -> None:
    uid = world.configure(name, **spec)
    instance = f"{name}-000001"
    world.set_node(**{instance: 2})
    world.discover(instance, name, uid)

    def told() -> list[str]:
        events = world.client.list(Event, fields={"involvedObject.name": instance})
        return [event.message for event in events if event.reason == reason]

    assert words in eventually(told, what="the Event")[0]
