"""What brokers of cameras tell: which messages are pictures, whose time they have, how many come."""

import pytest
from edgelab.lab.page.video.record import RATE_SECONDS, Record
from edgelab.lab.page.video.told import Told, judge
from edgelab.lab.page.video.viewers import MOST_VIEWERS, FullError, Viewers
from edgelab.service.multipart import LARGEST_FRAME
from edgelab.wire.camera_pb2 import NotifyResponse

JPEG = b"\xff\xd8 a picture \xff\xd9"


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (NotifyResponse(frame=JPEG, camera="c"), Told(JPEG)),
        (NotifyResponse(frame=JPEG, received_microseconds=5_500_000, sequence=7), Told(JPEG, 5.5, 7)),
        (NotifyResponse(frame=JPEG + bytes(100)), Told(JPEG + bytes(100))),
        (NotifyResponse(frame=JPEG, received_microseconds=-1), Told(JPEG)),
        (NotifyResponse(camera="c"), Told(problem="its broker has no frame")),
        (NotifyResponse(problem="status\n 503"), Told(problem="its camera: status 503")),
        (NotifyResponse(problem="x" * 999), Told(problem="its camera: " + "x" * 200)),
        (NotifyResponse(frame=b"<html>"), Told(problem="a frame is no whole JPEG: b'<html>'...")),
        (NotifyResponse(frame=JPEG[:-1]), Told(problem="a frame is no whole JPEG: b'\\xff\\xd8 a pic'...")),
        (
            NotifyResponse(frame=b"\xff\xd8" + bytes(LARGEST_FRAME) + b"\xff\xd9"),
            Told(problem="a frame has 4000004 bytes, more than 4000000"),
        ),
    ],
)
def test_a_message_is_a_picture_or_the_reason_why_there_is_none(message: NotifyResponse, expected: Told) -> None:
    assert judge(message) == expected


@pytest.mark.parametrize(
    ("stamp", "at", "clock"),
    [(99.9, 99.9, "broker"), (100.5, 100.5, "broker"), (None, 100.0, "arrival"), (105.0, 100.0, "arrival")],
)
def test_a_frames_time_is_its_brokers_unless_that_cannot_be(stamp: float | None, at: float, clock: str) -> None:
    record = Record()
    record.take(Told(JPEG, stamp, 1), 100.0)
    assert record.frame
    assert (record.frame.at, record.frame.clock, record.frame.arrived) == (at, clock, 100.0)


def test_the_frame_that_a_broker_has_is_taken_once_however_often_it_is_told() -> None:
    record = Record()
    assert record.take(Told(JPEG, 1.0, 7), 1.0)
    assert not record.take(Told(JPEG, 1.0, 7), 2.0)
    assert record.take(Told(JPEG, 2.0, 8), 2.0)
    # Another broker counts anew; one like Akri's does not count at all.
    assert record.take(Told(JPEG, 3.0, 7), 3.0)
    assert record.take(Told(JPEG), 3.0)
    assert record.take(Told(JPEG), 3.0)
    assert record.frames == 5


def test_the_last_picture_stays_when_there_is_a_problem_which_ends_with_the_next() -> None:
    record = Record()
    record.take(Told(JPEG, 1.0, 1), 1.0)
    assert not record.take(Told(problem="unplugged"), 2.0)
    assert (record.problem, record.frame and record.frame.jpeg) == ("unplugged", JPEG)
    record.take(Told(JPEG, 3.0, 2), 3.0)
    assert (record.problem, record.frames) == ("", 2)


def test_the_rate_is_that_of_the_last_seconds() -> None:
    record = Record()
    record.begin(0.0)
    assert record.rate(0.0) is None
    for tick in range(100):
        record.take(Told(JPEG, sequence=tick + 1), tick / 10)
    assert record.rate(9.9) == 10.0
    assert record.rate(9.9 + RATE_SECONDS) is None
    for tick in range(10):
        record.take(Told(JPEG, sequence=tick + 101), 20 + tick)
    assert record.rate(29.0) == 1.0
    record.begin(30.0)
    assert record.rate(30.0) is None


def test_a_viewer_gets_the_newest_of_each_camera_and_none_twice() -> None:
    records = {"a": Record(), "b": Record()}
    viewers = Viewers(records, lambda: None)
    with viewers.looking(None) as everyone, viewers.looking("b") as one:
        assert (viewers.of("a"), viewers.of("b")) == (1, 2)
        for tick in range(1, 1000):
            records["a"].take(Told(JPEG, sequence=tick), tick)
        records["b"].take(Told(JPEG, sequence=1), 1.0)
        assert [(name, frame.number) for name, frame in everyone.fresh()] == [("a", 999), ("b", 1)]
        assert list(everyone.fresh()) == []
        assert [name for name, _frame in one.fresh()] == ["b"]
        records["b"].take(Told(JPEG, sequence=2), 2.0)
        assert [(name, frame.number) for name, frame in everyone.fresh()] == [("b", 2)]
    assert viewers.of("b") == 0


def test_a_camera_that_goes_while_a_viewer_is_served_is_left_out() -> None:
    records = {"a": Record(), "b": Record()}
    for record in records.values():
        record.take(Told(JPEG), 1.0)
    with Viewers(records, lambda: None).looking(None) as viewer:
        fresh = viewer.fresh()
        assert next(fresh)[0] == "a"
        del records["b"]
        assert list(fresh) == []


def test_viewers_are_limited_and_each_change_is_told() -> None:
    changes: list[int] = []
    viewers = Viewers({}, lambda: changes.append(viewers.of("a")))
    looking = [viewers.looking("a") for _turn in range(MOST_VIEWERS)]
    for one in looking:
        one.__enter__()
    with pytest.raises(FullError):
        viewers.looking("a").__enter__()
    looking[0].__exit__(None, None, None)
    assert changes == [*range(1, MOST_VIEWERS + 1), MOST_VIEWERS - 1]
