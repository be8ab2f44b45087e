"""Custom resources as the API server serves them become values; wrong types are told, not guessed at."""

from typing import Any

import pytest
from edgelab.core.model import Configuration, Instance, MalformedError


def configuration(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "c", "namespace": "default", "uid": "u", "generation": 3}, "spec": spec}


def test_an_empty_configuration_has_akris_defaults() -> None:
    read = Configuration.from_dict(configuration())
    assert (read.capacity, read.handler, read.details, read.broker_pod_spec) == (1, "", "", None)
    assert read.reference.as_owner() == {
        "apiVersion": "akri.sh/v0",
        "kind": "Configuration",
        "name": "c",
        "uid": "u",
        "controller": True,
    }


def test_null_fields_count_as_absent() -> None:
    read = Configuration.from_dict(
        configuration(brokerProperties=None, discoveryHandler={"discoveryProperties": None}, brokerSpec=None)
    )
    assert read.broker_properties == {}
    assert read.discovery_properties == ()


@pytest.mark.parametrize("spec", [{"capacity": "2"}, {"capacity": True}, {"brokerSpec": []}, {"brokerProperties": "x"}])
def test_a_configuration_with_a_wrong_type_names_the_field(spec: dict[str, Any]) -> None:
    with pytest.raises(MalformedError, match=f"spec.{next(iter(spec))}"):
        Configuration.from_dict(configuration(**spec))


def test_an_instance_as_recorded() -> None:
    read = Instance.from_dict(
        {
            "metadata": {
                "name": "akri-debug-echo-aae70c",
                "namespace": "default",
                "uid": "i",
                "finalizers": ["krustlet-wasi"],
                "ownerReferences": [{"kind": "Configuration", "name": "akri-debug-echo", "uid": "u"}],
            },
            "spec": {
                "brokerProperties": {"DEBUG_ECHO_DESCRIPTION": '"foo0"'},
                "capacity": 2,
                "cdiName": "akri.sh/akri-debug-echo=aae70c",
                "configurationName": "akri-debug-echo",
                "deviceUsage": {"akri-debug-echo-aae70c-1": "krustlet-wasi"},
                "nodes": ["krustlet-wasi"],
                "shared": True,
            },
        }
    )
    assert read.key == ("default", "akri-debug-echo-aae70c")
    assert read.owner_uids == ("u",)
    assert read.device_usage == {"akri-debug-echo-aae70c-1": "krustlet-wasi"}


def test_an_instance_whose_nodes_are_one_text_is_malformed() -> None:
    with pytest.raises(MalformedError, match=r"spec\.nodes"):
        Instance.from_dict({"metadata": {}, "spec": {"nodes": "krustlet-wasi"}})
