"""What is done for a Pod, from its specification and what its containers did."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from edgelab.node.containers.process import ProcessIdentity
from edgelab.node.containers.records import Exit, Start, timestamp
from edgelab.node.pods.decisions import Plan, View, crashes_after, decide, seconds_left
from lightkube.models.core_v1 import Pod

NOW = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)


def ago(seconds: float) -> str:
    return timestamp(NOW - timedelta(seconds=seconds))


def pod(*names: str, inits: tuple[str, ...] = (), policy: str = "Always", **spec: Any) -> Pod:
    return Pod.from_dict(
        {
            "metadata": {"name": "p", "namespace": "default", "uid": "u"},
            "spec": {
                "restartPolicy": policy,
                "containers": [{"name": name} for name in names],
                "initContainers": [{"name": name} for name in inits],
                **spec,
            },
            "status": {"startTime": ago(100)},
        }
    )


def running() -> View:
    return View(number=0, running=True, start=Start(ProcessIdentity(1, 1, "b"), ago(50)))


def ended(code: int, *, since: float = 0, lasted: float = 5) -> View:
    start = Start(ProcessIdentity(1, 1, "b"), ago(since + lasted))
    return View(number=0, start=start, exit=Exit(code, "Error" if code else "Completed", ago(since)))


def test_containers_start_together() -> None:
    assert decide(pod("a", "b"), {"a": View(), "b": View()}, {}, NOW) == Plan(start=("a", "b"))


def test_a_running_pod_is_left_alone() -> None:
    assert decide(pod("a"), {"a": running()}, {}, NOW) == Plan()


@pytest.mark.parametrize(
    ("policy", "code", "restarted"),
    [
        ("Always", 0, True),
        ("Always", 1, True),
        ("OnFailure", 0, False),
        ("OnFailure", 1, True),
        ("Never", 0, False),
        ("Never", 1, False),
    ],
)
def test_restart_policy(policy: str, code: int, restarted: bool) -> None:
    plan = decide(pod("a", policy=policy), {"a": ended(code)}, {}, NOW)
    assert plan == (Plan(start=("a",)) if restarted else Plan(phase="Failed" if code else "Succeeded"))


def test_a_pod_ends_only_when_all_its_containers_have() -> None:
    one_runs = decide(pod("a", "b", policy="Never"), {"a": ended(1), "b": running()}, {}, NOW)
    none_runs = decide(pod("a", "b", policy="Never"), {"a": ended(1), "b": ended(0)}, {}, NOW)
    assert (one_runs.phase, none_runs.phase) == ("", "Failed")


def test_the_second_restart_waits_ten_seconds_after_the_end() -> None:
    plan = decide(pod("a"), {"a": ended(1, since=4)}, {"a": 1}, NOW)
    assert plan == Plan(backing_off={"a": 6.0})


def test_a_container_that_waits_does_not_hold_up_another() -> None:
    plan = decide(pod("a", "b"), {"a": ended(1, since=4), "b": View()}, {"a": 1}, NOW)
    assert plan == Plan(start=("b",), backing_off={"a": 6.0})


def test_the_back_off_is_over_at_some_time() -> None:
    assert decide(pod("a"), {"a": ended(1, since=10)}, {"a": 1}, NOW).start == ("a",)


def test_a_long_run_makes_crashes_forgotten() -> None:
    view = ended(1, lasted=600)
    assert decide(pod("a"), {"a": view}, {"a": 5}, NOW).start == ("a",)
    assert crashes_after(view, 5) == 1


def test_crashes_are_counted_from_the_first_restart() -> None:
    assert crashes_after(View(), 0) == 0
    assert crashes_after(ended(1), 0) == 1
    assert crashes_after(ended(1), 1) == 2


def test_init_containers_run_in_order_and_before_the_others() -> None:
    views = {"i": View(), "j": View(), "a": View()}
    it = pod("a", inits=("i", "j"))
    assert decide(it, views, {}, NOW).start == ("i",)
    assert decide(it, views | {"i": running()}, {}, NOW) == Plan()
    assert decide(it, views | {"i": ended(0)}, {}, NOW).start == ("j",)
    assert decide(it, views | {"i": ended(0), "j": ended(0)}, {}, NOW).start == ("a",)


def test_a_failed_init_container_is_tried_again_unless_the_policy_is_never() -> None:
    views = {"i": ended(1), "a": View()}
    assert decide(pod("a", inits=("i",)), views, {}, NOW).start == ("i",)
    assert decide(pod("a", inits=("i",), policy="Never"), views, {}, NOW).phase == "Failed"


def test_init_containers_do_not_run_again_after_the_others_began() -> None:
    # Their records are lost, e.g. with an old state directory.
    assert decide(pod("a", inits=("i",)), {"i": View(), "a": running()}, {}, NOW) == Plan()


def test_the_deadline_ends_a_pod() -> None:
    it = pod("a", activeDeadlineSeconds=100)
    assert decide(it, {"a": running()}, {}, NOW).reason == "DeadlineExceeded"
    earlier = NOW - timedelta(seconds=30)
    assert seconds_left(it, earlier) == 30
    assert decide(it, {"a": running()}, {}, earlier) == Plan()


DOMAINS = "alpha.wasi.krustlet.dev/allowed-domains"


def annotated(value: str, **kinds: Any) -> Pod:
    made = pod("a", "b", **kinds)
    assert made.metadata is not None
    made.metadata.annotations = {DOMAINS: value}
    return made


@pytest.mark.parametrize("inits", [(), ("i",)])
def test_a_pod_whose_annotation_is_malformed_fails_before_anything_starts(inits: tuple[str, ...]) -> None:
    views = {name: View() for name in ("a", "b", *inits)}
    plan = decide(annotated("api.example.com", inits=inits), views, {}, NOW)
    assert (plan.phase, plan.reason, plan.start) == ("Failed", "InvalidAnnotation", ())
    assert DOMAINS in plan.message
    assert decide(annotated('["https://api.example.com"]', inits=inits), views, {}, NOW).start


def test_an_annotation_that_becomes_malformed_ends_nothing_that_runs() -> None:
    assert decide(annotated("nothing"), {"a": running(), "b": running()}, {}, NOW) == Plan()
    assert decide(annotated("nothing"), {"a": running(), "b": ended(1)}, {}, NOW).phase == "Failed"
