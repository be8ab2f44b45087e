"""Reading manifests, the order they are worked through, and what is told about a change."""

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._manifests_model import (
    Change,
    Manifest,
    comparable,
    read,
    result,
    stages,
)
from edgelab.core.errors import LabError
from hypothesis import given
from hypothesis import strategies as st


def body(kind: str, name: str = "a", **more: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": kind, "metadata": {"name": name}, **more}


def test_files_may_hold_many_documents_and_lists(tmp_path: Path) -> None:
    file = tmp_path / "objects.yaml"
    file.write_text(
        "---\n# nothing but a comment\n---\n{apiVersion: v1, kind: Pod, metadata: {name: b}}\n---\n"
        "{apiVersion: v1, kind: List, items: [{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: n}}]}\n"
    )
    found = read([body("Pod")], [str(file)])
    assert [(item.title, item.namespace) for item in found] == [
        ("Pod a", "default"),
        ("Pod b", "default"),
        ("Pod n/c", "n"),
    ]


@pytest.mark.parametrize(
    "bad", [{}, {"kind": "Pod"}, body("Pod", name=""), {"apiVersion": "v1", "kind": "Pod", "metadata": []}, "Pod", None]
)
def test_what_is_no_object_is_refused(bad: Any) -> None:
    with pytest.raises(LabError, match=r"no apiVersion, kind and metadata\.name"):
        read([bad], [])


@pytest.mark.parametrize("text", ["{", "\0"])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, text: str) -> None:
    file = tmp_path / "broken.yaml"
    file.write_text(text)
    with pytest.raises(LabError, match=r"broken\.yaml"):
        read([], [str(file)])


@given(st.lists(st.sampled_from(["Namespace", "CustomResourceDefinition", "Pod", "Configuration"])))
def test_each_stage_needs_only_those_before_it(kinds: list[str]) -> None:
    manifests = [Manifest(body(kind, name=str(number))) for number, kind in enumerate(kinds)]
    ordered = [item for stage in stages(manifests) for item in stage]
    rank = {"Namespace": 0, "CustomResourceDefinition": 1}
    assert [rank.get(item.kind, 2) for item in ordered] == sorted(rank.get(kind, 2) for kind in kinds)
    rest = [item.name for item in manifests if item.kind not in rank]
    assert [item.name for item in ordered if item.kind not in rank] == rest
    assert all(stages(manifests))


def test_the_api_servers_bookkeeping_is_no_change() -> None:
    before = body("Pod", spec={"a": 1}, status={"phase": "Pending"})
    noise = {"resourceVersion": "2", "generation": 3, "managedFields": [{}]}
    after = body("Pod", spec={"a": 1}, status={"phase": "Running"})
    after["metadata"] |= noise
    assert comparable(before) == comparable(after)


@pytest.mark.parametrize(
    ("before", "after", "action"),
    [
        (None, body("Pod"), "created"),
        (body("Pod"), body("Pod"), "none"),
        (body("Pod"), body("Pod", spec={}), "changed"),
        (body("Pod"), None, "deleted"),
        (None, None, "none"),
    ],
)
def test_a_change_is_named_after_what_it_does(before: Any, after: Any, action: str) -> None:
    change = Change(Manifest(body("Pod")), before, after)
    assert change.action == action
    told = result([change])
    assert told["changed"] == (action != "none")
    assert bool(told["diff"]["before"] or told["diff"]["after"]) == told["changed"]
    assert told["objects"][0]["action"] == action


def test_a_secret_is_never_shown() -> None:
    before = body("Secret", data={"token": "b2xkLXNlY3JldA=="})
    after = body("Secret", stringData={"token": "new-secret"}, data={"token": "bmV3LXNlY3JldA=="})
    told = result([Change(Manifest(after), before, after)])
    assert told["changed"]
    assert "secret" not in str(told).replace("is secret", "").replace("Secret", "")
    assert "b2xk" not in str(told)
    assert "bmV3" not in str(told)
