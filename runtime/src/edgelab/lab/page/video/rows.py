"""The cameras on the page: what Instances, brokers, Services and frames come to. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from edgelab.controller.model import Broker
from edgelab.lab.page.video.record import Clock, Record

PATIENCE_SECONDS = 3.0
"""A camera that gives no frame for so long does not live."""

State = Literal["live", "stale", "waiting", "idle"]


@dataclass(frozen=True, slots=True)
class Camera:
    """All that is known of a camera. found: its Instance is there; served: its brokers have a Service."""

    name: str
    nodes: Sequence[str]
    brokers: Sequence[Broker]
    record: Record
    viewers: int = 0
    found: bool = True
    served: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """A camera as the page shows it; id: its Instance, said: the state in words.

    rate: frames a second; at: when its last frame was, in seconds since 1970 by `clock`; both None where unknown.
    """

    id: str
    node: str
    broker: str
    state: State
    said: str
    frames: int
    viewers: int
    rate: float | None = None
    at: float | None = None
    clock: Clock | None = None


def row(camera: Camera, now: float) -> Row:
    """One camera at a moment."""
    frame = camera.record.frame
    state, said = _state(camera, now)
    active = sorted((one for one in camera.brokers if one.active), key=lambda one: one.name)
    return Row(
        id=camera.name,
        node=", ".join(sorted({one.node for one in active}) or camera.nodes),
        broker=", ".join(f"{one.name} {one.phase}" for one in active),
        state=state,
        said=said,
        frames=camera.record.frames,
        viewers=camera.viewers,
        rate=camera.record.rate(now) if state == "live" else None,
        at=frame.at if frame else None,
        clock=frame.clock if frame else None,
    )


def _state(camera: Camera, now: float) -> tuple[State, str]:
    record, why = camera.record, _lacking(camera)
    frame, since = record.frame, record.since
    if not why and since is None:
        return "idle", "Not read: nobody looks"
    if not why and since is not None:
        if frame and not record.problem and now - frame.arrived < PATIENCE_SECONDS:
            return "live", "Live"
        if not record.problem and now - since < PATIENCE_SECONDS:
            return "waiting", "Waiting for a frame"
        why = record.problem or "its broker sends none"
    if frame:
        return "stale", f"No frame for {_words(now - frame.arrived)}: {why}"
    return "waiting", f"No frame yet: {why}"


def _lacking(camera: Camera) -> str:
    """What keeps its broker from being read; empty when nothing does."""
    active = [one for one in camera.brokers if one.active]
    if not camera.found:
        return "its Instance is gone"
    if not active:
        return "its broker is gone" if camera.record.frame else "it has no broker"
    if not any(one.running for one in active):
        return f"its broker is {active[0].phase}"
    return "" if camera.served else "its broker has no Service"


def _words(seconds: float) -> str:
    whole = max(0, round(seconds))
    if whole < 120:
        return f"{whole} s"
    return f"{round(whole / 60)} min" if whole < 7200 else f"{round(whole / 3600)} h"
