"""The node and a kubelet that has its socket already."""

import socket
from pathlib import Path

import pytest
from edgelab.core.errors import LabError
from edgelab.node.app import NodeOptions, run_node
from edgelab.node.record_wanted import NodeSettings


async def test_another_kubelets_socket_is_left_alone(tmp_path: Path) -> None:
    plugins = tmp_path / "device-plugins"
    plugins.mkdir()
    options = NodeOptions(
        settings=NodeSettings("krustlet-wasi", "127.0.0.1", 1, 110, {}),
        state=tmp_path / "state",
        run=tmp_path / "run",
        bootstrap=tmp_path / "bootstrap",
        kubeconfig=tmp_path / "kubeconfig",
        client_ca=tmp_path / "ca.crt",
        device_plugins=plugins,
    )
    with socket.socket(socket.AF_UNIX) as kubelet:
        kubelet.bind(str(plugins / "kubelet.sock"))
        kubelet.listen()
        with pytest.raises(LabError, match="A kubelet runs on this machine"):
            await run_node(options, lambda *_: pytest.fail("it went on"))
        assert (plugins / "kubelet.sock").is_socket()
    assert not (tmp_path / "state").exists()
