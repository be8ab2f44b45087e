"""changed=0 is earned: what was damaged behind Ansible's back is what the next run changes, and nothing else.

Damages that have nothing to do with each other share a run: a run takes as long for one as for many.
"""

import json
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from edgelab.core.layout import layout
from labkit import Lab, eventually
from tasknames import Task, changed

INSTANCE = "akri-debug-echo-aae70c"
CACHE = layout("any", os.environ, os.getuid()).cache
COLUMN = "/spec/versions/0/additionalPrinterColumns/0"


@dataclass(frozen=True, slots=True)
class Damage:
    """What goes wrong, how its repair shows, and which tasks and processes the repair concerns."""

    harm: Callable[[Lab], Any]
    whole: Callable[[Lab], bool]
    tasks: tuple[Task, ...]
    restarted: tuple[str, ...] = ()


def state(lab: Lab, path: str) -> Path:
    """A file of the lab."""
    return lab.layout.state / path


def append(lab: Lab, path: str, text: str) -> None:
    """Write behind the end of a file."""
    with state(lab, path).open("a") as file:
        file.write(text)


def mode(lab: Lab, path: str) -> int:
    """Permissions of a file."""
    return state(lab, path).stat().st_mode & 0o777


def exists(lab: Lab, *words: str) -> bool:
    """Whether the API server has an object."""
    return lab.kubectl("get", *words, "--ignore-not-found", "-o", "name") != ""


def supervisorctl(lab: Lab, *words: str) -> str:
    """What a person would type to interfere with the lab's processes."""
    return lab.run(["supervisorctl", "-s", f"unix://{lab.layout.run}/supervisor.sock", *words]).output


def columns(lab: Lab) -> list[str]:
    """What `kubectl get akrii` shows."""
    version = lab.get("crd", "instances.akri.sh")["spec"]["versions"][0]
    return [column["name"] for column in version.get("additionalPrinterColumns", [])]


def patch(lab: Lab, kind: str, name: str, how: str, change: Any) -> None:
    """Change an object as a user would."""
    lab.kubectl("patch", kind, name, "--type", how, "-p", json.dumps(change))


def capacity(lab: Lab) -> int:
    """Slots of the demo's device as its Configuration has them."""
    slots: int = lab.get("akric", "akri-debug-echo")["spec"]["capacity"]
    return slots


def tag(lab: Lab) -> Path:
    """Where the registry keeps the tag of the broker's module."""
    return state(lab, "registry/docker/registry/v2/repositories/wasi-hello-world/_manifests/tags/v1")


PROCESSES = {
    "stopped": Damage(
        harm=lambda lab: supervisorctl(lab, "stop", "agent:*"),
        whole=lambda lab: lab.ready("agent"),
        tasks=(Task.AGENT,),
        restarted=("agent",),
    ),
    "described differently": Damage(
        harm=lambda lab: append(lab, "supervisor/conf.d/controller.conf", "priority=1\n"),
        whole=lambda lab: "priority" not in state(lab, "supervisor/conf.d/controller.conf").read_text(),
        tasks=(Task.CONTROLLER,),
        restarted=("controller",),
    ),
    "certificate gone": Damage(
        harm=lambda lab: state(lab, "pki/kube-scheduler.crt").unlink(),
        whole=lambda lab: state(lab, "pki/kube-scheduler.crt").exists(),
        tasks=(Task.CERTIFICATES, Task.CONTROL_PLANE),
        restarted=("kube-scheduler",),
    ),
    "certificate damaged": Damage(
        harm=lambda lab: state(lab, "pki/registry.crt").write_text("nonsense"),
        whole=lambda lab: "BEGIN CERTIFICATE" in state(lab, "pki/registry.crt").read_text(),
        tasks=(Task.REGISTRY_CERTIFICATE, Task.REGISTRY),
        restarted=("registry",),
    ),
    "identity damaged": Damage(
        harm=lambda lab: state(lab, "node/client.pem").write_text("nonsense"),
        whole=lambda lab: "BEGIN CERTIFICATE" in state(lab, "node/client.pem").read_text(),
        tasks=(Task.JOIN, Task.NODE),
        restarted=("node",),
    ),
    "directory open to others": Damage(
        harm=lambda lab: state(lab, "handlers/debugEcho").chmod(0o755),
        whole=lambda lab: mode(lab, "handlers/debugEcho") == 0o700,
        tasks=(Task.HANDLER_DIRECTORY,),
    ),
}
FILES = {
    "lab's directory open to others": Damage(
        harm=lambda lab: state(lab, "pki").chmod(0o755),
        whole=lambda lab: mode(lab, "pki") == 0o700,
        tasks=(Task.DIRECTORIES,),
    ),
    "administrator's kubeconfig damaged": Damage(
        harm=lambda lab: lab.layout.kubeconfig.write_text("nonsense"),
        whole=lambda lab: exists(lab, "namespace", "default"),
        tasks=(Task.CERTIFICATES,),
    ),
    "kubeconfig open to others": Damage(
        harm=lambda lab: state(lab, "kubeconfigs/kube-controller-manager").chmod(0o644),
        whole=lambda lab: mode(lab, "kubeconfigs/kube-controller-manager") == 0o600,
        tasks=(Task.CERTIFICATES,),
    ),
    "token open to others": Damage(
        harm=lambda lab: state(lab, "kubeconfigs/controller").chmod(0o644),
        whole=lambda lab: mode(lab, "kubeconfigs/controller") == 0o600,
        tasks=(Task.CONTROLLER_IDENTITY, Task.CONTROLLER),
        restarted=("controller",),
    ),
    "token damaged": Damage(
        harm=lambda lab: append(lab, "kubeconfigs/agent", "nonsense"),
        whole=lambda lab: "nonsense" not in state(lab, "kubeconfigs/agent").read_text(),
        tasks=(Task.AGENT_IDENTITY, Task.AGENT),
        restarted=("agent",),
    ),
    "bootstrap kubeconfig damaged": Damage(
        harm=lambda lab: state(lab, "kubeconfigs/node-bootstrap").write_text("nonsense"),
        whole=lambda lab: "clusters" in state(lab, "kubeconfigs/node-bootstrap").read_text(),
        tasks=(Task.JOIN, Task.NODE),
        restarted=("node",),
    ),
}
CLUSTER = {
    "RBAC of the cluster": Damage(
        harm=lambda lab: lab.kubectl("delete", "clusterrolebinding", "edgelab:node-bootstrapper"),
        whole=lambda lab: exists(lab, "clusterrolebinding", "edgelab:node-bootstrapper"),
        tasks=(Task.BOOTSTRAP,),
    ),
    "bootstrap kubeconfig open to others": Damage(
        harm=lambda lab: state(lab, "kubeconfigs/node-bootstrap").chmod(0o644),
        whole=lambda lab: mode(lab, "kubeconfigs/node-bootstrap") == 0o600,
        tasks=(Task.JOIN, Task.NODE),
        restarted=("node",),
    ),
    "RBAC of a process": Damage(
        harm=lambda lab: lab.kubectl("delete", "clusterrolebinding", "akri-controller"),
        whole=lambda lab: exists(lab, "clusterrolebinding", "akri-controller"),
        tasks=(Task.KINDS,),
    ),
    "kind changed": Damage(
        harm=lambda lab: patch(lab, "crd", "instances.akri.sh", "json", [{"op": "remove", "path": COLUMN}]),
        whole=lambda lab: len(columns(lab)) == 4,
        tasks=(Task.KINDS,),
    ),
    "account made anew": Damage(
        harm=lambda lab: lab.kubectl("delete", "serviceaccount", "akri-agent", "-n", "akri"),
        whole=lambda lab: exists(lab, "serviceaccount", "akri-agent", "-n", "akri"),
        tasks=(Task.AGENT_RIGHTS, Task.AGENT_IDENTITY, Task.AGENT),
        restarted=("agent",),
    ),
    "custom resource changed": Damage(
        harm=lambda lab: lab.kubectl(
            "patch", "akric", "akri-debug-echo", "--type=merge", "-p", '{"spec":{"capacity":5}}'
        ),
        whole=lambda lab: capacity(lab) == 2,
        tasks=(Task.CONFIGURATION,),
    ),
    "Pod deleted": Damage(
        harm=lambda lab: lab.kubectl("delete", "pod", "wasi-debug-echo"),
        whole=lambda lab: exists(lab, "pod", "wasi-debug-echo"),
        tasks=(Task.HANDLER,),
    ),
    "pushed module gone": Damage(
        harm=lambda lab: shutil.rmtree(tag(lab)),
        whole=lambda lab: tag(lab).exists(),
        tasks=(Task.MODULES,),
    ),
}


def site(lab: Lab, **variables: Any) -> tuple[list[Task], set[str]]:
    """Run everything; returns the tasks that changed something and the processes that are others now."""
    names = [record.stem for record in state(lab, "supervisor/hold").glob("*.json")]
    before = {name: lab.pid(name) for name in names}
    tasks = changed(lab.playbook("site.yml", **variables))
    return tasks, {name for name in names if lab.pid(name) != before[name]}


@pytest.mark.parametrize("damages", [PROCESSES, FILES, CLUSTER], ids=["processes", "files", "cluster"])
def test_what_was_damaged_is_what_is_repaired(lab: Lab, damages: dict[str, Damage]) -> None:
    for name, damage in damages.items():
        assert damage.whole(lab), name
        damage.harm(lab)
    tasks, restarted = site(lab)
    assert set(tasks) == {task for damage in damages.values() for task in damage.tasks}
    assert restarted == {process for damage in damages.values() for process in damage.restarted}
    assert [name for name, damage in damages.items() if not damage.whole(lab)] == []


def test_a_changed_variable_changes_what_it_concerns(lab: Lab) -> None:
    """And nothing else, so the repairs above left nothing to do either."""
    tasks, restarted = site(lab, krustlet_max_pods=50)
    assert (tasks, restarted) == ([Task.NODE], {"node"})
    assert lab.get("node", "krustlet-wasi")["status"]["capacity"]["pods"] == "50"

    # Back to what it was, and another one changed.
    tasks, restarted = site(lab, demo_wasm_debug_echo_capacity=3)
    assert (tasks, restarted) == ([Task.NODE, Task.CONFIGURATION], {"node"})
    assert lab.get("node", "krustlet-wasi")["status"]["capacity"]["pods"] == "110"
    eventually(lambda: lab.get("akrii", INSTANCE)["spec"]["capacity"] == 3, what="the Instance to have the capacity")

    assert site(lab) == ([Task.CONFIGURATION], set())


def test_a_damaged_program_is_replaced(empty_lab: Lab, tmp_path: Path) -> None:
    """In a cache of its own, with the registry as the program that is made fastest."""
    program = copy_of_cached("registry", tmp_path)
    caches = {"XDG_CACHE_HOME": str(tmp_path), "GOCACHE": os.environ.get("GOCACHE", str(CACHE.parent / "go-build"))}
    variables = json.dumps({"lab_name": empty_lab.name, "binaries_wanted": ["registry"]})
    play = tmp_path / "registry.yml"
    roles = [f"edgelab.akri.{role}" for role in ("lab", "edgelab_runtime", "registry")]
    play.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "roles": roles}]))

    def run() -> tuple[list[Task], int]:
        command = ["ansible-playbook", str(play), "-e", variables]
        return changed(empty_lab.run(command, extra=caches)), empty_lab.pid("registry")

    _tasks, before = run()
    sound = program.read_bytes()
    damage(program)
    tasks, after = run()
    # Only another program, as another compiler makes it, is a reason for a restart.
    same = program.read_bytes() == sound
    assert tasks == ([Task.PROGRAMS] if same else [Task.PROGRAMS, Task.REGISTRY])
    assert (before == after) == same
    assert run() == ([], after)


def copy_of_cached(name: str, cache: Path) -> Path:
    """Copy a program and its record from the user's cache into another one; returns the path of the copy."""
    entry = next(CACHE.glob(f"bin/{name}-*"))
    shutil.copytree(entry, cache / "edgelab/bin" / entry.name)
    return cache / "edgelab/bin" / entry.name / name


def damage(program: Path) -> None:
    """Change the last byte, in another file: one that is being executed cannot be written to."""
    content = bytearray(program.read_bytes())
    content[-1] ^= 0xFF
    program.unlink()
    program.write_bytes(content)
    program.chmod(0o755)
