"""Units of virtual cameras, what is done about those that differ, and pictures in frames."""

import os
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _cameras as cameras
from ansible_collections.edgelab.akri.plugins.module_utils import _cameras_model as model
from ansible_collections.edgelab.akri.plugins.module_utils import _frames as frames
from ansible_collections.edgelab.akri.plugins.module_utils._host import HostError

A, B = "edgelab-camera-video10.service", "edgelab-camera-video11.service"
RUNS = model.Found(active=True, enabled=True)
FIRST, SECOND = b"\xff\xd8first\xff\xd9", b"\xff\xd8second\xff\xd9"


def test_a_unit_streams_one_pattern_into_one_device() -> None:
    text = model.unit(model.Camera("/dev/video10", "ball"), model.Picture(320, 240, 5))
    assert (
        "ExecStart=/usr/bin/gst-launch-1.0 --quiet videotestsrc is-live=true pattern=ball ! "
        "video/x-raw,width=320,height=240,framerate=5/1 ! avenc_mjpeg ! v4l2sink device=/dev/video10\n"
    ) in text
    assert "DeviceAllow=/dev/video10 rw\n" in text


@pytest.mark.parametrize(
    ("wanted", "changed", "found", "plan"),
    [
        ([A, B], [], {A: RUNS, B: RUNS}, model.Plan((), (), ())),
        ([A, B], [A, B], {}, model.Plan((), (A, B), (A, B))),
        ([A], [A], {A: RUNS}, model.Plan((), (), (A,))),
        ([A], [], {A: model.Found(active=False, enabled=True)}, model.Plan((), (), (A,))),
        ([A], [], {A: model.Found(active=True, enabled=False)}, model.Plan((), (A,), ())),
        ([A], [B], {A: RUNS, B: RUNS}, model.Plan((B,), (), ())),
        ([], [A], {A: RUNS}, model.Plan((A,), (), (), last=True)),
        ([], [], {}, model.Plan((), (), ())),
    ],
    ids=["as wanted", "new", "changed", "stopped", "not enabled", "one not wanted", "none wanted", "none at all"],
)
def test_what_is_done(wanted: list[str], changed: list[str], found: dict[str, model.Found], plan: model.Plan) -> None:
    assert model.plan(wanted, changed, found) == plan


def test_what_systemd_says_is_read() -> None:
    shown = "ActiveState=active\nUnitFileState=enabled\n\nActiveState=failed\nUnitFileState=disabled\n"
    assert cameras.states(shown) == [RUNS, model.Found(active=False, enabled=False)]


@pytest.mark.parametrize("device", ["/dev/sda", "/dev/video10 ! filesink location=/etc/passwd", "video10"])
def test_what_is_no_video_device_is_refused(device: str) -> None:
    with pytest.raises(HostError, match="Not a video device"):
        model.cameras([{"device": device, "pattern": "ball"}])


def test_two_cameras_on_one_device_are_refused() -> None:
    with pytest.raises(HostError, match="same device"):
        model.cameras([{"device": "/dev/video1", "pattern": "ball"}, {"device": "/dev/video1", "pattern": "snow"}])


@pytest.mark.parametrize(
    ("data", "picture"),
    [(FIRST, FIRST), (FIRST + b"what was there before\xff\xd9", FIRST), (b"\xff\xd8cut off", b""), (b"", b"")],
)
def test_the_picture_of_a_frame(data: bytes, picture: bytes) -> None:
    assert frames.jpeg(data) == picture


@pytest.mark.parametrize(
    ("stream", "moving", "told"),
    [
        ([FIRST, SECOND], True, ""),
        ([FIRST, FIRST], False, ""),
        ([FIRST, FIRST], True, "all pictures that came were the same"),
        ([b"raw video", b"raw video"], True, "9 bytes came that are no JPEG picture"),
    ],
    ids=["moving", "still", "a moving picture that stands still", "another format"],
)
def test_what_is_seen_of_a_stream(stream: list[bytes], moving: bool, told: str) -> None:
    left, clock = iter(stream), iter((0.0, 1.0, 2.0, 3.0))
    said = frames.see(
        Path("/dev/video10"),
        seconds=3,
        moving=moving,
        clock=lambda: next(clock),
        sleep=lambda seconds: None,
        frame=lambda path: next(left),
    )
    assert said == told


def test_a_device_without_a_stream_is_told_as_the_system_does(tmp_path: Path) -> None:
    clock = iter((0.0, 1.0, 2.0))
    paused: list[float] = []
    said = frames.see(tmp_path / "video10", seconds=2, moving=True, clock=lambda: next(clock), sleep=paused.append)
    assert (said, len(paused)) == ("No such file or directory", 1)


def test_a_frame_is_what_one_read_gives(tmp_path: Path) -> None:
    device = tmp_path / "video10"
    os.mkfifo(device)
    reader = os.open(device, os.O_RDONLY | os.O_NONBLOCK)
    writer = os.open(device, os.O_WRONLY)
    os.write(writer, FIRST)
    assert frames.read_frame(device) == FIRST
    os.close(writer)
    os.close(reader)
