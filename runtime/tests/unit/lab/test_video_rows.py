"""What Instances, brokers, Services and frames come to on the page of cameras, and in numbers."""

from dataclasses import replace

import pytest
from edgelab.controller.model import Broker
from edgelab.lab.page.live import View
from edgelab.lab.page.video.record import Record
from edgelab.lab.page.video.rows import Camera, Row, row
from edgelab.lab.page.video.told import Told
from edgelab.lab.page.video.view import Head, metrics

NAME = "akri-video-1a2b3c"
JPEG = b"\xff\xd8 a picture \xff\xd9"
NOW = 1000.0


def broker(phase: str = "Running", node: str = "edge", **meta: object) -> Broker:
    labels = {"akri.sh/instance": NAME, "akri.sh/target-node": node}
    return Broker.read(
        {
            "metadata": {"name": f"{node}-pod", "namespace": "default", "uid": node, "labels": labels, **meta},
            "status": {"phase": phase},
        }
    )


def record(*frames: float, since: float | None = NOW - 60, problem: str = "", clock: float | None = 0.0) -> Record:
    """A camera with frames at these times, which is read since then, and has this problem now."""
    made = Record()
    if since is not None:
        made.begin(since)
    for number, at in enumerate(frames, 1):
        made.take(Told(JPEG, None if clock is None else at - clock, number), at)
    made.problem = problem
    return made


FRAMES = (NOW - 0.3, NOW - 0.2, NOW - 0.1)
CAMERA = Camera(NAME, ["edge"], [broker()], record(*FRAMES, clock=0.01), viewers=2)


def test_a_row_tells_all_there_is_to_know_of_a_camera() -> None:
    assert row(CAMERA, NOW) == Row(
        id=NAME,
        node="edge",
        broker="edge-pod Running",
        state="live",
        said="Live",
        frames=3,
        viewers=2,
        rate=10.0,
        at=NOW - 0.11,
        clock="broker",
    )


@pytest.mark.parametrize(
    ("camera", "state", "said"),
    [
        (replace(CAMERA, record=record(NOW - 2.9)), "live", "Live"),
        (replace(CAMERA, record=record(NOW - 3.1)), "stale", "No frame for 3 s: its broker sends none"),
        (replace(CAMERA, record=record(NOW - 1, problem="status 503")), "stale", "No frame for 1 s: status 503"),
        (replace(CAMERA, record=record(NOW - 150, problem="gone")), "stale", "No frame for 2 min: gone"),
        (replace(CAMERA, record=record(NOW - 9000, problem="gone")), "stale", "No frame for 2 h: gone"),
        (replace(CAMERA, found=False), "stale", "No frame for 0 s: its Instance is gone"),
        (replace(CAMERA, brokers=[]), "stale", "No frame for 0 s: its broker is gone"),
        (replace(CAMERA, brokers=[broker("Failed")]), "stale", "No frame for 0 s: its broker is gone"),
        (replace(CAMERA, brokers=[broker("Pending")]), "stale", "No frame for 0 s: its broker is Pending"),
        (replace(CAMERA, served=False), "stale", "No frame for 0 s: its broker has no Service"),
        (replace(CAMERA, record=record(NOW - 60, since=NOW - 1)), "waiting", "Waiting for a frame"),
        (replace(CAMERA, record=record(since=NOW - 1)), "waiting", "Waiting for a frame"),
        (replace(CAMERA, record=record()), "waiting", "No frame yet: its broker sends none"),
        (replace(CAMERA, record=record(problem="refused")), "waiting", "No frame yet: refused"),
        (replace(CAMERA, brokers=[], record=record()), "waiting", "No frame yet: it has no broker"),
        (replace(CAMERA, record=record(*FRAMES, since=None)), "idle", "Not read: nobody looks"),
        (replace(CAMERA, record=record(since=None)), "idle", "Not read: nobody looks"),
    ],
)
def test_a_camera_says_whether_it_lives_and_if_not_why(camera: Camera, state: str, said: str) -> None:
    shown = row(camera, NOW)
    assert (shown.state, shown.said) == (state, said)
    assert (shown.rate is not None) <= (state == "live")


def test_the_time_of_the_last_frame_stays_and_says_whose_it_is() -> None:
    shown = row(replace(CAMERA, record=record(NOW - 60, clock=None), found=False), NOW)
    assert (shown.at, shown.clock) == (NOW - 60, "arrival")


def test_a_camera_is_on_the_nodes_of_its_brokers_or_else_where_it_was_seen() -> None:
    both = [broker(node="b"), broker(node="a"), broker(node="c", deletionTimestamp="2026-11-21T09:01:31Z")]
    assert row(replace(CAMERA, brokers=both), NOW).node == "a, b"
    assert row(replace(CAMERA, brokers=[], nodes=["x", "y"]), NOW).node == "x, y"


def test_numbers_for_prometheus() -> None:
    second = replace(CAMERA, name="akri-video-000000", record=record(), viewers=1)
    view = View(Head(("akri-video",), "default", api="away"), (row(CAMERA, NOW), row(second, NOW)))
    lines = metrics(view, 2, NOW + 1).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'edgelab_page_cameras{state="live"} 1',
        'edgelab_page_cameras{state="stale"} 0',
        'edgelab_page_cameras{state="waiting"} 1',
        'edgelab_page_cameras{state="idle"} 0',
        f'edgelab_page_camera_frames_total{{instance="{NAME}"}} 3',
        'edgelab_page_camera_frames_total{instance="akri-video-000000"} 0',
        f'edgelab_page_camera_frames_per_second{{instance="{NAME}"}} 10.0',
        f'edgelab_page_camera_frame_age_seconds{{instance="{NAME}"}} 1.11',
        f'edgelab_page_camera_viewers{{instance="{NAME}"}} 2',
        'edgelab_page_camera_viewers{instance="akri-video-000000"} 1',
        "edgelab_page_readers 2",
        "edgelab_page_api_server_up 0",
    ]
    assert "# TYPE edgelab_page_camera_frames_total counter" in lines
