"""What the page of cameras shows beside them, and the numbers for Prometheus."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import get_args

from edgelab.lab.page.live import View, metric
from edgelab.lab.page.video.rows import Row, State


@dataclass(frozen=True, slots=True)
class Head:
    """What concerns all cameras; api and limit say in words what is amiss, and are empty otherwise."""

    configurations: tuple[str, ...]
    namespace: str
    api: str = ""
    limit: str = ""


def metrics(view: View[Head, Row], readers: int, now: float) -> str:
    """The view in numbers, in Prometheus' text format."""
    states = Counter(row.state for row in view.rows)

    def of_each(value: Callable[[Row], float | None]) -> dict[str, float]:
        values = ((row.id, value(row)) for row in view.rows)
        return {f'instance="{name}"': one for name, one in values if one is not None}

    frames = of_each(lambda row: row.frames)
    ages = of_each(lambda row: None if row.at is None else round(now - row.at, 3))
    return "".join(
        (
            metric(
                "cameras", "Cameras on the page by state.", {f'state="{one}"': states[one] for one in get_args(State)}
            ),
            metric("camera_frames_total", "Frames that came from a camera's broker.", frames, "counter"),
            metric("camera_frames_per_second", "Frames a second of late.", of_each(lambda row: row.rate)),
            metric("camera_frame_age_seconds", "Age of a camera's last frame.", ages),
            metric("camera_viewers", "Who looks at a camera.", of_each(lambda row: row.viewers)),
            metric("readers", "Open pages.", {"": readers}),
            metric("api_server_up", "Whether the API server can be followed.", {"": int(not view.head.api)}),
        )
    )
