"""Connecting to a cluster, and what its answers are made of."""

import json
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _kube
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


@pytest.mark.parametrize("text", ["", "{", "a: b", "current-context: lab", "words", "[1]", "clusters: 3"])
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


class EndedError(Exception):
    """How a module ended: what it told."""


class Module:
    """What `run` uses of an AnsibleModule; ends by EndedError."""

    def __init__(self, kubeconfig: Path, *, check_mode: bool, **params: object) -> None:
        self.params = {"kubeconfig": str(kubeconfig), "context": None, **params}
        self.check_mode = check_mode
        self.warnings: list[str] = []

    def warn(self, text: str) -> None:
        self.warnings.append(text)

    def exit_json(self, **result: object) -> None:
        raise EndedError(result)

    def fail_json(self, **result: object) -> None:
        raise EndedError({"failed": True, **result})


@pytest.mark.parametrize(
    ("is_there", "params", "told"),
    [
        (False, {}, {"changed": True, "objects": []}),
        (False, {"state": "present"}, {"changed": True, "objects": []}),
        (False, {"state": "absent"}, {"changed": False}),
        (True, {"state": "present"}, {"changed": False}),
    ],
)
def test_check_mode_on_a_machine_that_has_no_libraries_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_there: bool, params: dict[str, str], told: dict[str, object]
) -> None:
    monkeypatch.setattr(_kube, "MISSING", ["kubernetes"])
    if is_there:
        (tmp_path / "kubeconfig").write_text("never read")
    module = Module(tmp_path / "kubeconfig", check_mode=True, **params)
    with pytest.raises(EndedError) as ended:
        _kube.run(module, lambda _: {}, would={"objects": []})
    assert ended.value.args == (told,)
    assert [("kubernetes" in text) for text in module.warnings] == [True] * is_there


def test_a_real_run_names_the_library_that_lacks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_kube, "MISSING", ["kubernetes"])
    with pytest.raises(EndedError, match="kubernetes") as ended:
        _kube.run(Module(tmp_path / "kubeconfig", check_mode=False), lambda _: {}, would={})
    assert ended.value.args[0]["failed"]
