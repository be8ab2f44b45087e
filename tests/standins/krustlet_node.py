"""The Node object that the stand-in for Krustlet registers, with the original's constants (crates/kubelet/src/node)."""

import argparse
import time
from typing import Any


def node_object(given: argparse.Namespace) -> dict[str, Any]:
    """What the original creates (crates/kubelet/src/node/mod.rs)."""
    wasm = "wasm32-wasi"
    ours = dict(pair.split("=", 1) for pair in given.node_labels.split(",") if pair)
    names = ("beta.kubernetes.io/arch", "beta.kubernetes.io/os", "kubernetes.io/arch", "kubernetes.io/os")
    effects = ("NoSchedule", "NoExecute")
    return {
        "metadata": {
            "name": given.node_name,
            "labels": {
                **dict.fromkeys(names, wasm),
                "kubernetes.io/hostname": given.hostname,
                "type": "krustlet",
                **ours,
            },
            "annotations": {
                "node.alpha.kubernetes.io/ttl": "0",
                "volumes.kubernetes.io/controller-managed-attach-detach": "true",
            },
        },
        "spec": {
            "podCIDR": "10.244.0.0/24",
            "podCIDRs": ["10.244.0.0/24"],
            "taints": [{"key": "kubernetes.io/arch", "value": wasm, "effect": effect} for effect in effects],
        },
    }


def node_status(given: argparse.Namespace) -> dict[str, Any]:
    """The status of the Node: nothing in it is measured."""
    room = {
        "cpu": "4",
        "memory": "4032800Ki",
        "ephemeral-storage": "61255492Ki",
        "hugepages-1Gi": "0",
        "hugepages-2Mi": "0",
        "pods": str(given.max_pods),
    }
    info = dict.fromkeys(("bootID", "kernelVersion", "machineID", "osImage", "systemUUID"), "")
    return {
        "capacity": room,
        "allocatable": room,
        "addresses": [
            {"type": "InternalIP", "address": str(given.node_ip)},
            {"type": "Hostname", "address": given.hostname},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": given.port}},
        "conditions": conditions(),
        "nodeInfo": info
        | {
            "architecture": "wasm-wasi",
            "operatingSystem": "linux",
            "containerRuntimeVersion": "mvp",
            "kubeletVersion": "1.0.0-alpha.1",
            "kubeProxyVersion": "v1.17.0",
        },
    }


def conditions() -> list[dict[str, str]]:
    """The node is ready, and its disk is not full."""
    seen = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return [
        {"type": kind, "status": status, "reason": reason, "lastHeartbeatTime": seen}
        for kind, status, reason in (
            ("Ready", "True", "KubeletReady"),
            ("OutOfDisk", "False", "KubeletHasSufficientDisk"),
        )
    ]
