"""Names against the vectors that Akri's own tests and its running agent gave."""

import string

import pytest
from edgelab.core import names
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("device", "node", "shared", "digest"),
    [
        ("foo0", "", True, "8120fe"),
        ("foo1", "", True, "a19705"),
        ("foo2", "", True, "2e446e"),
        ('"foo0"', "krustlet-wasi", True, "aae70c"),
        ("foo0", "krustlet-wasi", False, "6854ca"),
        ('"foo0"', "krustlet-wasi", False, "21f95b"),
        ("my_shared_device", "my_node", True, "4294ea"),
        ("my_local_device", "my_node", False, "e77db4"),
        ("my_local_device", "my_other_node", False, "099763"),
    ],
)
def test_digest_is_akris(device: str, node: str, shared: bool, digest: str) -> None:
    assert names.digest(device, node=node, shared=shared) == digest


def test_the_demos_names() -> None:
    instance = names.instance("akri-debug-echo", names.digest('"foo0"', shared=True))
    assert instance == "akri-debug-echo-aae70c"
    assert names.resource(instance) == "akri.sh/akri-debug-echo-aae70c"
    assert names.cdi("akri-debug-echo", "aae70c") == "akri.sh/akri-debug-echo=aae70c"
    assert names.broker_pod(instance, "krustlet-wasi", shared=True) == "krustlet-wasi-akri-debug-echo-aae70c-pod"
    assert names.service(instance) == "akri-debug-echo-aae70c-svc"
    assert names.slot(instance, 1) == "akri-debug-echo-aae70c-1"


def test_dots_of_an_instance_become_dashes_but_those_of_a_node_stay() -> None:
    assert names.broker_pod("a.b-0a1b2c", "n.example", shared=True) == "n.example-a-b-0a1b2c-pod"
    assert names.broker_pod("a.b-0a1b2c", "n.example", shared=False) == "a-b-0a1b2c-pod"


def test_app_labels_fit_and_tell_long_names_apart() -> None:
    assert names.app_label("n" * 63) == "n" * 63
    long = names.app_label("edgelab-workshop-control-plane-akri-debug-echo-containers-aae70c-pod")
    other = names.app_label("edgelab-workshop-control-plane-akri-debug-echo-containers-bbe70c-pod")
    assert len(long) == len(other) == 63
    assert long.startswith("edgelab-workshop-control-plane-akri-debug-echo")
    assert long != other


@given(st.text(), st.text(min_size=1))
def test_a_shared_device_has_one_digest_on_every_node(device: str, node: str) -> None:
    digest = names.digest(device, node=node, shared=True)
    assert digest == names.digest(device, shared=True)
    assert len(digest) == 6
    assert set(digest) <= set(string.hexdigits.lower())
