"""Devices come and go; slots are claimed, freed, never lost."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import guests
import pytest
from edgelab.core import names
from labkit import Lab, eventually

CONFIGURATION = "akri-debug-echo"
DEVICE = f"{CONFIGURATION}-aae70c"
BROKER = f"krustlet-wasi-{DEVICE}-pod"


@pytest.fixture
def demo(lab: Lab) -> Iterator[Lab]:
    """The lab with its demo as it was, whatever the test did to it."""
    yield lab
    availability(lab).write_text("ONLINE")
    lab.playbook("site.yml")


def availability(lab: Lab) -> Path:
    return lab.layout.handlers / "debugEcho" / "debug-echo-availability.txt"


def instances(lab: Lab) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in lab.get("instances.akri.sh", "-A")["items"]}


def usage(lab: Lab) -> list[str]:
    return [value for value in instances(lab)[DEVICE]["spec"]["deviceUsage"].values() if value]


def expected(count: int) -> set[str]:
    return {names.instance(CONFIGURATION, names.digest(f'"foo{n}"', shared=True)) for n in range(count)}


def test_unplugged_and_plugged_again(demo: Lab) -> None:
    availability(demo).write_text("OFFLINE")
    eventually(lambda: not instances(demo), what="the Instance to go")
    eventually(lambda: "NotFound" in demo.kubectl("get", "pod", BROKER, check=False), what="the broker to go")
    availability(demo).write_text("ONLINE")
    eventually(lambda: set(instances(demo)) == {DEVICE}, what="the Instance to come back")
    guests.running(demo, BROKER)


def test_twenty_devices_at_once(demo: Lab) -> None:
    descriptions = [f"foo{n}" for n in range(20)]
    demo.playbook("site.yml", demo_wasm_debug_echo_descriptions=descriptions)
    assert set(instances(demo)) == expected(20)
    availability(demo).write_text("OFFLINE")
    eventually(lambda: not instances(demo), what="all Instances to go")
    eventually(lambda: _brokers(demo) == 0, within=60, what="all brokers to go")
    assert all(demo.ready(process) for process in ("node", "agent", "controller", "proxy"))
    availability(demo).write_text("ONLINE")
    eventually(lambda: set(instances(demo)) == expected(20), what="all Instances to come back")


def _brokers(lab: Lab) -> int:
    return len(lab.get("pods", "-l", "controller=akri.sh")["items"])


def test_a_broker_may_be_restarted_more_often_than_there_are_slots(demo: Lab) -> None:
    for _round in range(4):
        uid = demo.get("pod", BROKER)["metadata"]["uid"]
        demo.kubectl("delete", "pod", BROKER)
        eventually(lambda uid=uid: _replaced(demo, uid), what="another broker")  # type: ignore[misc]
        guests.running(demo, BROKER)
        assert "foo0" in eventually(lambda: demo.kubectl("logs", BROKER), what="its line")
    assert len(usage(demo)) == 1


def _replaced(lab: Lab, uid: str) -> bool:
    found = lab.kubectl("get", "pod", BROKER, "-o", "jsonpath={.metadata.uid}", "--ignore-not-found", check=False)
    return bool(found) and found != uid


def test_capacity_one(demo: Lab) -> None:
    demo.playbook("site.yml", demo_wasm_debug_echo_capacity=1)
    assert demo.get("node", "krustlet-wasi")["status"]["allocatable"][f"akri.sh/{DEVICE}"] == "1"
    guests.running(demo, BROKER)


def test_a_pod_of_the_users_own_gets_the_device_and_deletion_frees_it(demo: Lab, tmp_path: Path) -> None:
    image = demo.get("pod", BROKER)["spec"]["containers"][0]["image"]
    own = guests.pod("own", image, requests={f"akri.sh/{DEVICE}": "1"})
    beyond = guests.pod("beyond", image, requests={f"akri.sh/{DEVICE}": "1"})
    guests.apply(demo, tmp_path, own)
    guests.running(demo, "own")
    assert '"foo0"' in eventually(lambda: demo.kubectl("logs", "own"), what="its line")
    guests.apply(demo, tmp_path, beyond)
    eventually(lambda: "Insufficient akri.sh" in demo.kubectl("describe", "pod", "beyond"), what="the scheduler's word")
    assert demo.get("pod", "beyond")["status"]["phase"] == "Pending"
    demo.kubectl("delete", "pod", "own")
    guests.running(demo, "beyond")
    demo.kubectl("delete", "pod", "beyond")
    eventually(lambda: len(usage(demo)) == 1, within=60, what="the slot to be free")


def test_any_device_of_a_configuration(demo: Lab, tmp_path: Path) -> None:
    image = demo.get("pod", BROKER)["spec"]["containers"][0]["image"]
    guests.apply(demo, tmp_path, guests.pod("any", image, requests={f"akri.sh/{CONFIGURATION}": "1"}))
    guests.running(demo, "any")
    assert '"foo0"' in eventually(lambda: demo.kubectl("logs", "any"), what="its line")
    assert any(value.startswith("C:") for value in usage(demo))
    demo.kubectl("delete", "pod", "any")
    eventually(lambda: len(usage(demo)) == 1, within=60, what="the slot to be free")


def configuration(name: str, handler: str, details: str) -> dict[str, Any]:
    return {
        "apiVersion": "akri.sh/v0",
        "kind": "Configuration",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"discoveryHandler": {"name": handler, "discoveryDetails": details}, "capacity": 1},
    }


def events(lab: Lab, name: str) -> str:
    return json.dumps(lab.get("events", "--field-selector", f"involvedObject.name={name}")["items"])


def test_bad_discovery_details_are_an_event_on_the_configuration(demo: Lab, tmp_path: Path) -> None:
    guests.apply(demo, tmp_path, configuration("bad", "debugEcho", "descriptions: 7"))
    eventually(lambda: "InvalidDiscoveryDetails" in events(demo, "bad"), what="an Event")
    assert "descriptions" in events(demo, "bad")
    demo.kubectl("delete", "configurations.akri.sh", "bad", "--timeout=20s")


def test_a_configuration_may_come_before_its_handler(demo: Lab, tmp_path: Path) -> None:
    guests.apply(demo, tmp_path, configuration("early", "notYetThere", ""))
    eventually(lambda: "notYetThere" in events(demo, "early"), within=60, what="an Event that names the handler")
    demo.kubectl("delete", "configurations.akri.sh", "early", "--timeout=20s")


def test_noise_in_the_handlers_directory_changes_nothing(demo: Lab) -> None:
    before = instances(demo)[DEVICE]["metadata"]["uid"]
    answer = demo.layout.handlers / "debugEcho" / "out.out"
    for noise in ('{"devices":[{"id":"fo', "[]", '{"devices": 7}', "\x00\xff"):
        answer.write_text(noise)
    demo.playbook("verify.yml")
    assert instances(demo)[DEVICE]["metadata"]["uid"] == before


def test_a_name_too_long_for_a_resource_is_told(demo: Lab, tmp_path: Path) -> None:
    name = "a" * 60
    guests.apply(demo, tmp_path, configuration(name, "debugEcho", "descriptions:\n- foo0\n"))
    eventually(lambda: "TooLong" in events(demo, name), what="an Event")
    assert all(item["spec"]["configurationName"] != name for item in instances(demo).values())
    demo.kubectl("delete", "configurations.akri.sh", name, "--timeout=20s")
