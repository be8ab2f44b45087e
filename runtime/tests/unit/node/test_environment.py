"""Environment variables and arguments of containers."""

from typing import Any

import pytest
from edgelab.node.volumes.environment import Surroundings, arguments, environment, expand, service_variables
from edgelab.node.volumes.errors import ConfigError
from edgelab.node.volumes.fields import NodeFacts
from edgelab.node.volumes.materials import Materials, Names, names
from lightkube.models.core_v1 import Container, Pod

NODE = NodeFacts("krustlet-wasi", ("127.0.0.1",), 64 * 1024 * 1024)
MATERIALS = Materials(
    config_maps={"cm": {"key": b"from cm", "binary": b"\xff"}, "nul": {"key": b"a\0b"}, "gone": None},
    secrets={"sec": {"key": b"s3cret"}},
)


def pod(**spec: Any) -> Pod:
    meta = {"name": "p", "namespace": "ns", "uid": "u", "labels": {"app": "x", "b": 'q"'}, "annotations": {"a/b": "c"}}
    return Pod.from_dict(
        {"metadata": meta, "spec": {"containers": [{"name": "main"}], "serviceAccountName": "sa"} | spec}
    )


def resolve(*env: dict[str, Any], it: Pod | None = None, **more: Any) -> dict[str, str]:
    container = Container.from_dict({"name": "main", "env": list(env)} | more)
    assert isinstance(container, Container)
    return environment(container, Surroundings(it or pod(), NODE, MATERIALS), {})


def from_field(path: str) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {"fieldRef": {"fieldPath": path}}}


@pytest.mark.parametrize(
    ("text", "expanded"),
    [
        ("plain", "plain"),
        ("$(A)", "1"),
        ("x$(A)y$(B)", "x1y2"),
        ("$(UNKNOWN)", "$(UNKNOWN)"),
        ("$$(A)", "$(A)"),
        ("$$$(A)", "$1"),
        ("$A ${A} $(A", "$A ${A} $(A"),
        ("100$", "100$"),
    ],
)
def test_references_are_expanded_as_kubernetes_does(text: str, expanded: str) -> None:
    assert expand(text, {"A": "1", "B": "2"}) == expanded


def test_a_variable_refers_to_those_before_it() -> None:
    found = resolve({"name": "B", "value": "$(A)"}, {"name": "A", "value": "1"}, {"name": "C", "value": "$(A)"})
    assert found == {"B": "$(A)", "A": "1", "C": "1"}


def test_env_wins_over_env_from_and_may_refer_to_it() -> None:
    source = {"envFrom": [{"secretRef": {"name": "sec"}, "prefix": "P_"}]}
    assert resolve({"name": "A", "value": "$(P_key)"}, **source) == {"P_key": "s3cret", "A": "s3cret"}
    assert resolve({"name": "P_key", "value": "own"}, **source) == {"P_key": "own"}


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("metadata.name", "p"),
        ("metadata.namespace", "ns"),
        ("metadata.uid", "u"),
        ("metadata.labels['app']", "x"),
        ("metadata.labels['none']", ""),
        ("metadata.annotations['a/b']", "c"),
        ("metadata.labels", 'app="x"\nb="q\\""'),
        ("spec.nodeName", "krustlet-wasi"),
        ("spec.serviceAccountName", "sa"),
        ("status.hostIP", "127.0.0.1"),
        ("status.podIP", ""),
    ],
)
def test_fields_of_the_pod(path: str, value: str) -> None:
    assert resolve(from_field(path)) == {"X": value}


def test_a_pod_of_the_host_network_has_the_nodes_address() -> None:
    assert resolve(from_field("status.podIP"), it=pod(hostNetwork=True)) == {"X": "127.0.0.1"}


def test_an_unknown_field_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"spec\.containers"):
        resolve(from_field("spec.containers"))


@pytest.mark.parametrize(
    ("resource", "divisor", "value"),
    [
        ("limits.memory", "1", "33554432"),
        ("limits.memory", "1Mi", "32"),
        ("requests.cpu", "1m", "250"),
        ("requests.cpu", None, "1"),
        ("requests.memory", None, "0"),
    ],
)
def test_resources(resource: str, divisor: str | None, value: str) -> None:
    source = {"resourceFieldRef": {"resource": resource, "divisor": divisor}}
    resources = {"limits": {"memory": "32Mi"}, "requests": {"cpu": "250m"}}
    assert resolve({"name": "X", "valueFrom": source}, resources=resources) == {"X": value}


def test_without_a_limit_the_nodes_counts() -> None:
    source = {"resourceFieldRef": {"resource": "limits.memory"}}
    assert resolve({"name": "X", "valueFrom": source}) == {"X": str(NODE.memory_limit)}


def key(kind: str, name: str, which: str, **more: Any) -> dict[str, Any]:
    return {"name": "X", "valueFrom": {kind: {"name": name, "key": which} | more}}


def test_keys_of_config_maps_and_secrets() -> None:
    assert resolve(key("configMapKeyRef", "cm", "key")) == {"X": "from cm"}
    assert resolve(key("secretKeyRef", "sec", "key")) == {"X": "s3cret"}


def test_what_is_missing_is_named() -> None:
    with pytest.raises(ConfigError, match='ConfigMap "gone" not found'):
        resolve(key("configMapKeyRef", "gone", "key"))
    with pytest.raises(ConfigError, match='key "none" of Secret "sec" not found'):
        resolve(key("secretKeyRef", "sec", "none"))


def test_what_is_optional_may_be_missing() -> None:
    assert resolve(key("configMapKeyRef", "gone", "key", optional=True)) == {}
    assert resolve(key("secretKeyRef", "sec", "none", optional=True)) == {}
    assert resolve(envFrom=[{"configMapRef": {"name": "gone", "optional": True}}]) == {}


@pytest.mark.parametrize("reference", [("cm", "binary"), ("nul", "key")])
def test_a_value_that_no_variable_can_have_is_refused(reference: tuple[str, str]) -> None:
    with pytest.raises(ConfigError):
        resolve(key("configMapKeyRef", *reference))


def test_no_secret_is_in_the_text_of_an_error() -> None:
    materials = Materials(secrets={"sec": {"key": b"\xffs3cret"}})
    container = Container.from_dict({"name": "main", "env": [key("secretKeyRef", "sec", "key")]})
    assert isinstance(container, Container)
    with pytest.raises(ConfigError) as caught:
        environment(container, Surroundings(pod(), NODE, materials), {})
    assert "s3cret" not in str(caught.value)


def test_arguments_begin_with_the_command_or_the_containers_name() -> None:
    def of(**fields: Any) -> tuple[str, ...]:
        container = Container.from_dict({"name": "main", **fields})
        assert isinstance(container, Container)
        return arguments(container, {"A": "1"})

    assert of() == ("main",)
    assert of(args=["--x=$(A)"]) == ("main", "--x=1")
    assert of(command=["run"], args=["y"]) == ("run", "y")


def test_service_variables() -> None:
    found = service_variables("10.96.0.1", 443)
    assert found["KUBERNETES_SERVICE_HOST"] == "10.96.0.1"
    assert found["KUBERNETES_PORT_443_TCP"] == "tcp://10.96.0.1:443"


def test_the_names_of_everything_that_a_pod_refers_to() -> None:
    it = pod(
        containers=[{"name": "a", "env": [key("configMapKeyRef", "one", "k"), key("secretKeyRef", "two", "k")]}],
        initContainers=[{"name": "i", "envFrom": [{"configMapRef": {"name": "three"}}]}],
        volumes=[
            {"name": "v", "secret": {"secretName": "four"}},
            {"name": "w", "projected": {"sources": [{"configMap": {"name": "five"}}]}},
        ],
    )
    assert names(it) == Names(frozenset({"one", "three", "five"}), frozenset({"two", "four"}))
