"""Choosing devices, putting answers together, remembering them, and telling others."""

from pathlib import Path

import pytest
from edgelab.core.errors import LabError
from edgelab.core.model import DeviceSpec, Mount
from edgelab.node.devices import checkpoint
from edgelab.node.devices.allocation import as_allocation, choose, combine, is_extended_resource
from edgelab.node.devices.checkpoint import Checkpoint, Grant
from edgelab.node.devices.services import check, pods
from edgelab.node.seams import Allocation, ContainerRef
from edgelab.wire import deviceplugin_pb2 as wire
from grpclib.exceptions import GRPCError
from hypothesis import given
from hypothesis import strategies as st

RESOURCE = "akri.sh/akri-debug-echo-aae70c"


@pytest.mark.parametrize(
    ("name", "good"),
    [
        (RESOURCE, True),
        ("nvidia.com/gpu", True),
        ("example/x", True),
        ("cpu", False),
        ("kubernetes.io/x", False),
        ("sub.kubernetes.io/x", False),
        ("mykubernetes.io/x", True),
        ("requests.example.com/x", False),
        ("Akri.sh/x", False),
        ("akri.sh/", False),
        ("akri.sh/a/b", False),
        ("akri.sh/" + "a" * 63, True),
        ("akri.sh/" + "a" * 64, False),
        ("akri.sh/x\n", False),
    ],
)
def test_names_of_extended_resources(name: str, good: bool) -> None:
    assert is_extended_resource(name) is good


def test_the_last_device_is_given_too() -> None:
    assert choose(RESOURCE, {"a-0": True}, set(), 1) == ("a-0",)


def test_unhealthy_and_used_devices_are_not_given() -> None:
    devices = {"a-3": True, "a-2": True, "a-1": True, "a-0": False}
    assert choose(RESOURCE, devices, {"a-1"}, 2) == ("a-2", "a-3")
    with pytest.raises(LabError, match="2 free and healthy of 4"):
        choose(RESOURCE, devices, {"a-1"}, 3)


@given(devices=st.dictionaries(st.text(max_size=3), st.booleans()), used=st.sets(st.text(max_size=3)), data=st.data())
def test_whatever_is_chosen_is_free_healthy_and_different(
    devices: dict[str, bool], used: set[str], data: st.DataObject
) -> None:
    free = {name for name, healthy in devices.items() if healthy} - used
    count = data.draw(st.integers(0, len(free)))
    chosen = choose(RESOURCE, devices, used, count)
    assert len(set(chosen)) == count
    assert set(chosen) <= free


def test_every_response_for_a_container_counts() -> None:
    first = wire.ContainerAllocateResponse(envs={"A": "1"}, mounts=[wire.Mount(container_path="/c", host_path="/h")])
    second = wire.ContainerAllocateResponse(
        envs={"B": "2"}, devices=[wire.DeviceSpec(container_path="/d", host_path="/e", permissions="rw")]
    )
    assert as_allocation([first, second]) == Allocation(
        {"A": "1", "B": "2"}, (Mount("/c", "/h"),), (DeviceSpec("/d", "/e", "rw"),)
    )


def test_environments_are_put_together_and_conflicts_are_named() -> None:
    mount = Mount("/c", "/h")
    combined, conflicts = combine(
        [Allocation({"A": "1", "B": "1"}, (mount,)), Allocation({"A": "2", "B": "1"}, (mount,)), Allocation({"C": "3"})]
    )
    assert combined == Allocation({"A": "2", "B": "1", "C": "3"}, (mount,))
    assert conflicts == ["A"]


def grant(pod: str, container: str, resource: str, *ids: str) -> Grant:
    owner = ContainerRef("default", pod, f"uid-of-{pod}", container)
    return Grant(owner, resource, ids, Allocation({"A": "é"}, (Mount("/c", "/h", True),), (DeviceSpec("/d", "/e"),)))


def test_the_checkpoint_is_read_as_it_was_written(tmp_path: Path) -> None:
    file = tmp_path / "devices.json"
    assert checkpoint.load(file) == Checkpoint()
    grants = (grant("p", "c", RESOURCE, "a-0", "a-1"), grant("q", "c", RESOURCE, "a-2"))
    checkpoint.save(file, grants, ["z", RESOURCE])
    assert checkpoint.load(file) == Checkpoint(grants, (RESOURCE, "z"))


@pytest.mark.parametrize(
    "content", ["", "{}", '{"grants": [{}], "resources": []}', '{"grants": 1, "resources": []}', "[]"]
)
def test_an_unreadable_checkpoint_is_left_out_and_logged(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "devices.json"
    file.write_text(content)
    assert checkpoint.load(file) == Checkpoint()
    assert str(file) in caplog.text


@pytest.mark.parametrize(
    ("request_", "problem"),
    [
        (wire.RegisterRequest(version="v1alpha", resource_name=RESOURCE, endpoint="a.sock"), "v1alpha"),
        (wire.RegisterRequest(version="v1beta1", resource_name="cpu", endpoint="a.sock"), "cpu"),
        (wire.RegisterRequest(version="v1beta1", resource_name=RESOURCE, endpoint="../a.sock"), "file name"),
        (wire.RegisterRequest(version="v1beta1", resource_name=RESOURCE, endpoint=".."), "file name"),
        (wire.RegisterRequest(version="v1beta1", resource_name=RESOURCE), "file name"),
    ],
)
def test_bad_registrations_are_refused_with_the_reason(request_: wire.RegisterRequest, problem: str) -> None:
    with pytest.raises(GRPCError, match=problem):
        check(request_)
    check(wire.RegisterRequest(version="v1beta1", resource_name=RESOURCE, endpoint="a-1.sock"))


def test_pod_resources_are_told_by_pod_and_container() -> None:
    listed = pods([grant("q", "c", "x/b", "3"), grant("p", "c2", "x/a", "2"), grant("p", "c1", "x/b", "0", "1")])
    told = [
        (pod.name, container.name, device.resource_name, list(device.device_ids))
        for pod in listed
        for container in pod.containers
        for device in container.devices
    ]
    assert told == [("p", "c1", "x/b", ["0", "1"]), ("p", "c2", "x/a", ["2"]), ("q", "c", "x/b", ["3"])]
    assert [(pod.namespace, pod.name) for pod in listed] == [("default", "p"), ("default", "q")]
