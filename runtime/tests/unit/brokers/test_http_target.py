"""Which Services a client calls, and at which address."""

from typing import Any

import pytest
from edgelab.brokers.target import Target, target_of


def service(instance: str | None = "akri-http-aae70c", **spec: Any) -> dict[str, Any]:
    labels = {"app": "x"} | ({"akri.sh/instance": instance} if instance else {})
    given = {"clusterIP": "10.96.0.7", "ports": [{"name": "grpc", "port": 80, "targetPort": 50051}], **spec}
    return {"metadata": {"name": "akri-http-aae70c-svc", "labels": labels}, "spec": given}


def test_a_service_is_called_at_its_cluster_address_and_own_port() -> None:
    assert target_of(service(), "akri-http") == Target("akri-http-aae70c", "10.96.0.7", 80)


@pytest.mark.parametrize(
    "instance",
    [None, "akri-http", "akri-httpx-aae70c", "akri-http-containers-aae70c", "akri-http-aae70cd", "xakri-http-aae70c"],
)
def test_services_of_others_are_left_alone(instance: str | None) -> None:
    assert target_of(service(instance), "akri-http") is None


def test_the_name_of_a_configuration_is_no_pattern() -> None:
    assert target_of(service("akrixhttp-aae70c"), "akri.http") is None
    assert target_of(service("akri.http-aae70c"), "akri.http") is not None


@pytest.mark.parametrize("spec", [{"clusterIP": "None"}, {"clusterIP": None}, {"ports": []}, {"ports": None}])
def test_a_service_that_cannot_be_called_is_malformed(spec: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no address in the cluster or no port"):
        target_of(service(**spec), "akri-http")
