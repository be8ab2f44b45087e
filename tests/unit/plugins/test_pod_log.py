"""Waiting for what a Pod says: which Pod counts, when it is enough, and what is told when it is not."""

from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _pod_log as subject
from ansible_collections.edgelab.akri.plugins.module_utils._kube import ApiError, LabError

PATTERNS = ["^a value ", "^b value "]


def pod(name: str, made: str = "2026-11-21T09:00:00Z", phase: str = "Running", **metadata: Any) -> dict[str, Any]:
    meta = {"name": name, "namespace": "default", "creationTimestamp": made, **metadata}
    return {"metadata": meta, "status": {"phase": phase}}


class Cluster:
    """Pods and their logs; each reading of a log gives the next of its texts, the last one for ever."""

    def __init__(self, pods: list[dict[str, Any]], **logs: list[Any]) -> None:
        self.pods, self.logs = pods, logs

    def find_all(self, api_version: str, kind: str, namespace: str, *, labelSelector: str) -> list[Any]:  # noqa: N803
        assert (api_version, kind, namespace, labelSelector) == ("v1", "Pod", "default", "app=client")
        return self.pods

    def lines(self, path: str, *, seconds: float, follow: str) -> Iterator[str]:
        logs = self.logs[path.split("/")[-2]]
        said = logs.pop(0) if len(logs) > 1 else logs[0]
        if isinstance(said, Exception):
            raise said
        yield from said


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that only sleep moves."""
    now = [0.0]
    monkeypatch.setattr(subject.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(subject.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))


def wait(cluster: Any, timeout: float = 3) -> subject.Heard:
    return subject.wait_for_lines(cluster, "default", "app=client", PATTERNS, timeout=timeout)


def test_the_first_line_of_each_pattern_is_told_in_their_order() -> None:
    heard = wait(Cluster([pod("p")], p=[["b value 1", "x", "a failed: away", "a value 2", "a value 3"]]))
    assert heard.pod == "p"
    assert heard.lines == ["a value 2", "b value 1"]


def test_a_log_that_cannot_be_read_yet_is_read_again() -> None:
    refusal = ApiError("Read", 400, b'{"message": "container is waiting to start"}')
    assert wait(Cluster([pod("p")], p=[refusal, ["a value 1"], ["a value 1", "b value 2"]])).missing == []


def test_of_several_pods_the_newest_that_stays_counts() -> None:
    pods = [
        pod("old"),
        pod("new", "2026-11-21T10:00:00Z"),
        pod("going", "2026-11-21T11:00:00Z", deletionTimestamp="2026-11-21T11:00:01Z"),
        pod("pending", "2026-11-21T12:00:00Z", phase="Pending"),
    ]
    found = subject.newest_running(pods)
    assert found
    assert found["metadata"]["name"] == "new"
    assert subject.newest_running(pods[2:]) is None


def test_what_is_missing_is_told_with_what_was_said_last() -> None:
    with pytest.raises(LabError) as silent:
        wait(Cluster([pod("p")], p=[["a value 1", "b failed: away"]]))
    assert "p said a value 1; b failed: away" in str(silent.value)
    assert "no line: ^b value" in str(silent.value)


def test_a_pod_that_does_not_run_is_told() -> None:
    with pytest.raises(LabError, match="No such Pod runs"):
        wait(Cluster([pod("p", phase="Pending")]))


def test_what_is_no_regular_expression_is_told() -> None:
    with pytest.raises(LabError, match="no regular expression"):
        subject.wait_for_lines(Cluster([]), "default", "app=client", ["a("], timeout=0)  # type: ignore[arg-type]
