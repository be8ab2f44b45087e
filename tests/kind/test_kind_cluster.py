"""The life of a Kind cluster: made, kept, not changed, made anew on request, interrupted, deleted without residue.

The tests build on one another in the order of the file, on one cluster, because making one takes most of their time.
"""

import json
import os
import re
import signal
import stat
import subprocess
from collections.abc import Iterator
from typing import Any

import machine
import pytest
from labkit import ROOT, Lab, Result, eventually, new_lab

MAKE = "edgelab.akri.kind_host : Make the cluster"


@pytest.fixture(scope="module")
def lab(kind_variables: dict[str, Any]) -> Iterator[Lab]:
    """A lab whose cluster the tests of this file make and delete themselves."""
    made = new_lab("life", **{name: value for name, value in kind_variables.items() if name.startswith("kind_host_")})
    try:
        yield made
    finally:
        if nodes(made, "--quiet", "--all"):
            cluster(made, kind_tasks="absent")
        made.remove()


def cluster(lab: Lab, *options: str, check: bool = True, **variables: Any) -> Result:
    """Run the role kind_host on a lab."""
    return lab.run(command(lab, *options, **variables), check=check)


def command(lab: Lab, *options: str, **variables: Any) -> list[str]:
    given = {"lab_name": lab.name, **lab.variables, **variables}
    return ["ansible-playbook", "tests/kind/cluster.yml", "-e", json.dumps(given), *options]


def nodes(lab: Lab, *options: str) -> list[str]:
    """Names of the running containers that are the cluster's nodes; with options, what `podman ps` says by them."""
    cluster_label = f"label=io.x-k8s.kind.cluster=edgelab-{lab.name}"
    return machine.podman("ps", "--filter", cluster_label, *(options or ("--format", "{{.Names}}"))).stdout.split()


def all_ready(lab: Lab) -> bool:
    found = lab.get("nodes")["items"]
    return bool(found) and all(
        condition["status"] == "True"
        for node in found
        for condition in node["status"]["conditions"]
        if condition["type"] == "Ready"
    )


def test_made_as_check_mode_told_and_kept_as_it_is(lab: Lab) -> None:
    told = cluster(lab, "--check").changed_tasks()
    assert nodes(lab) == []
    assert not lab.layout.state.exists()
    assert cluster(lab).changed_tasks() == told
    again = cluster(lab)
    assert again.recap()["changed"] == 0
    facts = json.loads(re.search(r"FACTS (\{.*?\})", again.output.replace("\n", " "))[1])  # type: ignore[index]
    addresses = [address["address"] for address in lab.get("nodes")["items"][0]["status"]["addresses"]]
    network = facts["host_address"].rpartition(".")[0]
    assert any(address.startswith(network) for address in addresses)
    assert subprocess.run([*facts["node_command"], "cat", "/kind/version"], check=True, capture_output=True).stdout
    assert "BEGIN CERTIFICATE" in (lab.layout.pki / "cluster-ca.crt").read_text()
    assert stat.S_IMODE(lab.layout.kubeconfig.stat().st_mode) == 0o600


def test_pods_run(lab: Lab) -> None:
    eventually(lambda: all_ready(lab), within=60, what="the node to be ready")
    lab.kubectl("run", "one", "--image=registry.k8s.io/pause:3.10", "--image-pull-policy=Never")
    lab.kubectl("wait", "--for=condition=Ready", "pod/one", "--timeout=60s")
    assert lab.get("pod", "one")["status"]["podIP"].startswith("10.245.")


def test_stopped_nodes_are_started_and_a_damaged_kubeconfig_written_anew(lab: Lab) -> None:
    machine.podman("stop", "--time", "2", *nodes(lab))
    assert nodes(lab) == []
    assert cluster(lab, "--check").changed_tasks() == [MAKE]
    lab.layout.kubeconfig.write_text("damaged")
    lab.layout.kubeconfig.chmod(0o644)
    assert cluster(lab).changed_tasks() == [MAKE]
    assert stat.S_IMODE(lab.layout.kubeconfig.stat().st_mode) == 0o600
    eventually(lambda: all_ready(lab), within=60, what="the node to be ready again")
    eventually(lambda: lab.get("pod", "one")["status"]["phase"] == "Running", within=60, what="its Pod to run again")


def test_what_differs_is_told_and_nothing_done(lab: Lab) -> None:
    before = nodes(lab, "--quiet")
    mounts = [{"hostPath": str(ROOT), "containerPath": "/src"}]
    given = {"kind_host_workers": 1, "kind_host_pod_subnet": "10.246.0.0/16", "kind_host_extra_mounts": mounts}
    refused = cluster(lab, check=False, **given)
    assert refused.status != 0
    said = " ".join(refused.output.split())
    assert "10.245.0.0/16 and should be 10.246.0.0/16" in said
    assert f"edgelab-{lab.name}-worker" in said
    assert f"{ROOT}:/src" in said
    assert "kind_host_recreate=true" in said
    assert nodes(lab, "--quiet") == before


def test_on_request_it_is_made_anew(lab: Lab) -> None:
    lab.variables["kind_host_workers"] = 1
    assert MAKE in cluster(lab, kind_host_recreate=True).changed_tasks()
    assert sorted(nodes(lab)) == [f"edgelab-{lab.name}-control-plane", f"edgelab-{lab.name}-worker"]
    eventually(lambda: all_ready(lab) and len(lab.get("nodes")["items"]) == 2, within=60, what="both nodes to be ready")
    assert "one" not in lab.kubectl("get", "pods")


def test_pods_on_two_nodes_reach_each_other_through_a_service(lab: Lab) -> None:
    serve = ["/busybox", "nc", "-ll", "-p", "8080", "-e", "/busybox", "hostname"]
    lab.kubectl("run", "two", *pod_on(f"edgelab-{lab.name}-worker"), "--labels=app=two", "--command", "--", *serve)
    lab.kubectl("expose", "pod", "two", "--port=80", "--target-port=8080")
    lab.kubectl("run", "three", *pod_on(f"edgelab-{lab.name}-control-plane"))
    lab.kubectl("wait", "--for=condition=Ready", "pod/two", "pod/three", "--timeout=60s")
    service = lab.get("service", "two")["spec"]["clusterIP"]
    ask = ("exec", "three", "--", "/busybox", "nc", "-w", "2", service, "80")
    assert eventually(lambda: lab.kubectl(*ask, check=False).strip() == "two", what="the Service to answer")


def test_a_half_made_cluster_is_made_anew(lab: Lab) -> None:
    before = nodes(lab, "--quiet")
    lab.variables["kind_host_workers"] = 0
    making = subprocess.Popen(
        command(lab, kind_host_recreate=True),
        cwd=ROOT,
        env={**os.environ, **lab.environment},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    eventually(lambda: set(nodes(lab, "--quiet")) - set(before), within=120, what="the new cluster's first node")
    # As Ctrl-C does.
    os.killpg(making.pid, signal.SIGINT)
    making.wait(30)
    eventually(lambda: not processes_of(making.pid), what="kind to end")
    left = nodes(lab, "--quiet")
    assert left, "it was interrupted after its node came into being"
    assert MAKE in cluster(lab).changed_tasks()
    assert not set(nodes(lab, "--quiet")) & set(left)
    eventually(lambda: all_ready(lab), within=60, what="the node to be ready")


def test_deleted_it_leaves_nothing(lab: Lab) -> None:
    told = cluster(lab, "--check", kind_tasks="absent").changed_tasks()
    assert nodes(lab)
    assert cluster(lab, kind_tasks="absent").changed_tasks() == told
    assert nodes(lab, "--quiet", "--all") == []
    labels = json.loads(machine.podman("volume", "ls", "--format", "json").stdout or "[]")
    assert not [one for one in labels if any(lab.name in label for label in one.get("Labels") or {})]
    assert not lab.layout.kubeconfig.exists()
    assert not (lab.layout.pki / "cluster-ca.crt").exists()
    assert not (lab.layout.state / "kind").exists()
    assert cluster(lab, kind_tasks="absent").recap()["changed"] == 0


def pod_on(node: str) -> list[str]:
    spec = {"spec": {"nodeName": node}}
    return [
        "--image=registry.k8s.io/pause:3.10",
        "--image-pull-policy=Never",
        f"--overrides={json.dumps(spec)}",
    ]


def processes_of(session: int) -> list[str]:
    done = subprocess.run(["ps", "-o", "pid=", "--sid", str(session)], check=False, capture_output=True, text=True)
    return done.stdout.split()
