"""The modules manifests and kubeconfig on a real API server, as tasks run them."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from labkit import BIN, Lab, eventually, kubectl

NAMESPACE = "objects-test"
THINGS: tuple[dict[str, Any], ...] = (
    # In an order that only works when it is not kept.
    {"apiVersion": "objects.test/v1", "kind": "Thing", "metadata": {"name": "a", "namespace": NAMESPACE}, "size": 1},
    {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "someone", "namespace": NAMESPACE}},
    {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "things.objects.test"},
        "spec": {
            "group": "objects.test",
            "names": {"kind": "Thing", "plural": "things"},
            "scope": "Namespaced",
            "versions": [
                {
                    "name": "v1",
                    "served": True,
                    "storage": True,
                    "schema": {
                        "openAPIV3Schema": {
                            "type": "object",
                            "properties": {"size": {"type": "integer", "maximum": 9}},
                        }
                    },
                }
            ],
        },
    },
    {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
)


class Tasks:
    """Single tasks against one cluster."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def run(self, module: str, *options: str, **arguments: Any) -> dict[str, Any]:
        """The result of one task."""
        given = {"kubeconfig": str(self._lab.layout.kubeconfig), **arguments}
        command = [str(BIN / "ansible"), "localhost", "-m", f"edgelab.akri.{module}", "-a", json.dumps(given), *options]
        quiet = {"ANSIBLE_LOAD_CALLBACK_PLUGINS": "1", "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}
        output = self._lab.run(command, check=False, extra=quiet).output
        result: dict[str, Any] = json.loads(output[output.index("=> {") + 3 :])
        return result

    def manifests(self, *options: str, definition: Any = THINGS, **arguments: Any) -> dict[str, Any]:
        """The result of the module manifests."""
        return self.run("manifests", *options, definition=definition, **arguments)


@pytest.fixture
def tasks(lab: Lab) -> Iterator[Tasks]:
    """Tasks; what they made is gone afterwards."""
    made = Tasks(lab)
    yield made
    made.manifests(state="absent")


def actions(result: dict[str, Any]) -> list[str]:
    return [f"{one['action']} {one['kind']}" for one in result["objects"]]


ORDER = ["Namespace", "CustomResourceDefinition", "Thing", "ServiceAccount"]


def test_objects_come_in_order_stay_as_they_are_and_go_in_reverse(tasks: Tasks) -> None:
    expected = [f"created {kind}" for kind in ORDER]
    assert actions(tasks.manifests("--check")) == expected
    assert actions(tasks.manifests()) == expected
    again = tasks.manifests()
    assert (again["changed"], actions(again)) == (False, [f"none {kind}" for kind in ORDER])
    grown = [THINGS[0] | {"size": 2}, *THINGS[1:]]
    check = tasks.manifests("--check", "--diff", definition=grown)
    assert actions(check)[2] == "changed Thing"
    assert tasks.manifests()["changed"] is False
    assert actions(tasks.manifests(definition=grown))[2] == "changed Thing"
    assert tasks.manifests(definition=grown)["changed"] is False
    expected = [f"deleted {kind}" for kind in reversed(ORDER)]
    assert sorted(actions(tasks.manifests("--check", state="absent"))) == sorted(expected)
    gone = tasks.manifests(state="absent")
    assert actions(gone)[-1] == "deleted Namespace"
    assert sorted(actions(gone)) == sorted(expected)
    assert tasks.manifests(state="absent")["changed"] is False


def test_a_refused_object_is_told_with_the_api_servers_words(tasks: Tasks) -> None:
    tasks.manifests()
    result = tasks.manifests(definition=[THINGS[0] | {"size": 10}])
    assert "should be less than or equal to 9" in result["msg"]


def test_an_object_that_stays_is_told_with_its_finalizers(tasks: Tasks, lab: Lab) -> None:
    tasks.manifests()
    thing = ["thing.objects.test", "a", "-n", NAMESPACE]
    patch = '{"metadata": {"finalizers": %s}}'
    lab.kubectl("patch", *thing, "--type=merge", "-p", patch % '["objects.test/somebody"]')
    try:
        result = tasks.manifests(state="absent", timeout=1)
        assert "Thing objects-test/a" in result["msg"]
        assert "objects.test/somebody" in result["msg"]
    finally:
        lab.kubectl("patch", *thing, "--type=merge", "-p", patch % "null")


def test_a_kubeconfig_is_renewed_with_its_account(tasks: Tasks, lab: Lab, tmp_path: Path) -> None:
    given = {"path": str(tmp_path / "someone"), "namespace": NAMESPACE, "service_account": "someone"}
    assert tasks.run("kubeconfig", "--check", **given)["changed"]
    assert "no such ServiceAccount" in tasks.run("kubeconfig", **given)["msg"]
    tasks.manifests()
    assert tasks.run("kubeconfig", **given)["changed"]
    assert (tmp_path / "someone").stat().st_mode & 0o777 == 0o600
    assert not tasks.run("kubeconfig", **given)["changed"]
    who = lab.run([kubectl(), "--kubeconfig", given["path"], "auth", "whoami"]).output
    assert f"system:serviceaccount:{NAMESPACE}:someone" in who
    lab.kubectl("delete", "serviceaccount", "someone", "-n", NAMESPACE)
    tasks.manifests()
    eventually(lambda: tasks.run("kubeconfig", "--check", **given)["changed"], what="the old token to be refused")
    assert tasks.run("kubeconfig", **given)["changed"]
    assert not tasks.run("kubeconfig", **given)["changed"]
