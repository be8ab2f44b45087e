"""The Configuration that options describe, and when a changed one has to be made anew."""

from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _configuration as configuration
from edgelab.core.errors import LabError
from edgelab.core.model import Configuration

GIVEN: dict[str, Any] = {
    "name": "akri-debug-echo",
    "namespace": "default",
    "handler": "debugEcho",
    "details": {"descriptions": ["foo0"]},
    "discovery_properties": [],
    "capacity": 2,
    "broker_pod_spec": {"containers": []},
    "broker_job_spec": None,
    "broker_properties": {},
    "instance_service_spec": {"type": "ClusterIP"},
    "configuration_service_spec": None,
}


def rendered(**changes: Any) -> dict[str, Any]:
    return configuration.render({**GIVEN, **changes})


def test_the_agent_reads_what_the_options_say() -> None:
    read = Configuration.from_dict(rendered())
    assert (read.key, read.handler, read.capacity) == (("default", "akri-debug-echo"), "debugEcho", 2)
    assert read.details == "descriptions:\n- foo0\n"
    assert (read.broker_pod_spec, read.broker_job_spec) == ({"containers": []}, None)
    assert (read.instance_service_spec, read.configuration_service_spec) == ({"type": "ClusterIP"}, None)


def test_what_was_not_given_is_left_out() -> None:
    spec = rendered(broker_pod_spec=None, instance_service_spec=None)["spec"]
    assert sorted(spec) == ["brokerProperties", "capacity", "discoveryHandler"]
    assert "discoveryProperties" not in spec["discoveryHandler"]


@pytest.mark.parametrize(("details", "text"), [(None, ""), ("a: 1", "a: 1"), ({"b": 1, "a": 2}, "b: 1\na: 2\n")])
def test_details_are_text_as_given_or_yaml_in_the_order_given(details: Any, text: str) -> None:
    assert configuration.details_text(details) == text


def test_broker_properties_must_be_strings() -> None:
    with pytest.raises(LabError, match="no strings: B, C"):
        rendered(broker_properties={"A": "1", "B": 1, "C": True})


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({}, False),
        ({"details": "descriptions: [foo0]"}, False),
        ({"details": {"descriptions": ["foo0", "foo1"]}}, True),
        ({"details": "descriptions: ["}, True),
        ({"handler": "udev"}, True),
        ({"discovery_properties": [{"name": "A", "value": "b"}]}, True),
        ({"capacity": 5}, False),
        ({"broker_pod_spec": {"containers": [{"name": "other"}]}}, False),
        ({"broker_properties": {"A": "b"}}, False),
    ],
)
def test_only_what_is_discovered_makes_a_new_one_necessary(changes: dict[str, Any], anew: bool) -> None:
    following = configuration.Recreation(discovery=True, brokers=False)
    assert configuration.must_recreate(rendered(), rendered(**changes), following) is anew


@pytest.mark.parametrize(
    ("changes", "anew"),
    [
        ({}, False),
        ({"capacity": 5}, False),
        ({"details": {"descriptions": ["foo0", "foo1"]}}, False),
        ({"broker_pod_spec": {"containers": [{"name": "other"}]}}, True),
        ({"broker_properties": {"A": "b"}}, True),
        ({"instance_service_spec": None}, True),
        ({"configuration_service_spec": {"type": "ClusterIP"}}, True),
    ],
)
def test_beside_akris_controller_other_brokers_make_a_new_one_necessary(changes: dict[str, Any], anew: bool) -> None:
    brokers = configuration.Recreation(discovery=False, brokers=True)
    assert configuration.must_recreate(rendered(), rendered(**changes), brokers) is anew


@pytest.mark.parametrize(("discovery", "brokers"), [(True, False), (False, True), (False, False)])
def test_one_that_is_being_deleted_has_to_go_first(discovery: bool, brokers: bool) -> None:
    found = rendered()
    found["metadata"]["deletionTimestamp"] = "2026-11-21T09:00:00Z"
    anew = configuration.Recreation(discovery=discovery, brokers=brokers)
    assert configuration.must_recreate(found, rendered(), anew) is (discovery or brokers)
