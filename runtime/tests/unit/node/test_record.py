"""What the Node says, and what is patched: no more than what differs, nothing of others."""

import copy
import datetime
from typing import Any

import pytest
from edgelab.node import record_wanted as wanted
from edgelab.node.capacity import Load, Machine, load, machine, meminfo
from edgelab.node.heartbeat import lease
from edgelab.node.record_wanted import Count, NodeSettings

SETTINGS = NodeSettings("krustlet-wasi", "127.0.0.1", 3000, 110, {"site": "bench"})
MACHINE = Machine(2, 2048, 4096, "6.18", "Debian", "m-id", "b-id", "50.0.1")
FINE = Load(memory=2**30, disk=2**30, pids=0.01)
EARLIER, NOW = "2026-11-21T09:00:00Z", "2026-11-21T09:01:00Z"


def node(devices: dict[str, Count | None] | None = None) -> dict[str, Any]:
    """A Node as the API server has it after the node's own writes."""
    status = wanted.status(SETTINGS, MACHINE, FINE)
    patch = wanted.status_patch(status, devices or {}, {}, EARLIER, 0.0)
    assert patch
    return copy.deepcopy({"metadata": wanted.metadata(SETTINGS), "spec": {"taints": wanted.taints()}} | patch)


def patch(found: dict[str, Any], devices: dict[str, Count | None] | None = None, **details: Any) -> Any:
    status = wanted.status(SETTINGS, MACHINE, details.get("load", FINE))
    return wanted.status_patch(status, devices or {}, found, NOW, details.get("age", 0.0))


def test_labels_and_taints_are_those_of_the_recorded_node() -> None:
    labels = wanted.metadata(SETTINGS)["labels"]
    recorded = dict.fromkeys(
        ("beta.kubernetes.io/arch", "beta.kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/os"), "wasm32-wasi"
    )
    assert labels == recorded | {"kubernetes.io/hostname": "krustlet-wasi", "type": "krustlet", "site": "bench"}
    assert wanted.taints() == [
        {"effect": "NoSchedule", "key": "kubernetes.io/arch", "value": "wasm32-wasi"},
        {"effect": "NoExecute", "key": "kubernetes.io/arch", "value": "wasm32-wasi"},
    ]


def test_capacity_is_what_was_measured() -> None:
    status = wanted.status(SETTINGS, MACHINE, FINE)
    assert status["capacity"] == {"cpu": "2", "memory": "2048Ki", "ephemeral-storage": "4096Ki", "pods": "110"}
    assert status["nodeInfo"]["containerRuntimeVersion"] == "wasmtime://50.0.1"
    assert "podCIDR" not in str(status)


def test_a_node_that_is_right_is_left_alone() -> None:
    assert wanted.metadata_patch(SETTINGS, node()) is None
    assert wanted.missing_taints(node()) == []
    assert patch(node()) is None


def test_a_wrong_label_is_corrected_and_foreign_ones_are_not_named() -> None:
    found = node()
    found["metadata"]["labels"] |= {"type": "stale", "foreign": "kept"}
    found["metadata"]["annotations"]["node.alpha.kubernetes.io/ttl"] = "15"
    assert wanted.metadata_patch(SETTINGS, found) == {"metadata": {"labels": {"type": "krustlet"}}}


def test_a_lost_taint_is_found_and_taints_of_controllers_do_not_matter() -> None:
    found = node()
    found["spec"]["taints"][1] = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    assert wanted.missing_taints(found) == [wanted.taints()[1]]


def test_a_stale_address_and_port_are_corrected() -> None:
    found = node()
    found["status"]["addresses"][0]["address"] = "127.0.0.9"
    found["status"]["daemonEndpoints"]["kubeletEndpoint"]["Port"] = 1
    changed = patch(found)["status"]
    assert changed["addresses"][0] == {"type": "InternalIP", "address": "127.0.0.1"}
    assert changed["daemonEndpoints"] == {"kubeletEndpoint": {"Port": 3000}}
    assert set(changed) == {"addresses", "daemonEndpoints"}


def test_only_changed_resources_are_written_and_gone_ones_removed() -> None:
    found = node({"akri.sh/a": Count(2, 2), "akri.sh/b": Count(1, 1), "akri.sh/c": Count(0, 0)})
    found["status"]["capacity"]["example.com/foreign"] = "3"
    changed = patch(found, {"akri.sh/a": Count(2, 1), "akri.sh/b": Count(1, 1), "akri.sh/c": None, "akri.sh/d": None})
    assert changed == {
        "status": {"capacity": {"akri.sh/c": None}, "allocatable": {"akri.sh/a": "1", "akri.sh/c": None}}
    }


def test_pressure_is_a_transition_of_that_condition_alone() -> None:
    changed = patch(node(), load=Load(memory=2**20, disk=2**30, pids=0.01))["status"]
    times = {each["type"]: each["lastTransitionTime"] for each in changed["conditions"]}
    assert times == {"MemoryPressure": NOW, "DiskPressure": EARLIER, "PIDPressure": EARLIER, "Ready": EARLIER}
    (memory,) = [each for each in changed["conditions"] if each["type"] == "MemoryPressure"]
    assert (memory["status"], memory["reason"]) == ("True", "KubeletHasInsufficientMemory")


def test_the_heartbeat_comes_when_the_last_one_is_old_and_is_no_transition() -> None:
    assert patch(node(), age=wanted.HEARTBEAT_SECONDS - 1.0) is None
    changed = patch(node(), age=float(wanted.HEARTBEAT_SECONDS))["status"]
    assert {(each["lastHeartbeatTime"], each["lastTransitionTime"]) for each in changed["conditions"]} == {
        (NOW, EARLIER)
    }


def test_ready_lost_to_the_control_plane_is_taken_back() -> None:
    found = node()
    ready = next(each for each in found["status"]["conditions"] if each["type"] == "Ready")
    ready |= {"status": "Unknown", "reason": "NodeStatusUnknown"}
    conditions = patch(found)["status"]["conditions"]
    (written,) = [each for each in conditions if each["type"] == "Ready"]
    assert (written["status"], written["lastTransitionTime"]) == ("True", NOW)


@pytest.mark.parametrize(
    ("measured", "expected"),
    [
        (Load(99 * 2**20, 2**40, 0.0), (True, False, False)),
        (Load(2**40, 255 * 2**20, 0.0), (False, True, False)),
        (Load(100 * 2**20, 256 * 2**20, 0.91), (False, False, True)),
    ],
)
def test_pressures(measured: Load, expected: tuple[bool, bool, bool]) -> None:
    assert (measured.memory_pressure, measured.disk_pressure, measured.pid_pressure) == expected


def test_meminfo_skips_what_has_no_unit() -> None:
    assert meminfo("MemTotal:  2048 kB\nHugePages_Total:       0\nMemAvailable: 1 kB\n") == {
        "MemTotal": 2048,
        "MemAvailable": 1,
    }


def test_this_machine_can_be_measured(tmp_path: Any) -> None:
    measured, left = machine(tmp_path), load(tmp_path)
    assert measured.cpus >= 1
    assert 0 < left.memory <= measured.memory * 1024
    assert 0 < left.disk <= measured.disk * 1024
    assert 0 < left.pids < 1
    assert measured.boot_id


def test_the_lease_belongs_to_the_node() -> None:
    body = lease("krustlet-wasi", "u-1", datetime.datetime(2026, 11, 21, 9, 1, 58, 654574, datetime.UTC))
    assert body["spec"] == {
        "holderIdentity": "krustlet-wasi",
        "leaseDurationSeconds": 40,
        "renewTime": "2026-11-21T09:01:58.654574Z",
    }
    assert body["metadata"]["ownerReferences"][0]["uid"] == "u-1"
