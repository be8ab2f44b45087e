"""HTTP devices on a real cluster: Akri's walkthrough from the empty broker to the gRPC client, in containers.

The tests build on one another in the order of the file: the demo goes from stage to stage, and is gone at the end.
"""

import json
from collections.abc import Iterator
from typing import Any

import machine
import pytest
from labkit import Lab, Result, eventually
from undoing import undo

DEMO = {"lab_demo": "http", "demo_http_interval": 2}
DEVICES = 9
PROCESS = "http-devices"


@pytest.fixture(scope="module")
def empty(kind_lab: Lab) -> Iterator[Result]:
    """The demo with brokers that do nothing."""
    yield kind_lab.playbook("site.yml", **DEMO, demo_http_stage="empty")
    undo(kind_lab, "demo_http")


@pytest.fixture(scope="module")
def standalone(kind_lab: Lab, empty: Result) -> Result:
    """The demo with brokers that tell their device's values."""
    return kind_lab.playbook("site.yml", **DEMO, demo_http_stage="standalone")


@pytest.fixture(scope="module")
def grpc(kind_lab: Lab, standalone: Result) -> Result:
    """The demo as it is by default on such a cluster: brokers that serve values, and their client."""
    return kind_lab.playbook("site.yml", **DEMO)


def node(lab: Lab) -> str:
    """The node that runs containers."""
    return f"edgelab-{lab.name}-control-plane"


def instances(lab: Lab) -> dict[str, str]:
    """The devices' URLs by their Instances; all of them are seen by the node that runs containers, and by no other."""
    found = lab.get("akrii")["items"]
    assert {tuple(one["spec"]["nodes"]) for one in found} <= {(node(lab),)}
    return {one["metadata"]["name"]: one["spec"]["brokerProperties"]["AKRI_HTTP_DEVICE_ENDPOINT"] for one in found}


def brokers(lab: Lab) -> dict[str, dict[str, Any]]:
    """The brokers that run and stay, by their Instances."""
    found = lab.get("pods", "-l", "akri.sh/configuration=akri-http")["items"]
    return {
        pod["metadata"]["labels"]["akri.sh/instance"]: pod
        for pod in found
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    }


def services(lab: Lab) -> dict[str, dict[str, Any]]:
    """The Services of Instances, by these."""
    found = lab.get("services", "-l", "akri.sh/instance")["items"]
    return {one["metadata"]["labels"]["akri.sh/instance"]: one for one in found}


def said_by_client(lab: Lab, *words: str) -> list[str]:
    """What the client has said."""
    return lab.kubectl("logs", "deployment/http-client", *words).splitlines()


def set_device(lab: Lab, name: str, change: str) -> dict[str, Any]:
    """Change a mock device; returns it as it is then."""
    command = ["edgelab", "devices", "set", "--run", str(lab.layout.run), "--name", PROCESS, name, change]
    told: dict[str, Any] = json.loads(lab.run(command).output)
    return told


def test_each_device_has_an_instance_and_an_empty_broker(kind_lab: Lab, empty: Result) -> None:
    assert len(instances(kind_lab)) == DEVICES
    found = brokers(kind_lab)
    assert found.keys() == instances(kind_lab).keys()
    assert all("@sha256:" in pod["spec"]["containers"][0]["image"] for pod in found.values())
    assert services(kind_lab) == {}
    assert "http device" not in empty.output


def test_standalone_brokers_take_their_place_and_tell_the_values(kind_lab: Lab, standalone: Result) -> None:
    for instance, url in instances(kind_lab).items():
        pod = brokers(kind_lab)[instance]["metadata"]["name"]
        assert f"{pod}: http device {url} value " in standalone.output
        assert kind_lab.kubectl("logs", pod).startswith(f"http device {url} value ")
    assert kind_lab.kubectl("get", "deployment", "http-client", "--ignore-not-found") == ""


def test_the_client_reads_every_device_through_its_brokers_service(kind_lab: Lab, grpc: Result) -> None:
    found = instances(kind_lab)
    assert len(found) == DEVICES
    assert services(kind_lab).keys() == found.keys()
    assert all(one["spec"]["ports"][0]["port"] == 80 for one in services(kind_lab).values())
    assert kind_lab.get("service", "akri-http-svc")["spec"]["ports"][0]["port"] == 80
    for instance in found:
        assert f"http client {instance} value " in grpc.output


def test_the_client_may_look_for_services_and_nothing_else(kind_lab: Lab, grpc: Result) -> None:
    client = "--as=system:serviceaccount:default:http-client"
    assert kind_lab.kubectl("auth", "can-i", "list", "services", client).strip() == "yes"
    for verb, kind in (("get", "secrets"), ("list", "pods"), ("create", "services"), ("list", "akrii")):
        assert kind_lab.kubectl("auth", "can-i", verb, kind, client, check=False).strip().endswith("no")


def test_a_second_run_and_check_mode_change_nothing(kind_lab: Lab, grpc: Result) -> None:
    assert kind_lab.playbook("site.yml", **DEMO).changed_tasks() == []
    assert kind_lab.playbook("site.yml", "--check", **DEMO).changed_tasks() == []


def test_one_unplugged_device_takes_exactly_its_instance_and_broker_along(kind_lab: Lab, grpc: Result) -> None:
    before = instances(kind_lab)
    uids = {instance: pod["metadata"]["uid"] for instance, pod in brokers(kind_lab).items()}
    url = set_device(kind_lab, "3", "plugged=no")["url"]
    [gone] = [instance for instance, endpoint in before.items() if endpoint == url]
    eventually(lambda: gone not in instances(kind_lab), within=60, what="the Instance to go")
    eventually(lambda: gone not in brokers(kind_lab), within=60, what="its broker to go")
    eventually(lambda: gone not in services(kind_lab), within=60, what="its Service to go")
    assert instances(kind_lab).keys() == before.keys() - {gone}
    kept = {instance: pod["metadata"]["uid"] for instance, pod in brokers(kind_lab).items()}
    assert kept == {instance: uid for instance, uid in uids.items() if instance != gone}
    set_device(kind_lab, "3", "plugged=yes")
    eventually(lambda: brokers(kind_lab).keys() == before.keys(), within=90, what="the broker to run again")


def test_the_client_says_what_a_device_was_set_to(kind_lab: Lab, grpc: Result) -> None:
    url = set_device(kind_lab, "5", "value=42.17")["url"]
    [instance] = [name for name, endpoint in instances(kind_lab).items() if endpoint == url]
    line = f"http client {instance} value 42.17"
    eventually(lambda: line in said_by_client(kind_lab, "--tail=50"), within=60, what=f"the client to say {line!r}")
    set_device(kind_lab, "5", "failing=yes")
    line = f"http client {instance} failed: status 503"
    eventually(lambda: line in said_by_client(kind_lab, "--tail=50"), within=60, what=f"the client to say {line!r}")
    set_device(kind_lab, "5", "failing=no")
    set_device(kind_lab, "5", "value=null")


def test_wasm_brokers_can_have_the_devices_instead(kind_lab: Lab, grpc: Result) -> None:
    kind_lab.playbook("site.yml", **DEMO, demo_http_brokers="wasm")
    found = kind_lab.get("akrii")["items"]
    assert [one["spec"]["nodes"] for one in found] == [["krustlet-wasi"]] * DEVICES
    assert kind_lab.kubectl("-n", "akri", "get", "daemonset", "http-handler", "--ignore-not-found") == ""


def test_nothing_of_the_demo_is_left_in_a_cluster_that_stays(kind_lab: Lab, grpc: Result) -> None:
    undo(kind_lab, "demo_http")
    kinds = "akric,akrii,pods,deployments,roles,rolebindings,services"
    # Brokers end after what they were made for.
    eventually(
        lambda: kind_lab.kubectl("get", kinds, "-o", "name").split() == ["service/kubernetes"],
        within=60,
        what="the last broker to go",
    )
    accounts = kind_lab.kubectl("get", "serviceaccounts", "-o", "name").split()
    assert accounts == ["serviceaccount/default"]
    assert kind_lab.kubectl("-n", "akri", "get", "daemonset", "http-handler", "--ignore-not-found") == ""
    sockets = machine.podman("exec", node(kind_lab), "ls", "/var/lib/akri").stdout.split()
    assert "http.sock" not in sockets
    assert not (kind_lab.layout.state / "http-devices.json").exists()
