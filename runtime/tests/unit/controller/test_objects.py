"""The objects that the controller makes, compared with those that Akri 0.13.26 made on a real cluster."""

from typing import Any

import pytest
from edgelab.controller import objects
from edgelab.core.model import Configuration, Instance

INSTANCE = Instance.from_dict(
    {
        "metadata": {"name": "akri-debug-echo-aae70c", "namespace": "default", "uid": "1d97a433"},
        "spec": {"configurationName": "akri-debug-echo", "nodes": ["krustlet-wasi"], "shared": True, "capacity": 2},
    }
)
OWNER = {
    "apiVersion": "akri.sh/v0",
    "blockOwnerDeletion": True,
    "controller": True,
    "kind": "Instance",
    "name": "akri-debug-echo-aae70c",
    "uid": "1d97a433",
}
RESOURCE = "akri.sh/akri-debug-echo-aae70c"


def configuration(**spec: Any) -> Configuration:
    meta = {"name": "akri-debug-echo", "namespace": "default", "uid": "775f02ed", "generation": 1}
    return Configuration.from_dict({"metadata": meta, "spec": spec})


def pod_spec(**more: Any) -> dict[str, Any]:
    resources = {"limits": {"{{PLACEHOLDER}}": "1"}, "requests": {"{{PLACEHOLDER}}": "1", "cpu": "1"}}
    return {"containers": [{"name": "broker", "image": "i", "resources": resources}], **more}


def test_a_broker_is_as_akri_made_it() -> None:
    pod = objects.broker_pod(INSTANCE, configuration(brokerSpec={"brokerPodSpec": pod_spec()}), "krustlet-wasi")
    assert pod["metadata"]["name"] == "krustlet-wasi-akri-debug-echo-aae70c-pod"
    assert pod["metadata"]["namespace"] == "default"
    assert pod["metadata"]["labels"] == {
        "akri.sh/configuration": "akri-debug-echo",
        "akri.sh/instance": "akri-debug-echo-aae70c",
        "akri.sh/target-node": "krustlet-wasi",
        "app": "krustlet-wasi-akri-debug-echo-aae70c-pod",
        "controller": "akri.sh",
    }
    assert pod["metadata"]["ownerReferences"] == [OWNER]
    assert pod["spec"]["containers"][0]["resources"] == {
        "limits": {RESOURCE: "1"},
        "requests": {RESOURCE: "1", "cpu": "1"},
    }
    here = [{"key": "metadata.name", "operator": "In", "values": ["krustlet-wasi"]}]
    required = pod["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]
    assert required == {"nodeSelectorTerms": [{"matchFields": here}]}


def test_the_configuration_is_left_as_it_is() -> None:
    given = pod_spec(affinity={"nodeAffinity": {}})
    objects.broker_pod(INSTANCE, configuration(brokerSpec={"brokerPodSpec": given}), "n")
    assert given == pod_spec(affinity={"nodeAffinity": {}})


def test_init_containers_get_the_device_and_claims_are_dropped() -> None:
    given = {"initContainers": [{"resources": {"claims": [{"name": "x"}], "limits": {"{{PLACEHOLDER}}": "2"}}}]}
    assert objects.with_device(given, RESOURCE) == {"initContainers": [{"resources": {"limits": {RESOURCE: "2"}}}]}


def test_the_node_is_required_beside_each_of_the_terms_given() -> None:
    zone = {"matchExpressions": [{"key": "zone", "operator": "Exists"}]}
    other = {"matchFields": [{"key": "metadata.name", "operator": "NotIn", "values": ["x"]}]}
    required = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [zone, other]}}
    spec = objects.bound_to({"affinity": {"nodeAffinity": required, "podAffinity": {}}}, "n")
    here = {"key": "metadata.name", "operator": "In", "values": ["n"]}
    terms = spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"]
    assert terms == [zone | {"matchFields": [here]}, {"matchFields": [*other["matchFields"], here]}]
    assert spec["affinity"]["podAffinity"] == {}


@pytest.mark.parametrize(
    "spec", [{"affinity": "none"}, {"containers": "one"}, {"containers": [{"resources": {"claims": 1, "limits": 5}}]}]
)
def test_a_malformed_spec_is_an_error_of_its_shape(spec: dict[str, Any]) -> None:
    with pytest.raises((AttributeError, TypeError, ValueError)):
        objects.broker_pod(INSTANCE, configuration(brokerSpec={"brokerPodSpec": spec}), "n")


def test_a_job_is_as_akri_made_it() -> None:
    template = {"metadata": {"labels": {"mine": "1"}}, "spec": pod_spec(restartPolicy="Never")}
    given = {"brokerJobSpec": {"template": template, "parallelism": 2}}
    job = objects.broker_job(INSTANCE, configuration(brokerSpec=given))
    both = {"akri.sh/configuration": "akri-debug-echo", "akri.sh/instance": "akri-debug-echo-aae70c"}
    assert job["metadata"]["name"] == "akri-debug-echo-aae70c-1-job"
    assert job["metadata"]["labels"] == both | {"app": "akri-debug-echo-aae70c-1-job", "controller": "akri.sh"}
    assert job["spec"]["template"]["metadata"]["labels"] == both | {"mine": "1"}
    assert job["spec"]["template"]["spec"]["containers"][0]["resources"]["limits"] == {RESOURCE: "1"}
    assert "affinity" not in job["spec"]["template"]["spec"]
    assert job["spec"]["parallelism"] == 2


PORTS = {"ports": [{"name": "p", "port": 6052}], "type": "ClusterIP", "selector": {"mine": "1"}}


def test_services_are_as_akri_made_them() -> None:
    service = objects.instance_service(INSTANCE, PORTS)
    assert service["metadata"]["name"] == "akri-debug-echo-aae70c-svc"
    assert service["metadata"]["labels"] == {
        "akri.sh/instance": "akri-debug-echo-aae70c",
        "app": "akri-debug-echo-aae70c-svc",
        "controller": "akri.sh",
    }
    assert service["metadata"]["ownerReferences"] == [OWNER]
    selector = {"mine": "1", "akri.sh/instance": "akri-debug-echo-aae70c", "controller": "akri.sh"}
    assert service["spec"] == PORTS | {"selector": selector}
    other = objects.configuration_service(configuration(), PORTS)
    assert other["metadata"]["name"] == "akri-debug-echo-svc"
    assert other["metadata"]["ownerReferences"][0]["uid"] == "775f02ed"
    assert other["spec"]["selector"]["akri.sh/configuration"] == "akri-debug-echo"
