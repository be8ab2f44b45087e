"""The variables with which a lab on Kind works where node images cannot be pulled and rights are few."""

from typing import Any


def lab(image: str) -> dict[str, Any]:
    """Variables of a lab on Kind with the tests' node image."""
    return {
        "lab_cluster": "kind",
        # Akri's chart and its images are nowhere to be had here; tests/kind/test_chart.py has a chart of its own.
        "akri_implementation": "embedded",
        "kind_host_engine": "podman",
        "kind_host_node_image": image,
        "preflight_accepted": ["kubelet-cgroup-v1"],
        "kind_host_config": {
            "kubeadmConfigPatches": [
                # There is no image of CoreDNS.
                "kind: InitConfiguration\nskipPhases: [preflight, addon/coredns]\n",
                # The kernel's control groups may be version 1, which the kubelet wants to be told.
                "kind: KubeletConfiguration\nfailCgroupV1: false\n",
            ],
            # Root may not lower the score of a process here (no CAP_SYS_RESOURCE).
            "containerdConfigPatches": [
                'version = 2\n[plugins."io.containerd.grpc.v1.cri"]\nrestrict_oom_score_adj = true\n',
            ],
        },
    }
