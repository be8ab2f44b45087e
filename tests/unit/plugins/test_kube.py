"""Connecting to a cluster, and what its answers are made of."""

import json
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._kube import (
    ApiError,
    Cluster,
    NoKubeconfigError,
    UnreachableError,
    connect,
    is_loopback,
)
from ansible_collections.edgelab.akri.plugins.module_utils._kube_client import Kind
from edgelab.core.errors import LabError


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("https://127.0.0.1:6443", True),
        ("https://127.9.9.9", True),
        ("https://[::1]:6443", True),
        ("https://localhost:6443", True),
        ("https://lab.localhost", True),
        ("https://10.0.0.1:6443", False),
        ("https://localhost.example.org", False),
        ("", False),
    ],
)
def test_what_is_this_machine(url: str, expected: bool) -> None:
    assert is_loopback(url) == expected


@pytest.mark.parametrize(
    ("kind", "namespace", "name", "path"),
    [
        (Kind("v1", "Pod", "pods", namespaced=True), "n", "a", "/api/v1/namespaces/n/pods/a"),
        (Kind("v1", "Pod", "pods", namespaced=True), None, None, "/api/v1/pods"),
        (Kind("v1", "Node", "nodes", namespaced=False), "n", "a", "/api/v1/nodes/a"),
        (
            Kind("akri.sh/v0", "Instance", "instances", namespaced=True),
            "n",
            None,
            "/apis/akri.sh/v0/namespaces/n/instances",
        ),
        (Kind("v1", "ConfigMap", "configmaps", namespaced=True), "n", "../x", "/api/v1/namespaces/n/configmaps/..%2Fx"),
    ],
)
def test_paths(kind: Kind, namespace: str | None, name: str | None, path: str) -> None:
    assert kind.path(namespace, name) == path


@pytest.mark.parametrize("body", [b"", b"not json", b"[1]", b'{"message": "no", "reason": "Invalid"}'])
def test_a_refusal_is_told_whatever_its_body(body: bytes) -> None:
    error = ApiError("PATCH /x", 422, body)
    assert error.code == 422
    assert error.reason == ("Invalid" if b"reason" in body else "")
    assert "PATCH /x" in str(error)


def kubeconfig(path: Path, server: str) -> Path:
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "lab",
        "clusters": [{"name": "lab", "cluster": {"server": server}}],
        "users": [{"name": "me", "user": {"token": "t"}}],
        "contexts": [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}],
    }
    path.write_text(json.dumps(document))
    return path


def test_a_kubeconfig_that_is_not_there_is_an_error_of_its_own(tmp_path: Path) -> None:
    with pytest.raises(NoKubeconfigError, match="Run the playbook"):
        connect(f"{tmp_path}/a:{tmp_path}/b")


def test_one_of_several_files_is_enough(tmp_path: Path) -> None:
    there = kubeconfig(tmp_path / "b", "https://127.0.0.1:1")
    assert connect(f"{tmp_path}/a:{there}").server == "https://127.0.0.1:1"


@pytest.mark.parametrize("text", ["", "{", "a: b", "current-context: lab"])
def test_a_broken_kubeconfig_is_named(tmp_path: Path, text: str) -> None:
    path = tmp_path / "broken"
    path.write_text(text)
    with pytest.raises(LabError, match="broken"):
        connect(str(path))


def test_an_unknown_context_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="nowhere"):
        connect(str(kubeconfig(tmp_path / "k", "https://127.0.0.1:1")), "nowhere")


def test_no_proxy_stands_before_this_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Port 1 refuses at once, whereas the proxy's host would have to be looked up first."""
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://proxy.invalid:3128")
    for name in ("NO_PROXY", "no_proxy"):
        monkeypatch.delenv(name, raising=False)
    cluster: Cluster = connect(str(kubeconfig(tmp_path / "k", "https://127.0.0.1:1")))
    with pytest.raises(UnreachableError, match="refused") as raised:
        cluster.find("/api/v1")
    assert "proxy" not in str(raised.value)
