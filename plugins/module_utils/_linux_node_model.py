# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""What a machine is to hold that is a node of a lab: files by their paths, and which services read them. No I/O.

containerd and runc are the distribution's, with its plugins for networks; kubelet and kube-proxy are the lab's. Pods
have addresses of a range of the node's own, which is translated to the node's address for the world; no iptables are
used, so that what remains to be taken away is a few tables of nftables.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._containerd_registry import hosts_toml

PACKAGES = ("catatonit", "containerd", "containernetworking-plugins", "nftables", "runc")
PROGRAMS = Path("/usr/local/lib/edgelab")
ROOT = Path("/var/lib/edgelab/linux_node")
KUBELET_ROOT = Path("/var/lib/kubelet")
SERVICES = ("containerd", "kubelet", "kube-proxy")
"""In the order in which they start."""

PAUSE = "edgelab.akri/pause:1"
"""The image that is made on the node, for the sandbox of each Pod."""

CA = ROOT / "ca.crt"
BOOTSTRAP = ROOT / "bootstrap"
KUBECONFIG = ROOT / "kubeconfig"
IDENTITY = KUBELET_ROOT / "pki/kubelet-client-current.pem"
SERVING = KUBELET_ROOT / "pki/kubelet-server-current.pem"
_CONTAINERD = Path("/etc/containerd")
_SOCKET = "unix:///run/containerd/containerd.sock"
_UNITS = Path("/etc/systemd/system")


@dataclass(frozen=True)
class Registry:
    """The lab's registry: HOST:PORT and PEM texts; the client's are empty where it asks for none."""

    address: str
    ca: str
    client_certificate: str = ""
    client_key: str = ""


@dataclass(frozen=True)
class Node:
    """A node as it is to be. `bootstrap` is a kubeconfig to join with, empty for a node that has joined."""

    name: str
    lab: str
    address: str
    pod_range: str
    server: str
    ca: str
    bootstrap: str
    registry: Registry
    pause_image: str
    resolv_conf: str

    @property
    def makes_pause(self) -> bool:
        """Whether the image for sandboxes is made on the node."""
        return self.pause_image == PAUSE


def files(node: Node) -> dict[str, dict[Path, str]]:
    """What each service reads; it is started again when something of that differs."""
    return {
        "containerd": {
            _CONTAINERD / "config.toml": _containerd(node.pause_image),
            Path("/etc/cni/net.d/10-edgelab.conflist"): _json(_network(node.pod_range)),
        },
        "kubelet": {
            CA: node.ca,
            ROOT / "kubelet.json": _json(_kubelet(node)),
            _UNITS / "kubelet.service": _kubelet_unit(node),
        },
        "kube-proxy": {
            ROOT / "kube-proxy.json": _json(_kube_proxy(node)),
            ROOT / "pods.nft": _translation(node.pod_range),
            _UNITS / "kube-proxy.service": _kube_proxy_unit(node),
        },
    }


def read_at_use(registry: Registry) -> dict[Path, str]:
    """What containerd reads anew at each pull."""
    directory = _CONTAINERD / "certs.d" / registry.address
    told = {directory / "ca.crt": registry.ca}
    if registry.client_certificate:
        told[directory / "client.crt"] = registry.client_certificate
    return {
        **told,
        directory / "hosts.toml": hosts_toml(registry.address, with_client=bool(registry.client_certificate)),
    }


def secrets(node: Node) -> dict[Path, str]:
    """What only root may read."""
    directory = _CONTAINERD / "certs.d" / node.registry.address
    key = {directory / "client.key": node.registry.client_key} if node.registry.client_key else {}
    return {**key, **({BOOTSTRAP: node.bootstrap} if node.bootstrap else {})}


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(value, indent=2) + "\n"


def _containerd(pause_image: str) -> str:
    cri = 'plugins."io.containerd.grpc.v1.cri"'
    return f"""\
version = 2

[{cri}]
  sandbox_image = "{pause_image}"

[{cri}.cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "/etc/cni/net.d"

[{cri}.containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"

[{cri}.containerd.runtimes.runc.options]
  SystemdCgroup = true

[{cri}.registry]
  config_path = "{_CONTAINERD}/certs.d"
"""


def _network(pod_range: str) -> dict[str, Any]:
    addresses = {
        "type": "host-local",
        "ranges": [[{"subnet": pod_range}]],
        "routes": [{"dst": "0.0.0.0/0"}],
        # Pods do not outlive a boot, so their addresses need not.
        "dataDir": "/run/edgelab-cni",
    }
    return {"cniVersion": "0.4.0", "name": "edgelab", "plugins": [{"type": "ptp", "ipam": addresses}]}


def _kubelet(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "address": node.address,
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"enabled": True},
            "x509": {"clientCAFile": str(CA)},
        },
        "authorization": {"mode": "Webhook"},
        "tlsMinVersion": "VersionTLS12",
        "rotateCertificates": True,
        "serverTLSBootstrap": True,
        "containerRuntimeEndpoint": _SOCKET,
        "cgroupDriver": "systemd",
        "failSwapOn": False,
        "makeIPTablesUtilChains": False,
        "resolvConf": node.resolv_conf,
        "volumePluginDir": str(KUBELET_ROOT / "volume-plugins"),
    }


def _kube_proxy(node: Node) -> dict[str, Any]:
    return {
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "kind": "KubeProxyConfiguration",
        "mode": "nftables",
        "clientConnection": {"kubeconfig": str(KUBECONFIG)},
        "clusterCIDR": node.pod_range,
        "hostnameOverride": node.name,
        "healthzBindAddress": "127.0.0.1:10256",
        "metricsBindAddress": "127.0.0.1:10249",
        # The machine's own limits hold.
        "conntrack": {"maxPerCore": 0},
    }


def _translation(pod_range: str) -> str:
    return f"""\
# Pods have the address of their node for the world. Emptied first, so that it can be read again.
table ip edgelab-pods
delete table ip edgelab-pods
table ip edgelab-pods {{
  chain postrouting {{
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr {pod_range} ip daddr != {pod_range} masquerade
  }}
}}
"""


def _kubelet_unit(node: Node) -> str:
    arguments = [
        f"--config={ROOT}/kubelet.json",
        f"--bootstrap-kubeconfig={BOOTSTRAP}",
        f"--kubeconfig={KUBECONFIG}",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    ]
    return _unit(f"Kubernetes' kubelet, of the lab {node.lab}", "containerd.service", "kubelet", arguments)


def _kube_proxy_unit(node: Node) -> str:
    text = _unit(
        f"Kubernetes' kube-proxy, of the lab {node.lab}",
        "kubelet.service",
        "kube-proxy",
        [f"--config={ROOT}/kube-proxy.json"],
    )
    return text.replace("ExecStart=", f"ExecStartPre=nft --file {ROOT}/pods.nft\nExecStart=", 1)


def _unit(description: str, after: str, program: str, arguments: list[str]) -> str:
    return f"""\
[Unit]
Description={description}
Wants=network-online.target {after}
After=network-online.target {after}
# It is tried for as long as it takes the machine to get its address.
StartLimitIntervalSec=0

[Service]
ExecStart={PROGRAMS}/{program} {" ".join(arguments)}
Restart=always
RestartSec=3

[Install]
WantedBy=multi-user.target
"""
