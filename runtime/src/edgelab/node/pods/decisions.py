"""What to do for a Pod, decided from its specification and what its containers did. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from lightkube.models.core_v1 import Container, Pod

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.node.containers.records import Exit, Start
from edgelab.node.outbound.policy import check

CRASHES = Backoff(10, 300)
"""Seconds between an end and the next start; the first restart is at once, as kubelets do."""

GOOD_RUN_SECONDS = 600
"""A run as long as this makes earlier crashes forgotten."""


@dataclass(frozen=True, slots=True)
class View:
    """What is known of a container; `number` is that of its newest run, -1 before the first."""

    number: int = -1
    image: str = ""
    running: bool = False
    start: Start | None = None
    exit: Exit | None = None
    last_start: Start | None = None
    last_exit: Exit | None = None


@dataclass(frozen=True, slots=True)
class Waiting:
    """Why a container does not run yet."""

    reason: str
    message: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do: containers to start now, those that wait after a crash (seconds left), or the Pod's end."""

    start: tuple[str, ...] = ()
    backing_off: Mapping[str, float] = field(default_factory=dict)
    phase: str = ""
    reason: str = ""
    message: str = ""


def decide(pod: Pod, views: Mapping[str, View], crashes: Mapping[str, int], now: datetime) -> Plan:
    """The plan for a Pod that is not being deleted; `crashes` counts restarts in a row by container."""
    assert pod.spec is not None
    if seconds_left(pod, now) == 0:
        return Plan(phase="Failed", reason="DeadlineExceeded", message="Pod was active longer than its deadline")
    plan = _containers(pod, views, crashes, now)
    return (_malformed(pod) if plan.start else None) or plan


def _containers(pod: Pod, views: Mapping[str, View], crashes: Mapping[str, int], now: datetime) -> Plan:
    assert pod.spec is not None
    policy = pod.spec.restartPolicy or "Always"
    if not is_initialized(pod, views):
        return _initialize(pod.spec.initContainers or (), policy, views, crashes, now)
    plan = _run(pod.spec.containers, policy, views, crashes, now)
    if plan.start or plan.backing_off or any(views[each.name].running for each in pod.spec.containers):
        return plan
    return Plan(phase=end_phase(pod, views))


def _malformed(pod: Pod) -> Plan | None:
    """The end of a Pod whose annotations about requests cannot be understood, as on Krustlet."""
    try:
        check((pod.metadata.annotations if pod.metadata else None) or {})
    except LabError as error:
        return Plan(phase="Failed", reason="InvalidAnnotation", message=str(error))
    return None


def is_initialized(pod: Pod, views: Mapping[str, View]) -> bool:
    """Every init container has ended well, or containers have run: then init containers do not run again."""
    assert pod.spec is not None
    ran = any(views[container.name].number >= 0 for container in pod.spec.containers)
    return ran or all(_ended_well(views[container.name]) for container in pod.spec.initContainers or ())


def end_phase(pod: Pod, views: Mapping[str, View]) -> str:
    """Succeeded when every container has ended well, else Failed."""
    assert pod.spec is not None
    return "Succeeded" if all(_ended_well(views[each.name]) for each in pod.spec.containers) else "Failed"


def seconds_left(pod: Pod, now: datetime) -> float | None:
    """Time until activeDeadlineSeconds have passed since the Pod's start; None without such a deadline."""
    assert pod.spec is not None
    started = pod.status.startTime if pod.status else None
    if pod.spec.activeDeadlineSeconds is None or started is None:
        return None
    return max(0.0, pod.spec.activeDeadlineSeconds - (now - started).total_seconds())


def crashes_after(view: View, crashes: int) -> int:
    """Restarts in a row that count once this container is started again."""
    if view.exit is None:
        return crashes
    return 1 if _lasted(view) >= GOOD_RUN_SECONDS else crashes + 1


def _initialize(
    containers: Sequence[Container], policy: str, views: Mapping[str, View], crashes: Mapping[str, int], now: datetime
) -> Plan:
    current = next(container for container in containers if not _ended_well(views[container.name]))
    view = views[current.name]
    if view.exit and policy == "Never":
        return Plan(phase="Failed", reason="Error", message=f"The init container {current.name} failed")
    # An init container is tried until it ends well, also where restartPolicy is Always.
    return _run([current], "OnFailure", views, crashes, now)


def _run(
    containers: Sequence[Container], policy: str, views: Mapping[str, View], crashes: Mapping[str, int], now: datetime
) -> Plan:
    start, backing_off = [], {}
    for name in (container.name for container in containers):
        view = views[name]
        if view.running or (view.exit and not _is_restarted(policy, view.exit)):
            continue
        left = _back_off(view, crashes.get(name, 0), now)
        if left > 0:
            backing_off[name] = left
        else:
            start.append(name)
    return Plan(tuple(start), backing_off)


def _is_restarted(policy: str, end: Exit) -> bool:
    return policy == "Always" or (policy == "OnFailure" and end.exit_code != 0)


def _back_off(view: View, crashes: int, now: datetime) -> float:
    if view.exit is None or crashes == 0 or _lasted(view) >= GOOD_RUN_SECONDS:
        return 0.0
    return CRASHES.delay(crashes) - (now - moment(view.exit.finished_at)).total_seconds()


def _lasted(view: View) -> float:
    if view.start is None or view.exit is None:
        return 0.0
    return (moment(view.exit.finished_at) - moment(view.start.started_at)).total_seconds()


def moment(text: str) -> datetime:
    """A time that was written by records.timestamp."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _ended_well(view: View) -> bool:
    return view.exit is not None and view.exit.exit_code == 0
