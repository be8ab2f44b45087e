"""The options of `edgelab node`."""

import argparse
import json
from pathlib import Path
from typing import Any

import pytest
from edgelab.node.command import _api_server, _options, add_arguments
from edgelab.node.outbound.policy import Socket

REQUIRED = {
    "--name": "krustlet-wasi",
    "--address": "127.0.0.1",
    "--port": "3000",
    "--state": "/s/node",
    "--run": "/r",
    "--bootstrap-kubeconfig": "/s/bootstrap",
    "--kubeconfig": "/s/kubeconfig",
    "--client-ca": "/s/ca.crt",
}


def parse(*more: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    add_arguments(parser)
    return parser.parse_args([word for pair in REQUIRED.items() for word in pair] + list(more))


def test_options_reach_the_node() -> None:
    options = _options(parse("--node-label", "a=b", "--node-label", "example.com/site=", "--max-pods", "7"))
    assert options.settings.labels == {"a": "b", "example.com/site": ""}
    assert (options.settings.name, options.settings.port, options.settings.max_pods) == ("krustlet-wasi", 3000, 7)
    assert (options.state, options.client_ca) == (Path("/s/node"), Path("/s/ca.crt"))


def test_registries_have_their_own_ca() -> None:
    assert parse("--registry-ca", "127.0.0.1:5000=/s/ca.crt").registry_ca == [("127.0.0.1:5000", Path("/s/ca.crt"))]


def test_device_plugins_are_where_a_kubelet_has_them() -> None:
    assert _options(parse()).sockets.kubelet == Path("/r/dp/kubelet.sock")
    assert _options(parse()).sockets.pod_resources == Path("/r/pr/kubelet.sock")
    elsewhere = _options(parse("--device-plugins-dir", "/var/lib/kubelet/device-plugins")).sockets
    assert elsewhere.kubelet == Path("/var/lib/kubelet/device-plugins/kubelet.sock")
    assert elsewhere.pod_resources == Path("/var/lib/kubelet/pod-resources/kubelet.sock")


def test_registries_ask_for_a_certificate() -> None:
    found = parse("--registry-client", "10.89.0.1:5000=/s/client.crt,/s/client.key").registry_client
    assert found == [("10.89.0.1:5000", (Path("/s/client.crt"), Path("/s/client.key")))]


def test_what_no_module_may_reach() -> None:
    found = parse("--refuse", "127.0.0.1:6443", "--refuse", "[::1]:1", "--refuse", "Api.example:443").refuse
    assert found == [Socket("127.0.0.1", 6443), Socket("::1", 1), Socket("api.example", 443)]


@pytest.mark.parametrize(
    ("server", "listens"),
    [
        ("https://127.0.0.1:6443", Socket("127.0.0.1", 6443)),
        ("https://[fd00::1]:6443/", Socket("fd00::1", 6443)),
        ("https://API.example/k8s/clusters/c-1", Socket("api.example", 443)),
    ],
)
def test_where_the_api_server_is_stands_in_the_kubeconfig(tmp_path: Path, server: str, listens: Socket) -> None:
    cluster = {"name": "c", "cluster": {"server": server}}
    context = {"name": "x", "context": {"cluster": "c", "user": "u"}}
    user = {"name": "u", "user": {}}
    whole = {"clusters": [cluster], "contexts": [context], "users": [user], "current-context": "x"}
    (tmp_path / "kubeconfig").write_text(json.dumps(whole))
    assert _api_server(tmp_path / "kubeconfig") == listens


@pytest.mark.parametrize(
    "words",
    [
        ("--node-label", "nothing"),
        ("--node-label", "a=-b"),
        ("--node-label", f"a={'b' * 64}"),
        ("--registry-ca", "127.0.0.1:5000"),
        ("--registry-ca", "=file"),
        ("--registry-client", "127.0.0.1:5000=/s/client.crt"),
        ("--registry-client", "=a,b"),
        ("--port", "http"),
        ("--refuse", "127.0.0.1"),
        ("--refuse", ":80"),
        ("--refuse", "host:0"),
        ("--refuse", "host/a:80"),
        ("--refuse", "host?:80"),
        ("--refuse", "host#:80"),
    ],
)
def test_bad_options_are_refused_by_name(words: tuple[str, str], capsys: pytest.CaptureFixture[Any]) -> None:
    with pytest.raises(SystemExit):
        parse(*words)
    assert words[0] in capsys.readouterr().err
