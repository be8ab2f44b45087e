"""What Akri's Pods need on OpenShift, kept by OpenShift's own client on a real API server.

OpenShift's kind is a stand-in's: see tests/standins/openshift.yaml.
"""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from ansible_collections.edgelab.akri.plugins.module_utils._security_context_constraints import (
    absent,
    constraints,
    present,
)
from edgelab.core.errors import LabError
from labkit import ROOT, Lab, Result, eventually

pytestmark = pytest.mark.lab

STANDIN = ROOT / "tests/standins/openshift.yaml"
KIND = "securitycontextconstraints"
NAMES = ["akri-agent", "akri-controller"]


@pytest.fixture
def openshift(bare_lab: Lab) -> Iterator[Lab]:
    """The lab, while its API server serves OpenShift's kind."""
    bare_lab.kubectl("apply", "-f", str(STANDIN))
    served = ("get", "--raw", "/apis/security.openshift.io/v1")
    eventually(lambda: KIND in bare_lab.kubectl(*served, check=False), what="the kind")
    try:
        yield bare_lab
    finally:
        bare_lab.kubectl("delete", "-f", str(STANDIN))


def role(lab: Lab, entry: str, *options: str, check: bool = True, **variables: Any) -> Result:
    """Run a part of the role akri: `openshift` or `openshift_absent`."""
    tasks = [
        {"ansible.builtin.include_role": {"name": "edgelab.akri.lab"}},
        {"ansible.builtin.include_role": {"name": "edgelab.akri.edgelab_runtime"}},
        {"ansible.builtin.include_vars": str(ROOT / "roles/akri/vars/chart.yml")},
        {"ansible.builtin.include_role": {"name": "edgelab.akri.akri", "tasks_from": entry}},
    ]
    playbook = lab.home / "openshift.yml"
    playbook.write_text(yaml.safe_dump([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
    words = ["ansible-playbook", str(playbook), "-e", json.dumps({"lab_name": lab.name, **variables}), *options]
    return lab.run(words, check=check)


def found(lab: Lab) -> dict[str, Any]:
    return {item["metadata"]["name"]: item for item in lab.get(KIND)["items"]}


def definitions() -> list[dict[str, Any]]:
    """What the role gives, without the users, which it makes of names."""
    given = yaml.safe_load((ROOT / "roles/akri/vars/openshift.yml").read_text())["_akri_openshift_constraints"]
    return [{key: value for key, value in each.items() if key != "users"} for each in given]


def test_akris_pods_are_allowed_what_they_need_and_nothing_is_left(openshift: Lab) -> None:
    would = role(openshift, "openshift", "--check").changed_tasks()
    assert len(would) == 1
    assert found(openshift) == {}
    assert role(openshift, "openshift").changed_tasks() == would
    kept = found(openshift)
    assert sorted(kept) == NAMES
    for given in definitions():
        there = kept[given["metadata"]["name"]]
        assert {**there, **given} == there | {"metadata": given["metadata"]}
    assert kept["akri-agent"]["users"][0] == "system:serviceaccount:akri:akri-agent-sa"
    assert len(role(openshift, "openshift_absent").changed_tasks()) == 1
    assert found(openshift) == {}


def test_what_somebody_changed_is_put_right_and_what_openshift_added_is_left_alone(openshift: Lab) -> None:
    with constraints(str(openshift.layout.kubeconfig), None) as resource:
        assert present(resource, definitions(), dry_run=False)["changed"]
        assert not present(resource, definitions(), dry_run=False)["changed"]
        patch = {"allowHostNetwork": True, "priority": 7}
        openshift.kubectl("patch", KIND, "akri-agent", "--type=merge", "-p", json.dumps(patch))
        for dry_run in (True, False):
            told = present(resource, definitions(), dry_run=dry_run)
            assert told["changed"]
            (before,), (after,) = told["diff"]["before"].values(), told["diff"]["after"].values()
            assert (before["allowHostNetwork"], after["allowHostNetwork"]) == (True, False)
            assert "last-applied-configuration" not in str(told)
        agent = found(openshift)["akri-agent"]
        assert not agent["allowHostNetwork"]
        assert agent["priority"] == 7
        assert agent["groups"] == []
        assert absent(resource, definitions(), dry_run=False)["changed"]
        assert not absent(resource, definitions(), dry_run=False)["changed"]


def test_what_openshift_refuses_is_told_in_its_words(openshift: Lab) -> None:
    wrong = {"metadata": {"name": "akri-agent"}, "runAsUser": {"type": "Nobody"}}
    with (
        pytest.raises(LabError, match="allowHostIPC: Required value"),
        constraints(str(openshift.layout.kubeconfig), None) as resource,
    ):
        present(resource, [wrong], dry_run=False)


def test_elsewhere_nothing_is_done_unless_it_was_asked_for(bare_lab: Lab) -> None:
    assert role(bare_lab, "openshift").changed_tasks() == []
    refused = role(bare_lab, "openshift", check=False, akri_openshift_scc="always")
    assert refused.status
    assert "The API server does not serve security.openshift.io/v1" in " ".join(refused.output.split())
