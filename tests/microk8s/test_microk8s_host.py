"""The role microk8s_host: a machine without MicroK8s, one that has it already, what goes wrong, and whole playbooks."""

import base64
import json
import sys
from dataclasses import replace
from pathlib import Path

from charts.packed import helm, pack
from labkit import eventually
from machines.rootfs import USER
from standins.microk8s.target import Target

ARGUMENTS = "/var/snap/microk8s/current/args/kube-apiserver"
RECORD = "/var/lib/edgelab/microk8s.json"


def test_an_ordinary_user_gets_it_from_nothing_and_gives_it_back(microk8s: Target) -> None:
    """Check mode tells what the run then does, the second run does nothing, and nothing is left in the end."""
    ada = replace(microk8s, user=USER)
    ada.play("tests/microk8s/runtime.yml")
    foreseen = ada.converge("--check").changed_tasks()
    assert "edgelab.akri.microk8s_host : Have MicroK8s" in foreseen
    assert ada.converge().changed_tasks() == foreseen
    assert USER in microk8s.says("getent", "group", "microk8s")
    kubeconfig = f"/home/{USER}/.local/state/edgelab/microk8s/kubeconfig"
    assert microk8s.says("stat", "-c", "%U.%a", kubeconfig) == f"{USER}.600"
    assert ada.says("/snap/bin/microk8s", "kubectl", f"--kubeconfig={kubeconfig}", "get", "nodes") != ""
    assert ada.converge().changed_tasks() == []
    ada.away()
    assert microk8s.says("ls", "/var/snap", "/snap/bin", "/var/lib").count("microk8s") == 0
    assert microk8s.says("ls -d /var/lib/edgelab || true").endswith("No such file or directory")


def test_one_that_was_there_stays_as_it_was(microk8s: Target) -> None:
    """Its channel is not changed unasked; what the lab did to it is undone, and nothing else."""
    microk8s.says("snap", "install", "microk8s", "--classic", "--channel=1.34/stable")
    microk8s.says("/snap/bin/microk8s", "status", "--wait-ready")
    microk8s.says("/snap/bin/microk8s", "enable", "dns")
    eventually(lambda: "core/dns" in microk8s.enabled(), within=120, what="the addon dns")
    before = microk8s.says("cat", ARGUMENTS), microk8s.enabled()

    refused = microk8s.converge(check=False)
    assert "MicroK8s v1.34.5 from 1.34/stable already" in refused.output
    assert "microk8s_host_channel: 1.34/stable" in refused.output

    addons = [{"name": "dns"}, {"name": "rbac"}, {"name": "dashboard"}, {"name": "community"}, {"name": "argocd"}]
    microk8s.converge(microk8s_host_channel="1.34/stable", microk8s_host_addons=addons)
    with_lab = before[1] | {"core/rbac", "core/dashboard", "core/metrics-server", "core/community", "community/argocd"}
    assert microk8s.enabled() == with_lab
    assert "held" in microk8s.says("snap", "list")

    microk8s.away()
    assert (microk8s.says("cat", ARGUMENTS), microk8s.enabled()) == before
    assert "held" not in microk8s.says("snap", "list")
    microk8s.says("snap", "remove", "--purge", "microk8s")


def test_mistakes_are_told_and_can_be_made_good(microk8s: Target) -> None:
    """An addon that is not there, an argument that the API server does not know."""
    unknown = microk8s.converge(check=False, microk8s_host_addons=[{"name": "dns"}, {"name": "istanbul"}])
    assert "Find MicroK8s' addon istanbul. There are only: core/community" in unknown.output
    assert "core/dns" not in microk8s.enabled()
    microk8s.converge()

    wrong = {"kube-apiserver": {"--no-such-flag": "1"}}
    failed = microk8s.converge(check=False, microk8s_host_arguments=wrong, microk8s_host_ready_seconds=20)
    assert "MicroK8s was not ready within 20 seconds" in failed.output
    assert "journalctl -u snap.microk8s.daemon-kubelite" in failed.output
    assert "unknown flag: --no-such-flag" in microk8s.says("journalctl", "-u", "snap.microk8s.daemon-kubelite")

    microk8s.converge()
    assert "--no-such-flag" not in microk8s.says("cat", ARGUMENTS)
    microk8s.away()
    assert microk8s.says("cat", RECORD, "||", "true").endswith("No such file or directory")


def test_a_demo_by_akris_chart_is_told_as_far_as_no_pod_is_needed(microk8s: Target, tmp_path: Path) -> None:
    """The playbooks in check mode, with the chart read by the real Helm; then the whole lab away, role by role."""
    chart = base64.b64encode(pack(helm(), tmp_path).read_bytes()).decode()
    microk8s.says(f"echo {chart} | base64 -d > /root/akri.tgz")
    given = {
        "lab_name": "microk8s",
        "ansible_python_interpreter": sys.executable,  # this checkout's, which has the runtime
        "lab_host": microk8s.machine.name,
        "lab_cluster": "microk8s",
        "lab_demo": "video",
        "akri_chart": "/root/akri.tgz",
        "akri_chart_repository": "",
        "preflight_accepted": ["modules"],
    }
    variables = ("-e", json.dumps(given))
    microk8s.converge(*variables)
    told = microk8s.play("site.yml", "--check", *variables).changed_tasks()
    wanted = [
        "edgelab.akri.akri : Have the release",
        "edgelab.akri.demo_video : Run the cameras",
        "edgelab.akri.akri : Run the handler beside the agent of each node that runs containers",
        "edgelab.akri.demo_video : Ask for the cameras, and for a broker for each",
        "edgelab.akri.demo_video : Run the page",
    ]
    assert [task for task in told if task in wanted] == wanted
    microk8s.play("playbooks/down.yml", *variables)
    assert microk8s.says("ls", "/var/snap", "/snap/bin", "/var/lib").count("microk8s") == 0
