"""The Pods of a node go, and those that do not are named."""

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._node_pods import remove
from edgelab.core.errors import LabError


class FakeCluster:
    """Shows one list of Pods after the other and notes what is deleted."""

    def __init__(self, *lists: list[str]) -> None:
        self.lists, self.deleted = lists, list[str]()

    def follow(self, *_: Any, **selectors: Any) -> Iterator[list[dict[str, Any]]]:
        assert selectors["fieldSelector"] == "spec.nodeName=krustlet-wasi"
        for names in self.lists:
            yield [{"metadata": {"namespace": "default", "name": name, "uid": name}} for name in names]

    def delete(self, path: str, *, uid: str) -> None:
        assert path == f"/api/v1/namespaces/default/pods/{uid}"
        self.deleted.append(uid)


def removed(cluster: FakeCluster, *, dry_run: bool = False) -> dict[str, Any]:
    return remove(cluster, "krustlet-wasi", timeout=1, dry_run=dry_run)  # type: ignore[arg-type]


def test_each_pod_is_deleted_once_and_waited_for_also_one_that_comes_late() -> None:
    cluster = FakeCluster(["a", "b"], ["b"], ["b", "c"], [])
    assert removed(cluster)["pods"] == ["default/a", "default/b"]
    assert cluster.deleted == ["a", "b", "c"]


def test_a_node_without_pods_is_left_alone() -> None:
    cluster = FakeCluster([])
    assert removed(cluster)["changed"] is False


def test_check_mode_names_the_pods_and_deletes_none() -> None:
    cluster = FakeCluster(["a"])
    assert removed(cluster, dry_run=True)["changed"] is True
    assert cluster.deleted == []


def test_pods_that_stay_are_named() -> None:
    with pytest.raises(LabError, match="still there: default/b"):
        removed(FakeCluster(["a", "b"], ["b"]))
