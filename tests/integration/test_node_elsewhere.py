"""A Wasm node in a lab of its own, as on another machine: it joins another lab's control plane by a kubeconfig."""

import json
import shutil
from collections.abc import Iterator

import pytest
from labkit import Lab, eventually, new_lab

pytestmark = pytest.mark.lab

NODE = "krustlet-far"
PLAY = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ansible_python_interpreter: "{{ ansible_playbook_python }}"
  tasks:
    - ansible.builtin.include_role:
        name: "edgelab.akri.{{ item }}"
      loop: [lab, edgelab_runtime]
    - ansible.builtin.include_role:
        name: edgelab.akri.krustlet
        tasks_from: "{{ entry | default('main') }}"
"""


@pytest.fixture
def far(bare_lab: Lab) -> Iterator[Lab]:
    """A lab without a cluster, with the files that an administrator would bring there."""
    made = new_lab("far")
    brought = made.home / "brought"
    brought.mkdir()
    for path in (bare_lab.layout.kubeconfig, bare_lab.layout.pki / "ca.crt"):
        shutil.copy(path, brought)
    made.variables = {
        "lab_cluster_facts": {"host_address": "127.0.0.1", "ca": str(brought / "ca.crt")},
        "krustlet_kubeconfig": str(brought / "kubeconfig"),
        "krustlet_node_name": NODE,
        "krustlet_registry_cas": {},
    }
    try:
        yield made
    finally:
        made.variables = {}
        made.remove()


def test_it_joins_and_leaves_by_a_kubeconfig(bare_lab: Lab, far: Lab) -> None:
    play = far.home / "play.yml"
    play.write_text(PLAY)

    def run(**more: str) -> dict[str, int]:
        given = json.dumps({"lab_name": far.name, **far.variables, **more})
        return far.run(["ansible-playbook", str(play), "-e", given]).recap()

    run()
    eventually(lambda: ready(bare_lab), what="the node to be ready")
    assert run()["changed"] == 0
    assert not (far.layout.state / "etcd").exists()
    run(entry="absent")
    assert NODE not in bare_lab.kubectl("get", "nodes", "-o", "name")


def ready(lab: Lab) -> bool:
    conditions = lab.get("node", NODE)["status"]["conditions"]
    return {"Ready": "True"}.items() <= {each["type"]: each["status"] for each in conditions}.items()
