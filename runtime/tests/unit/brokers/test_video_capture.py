"""Reading a camera without end: its newest frame, what is wrong with it, and how often it is tried."""

import asyncio
import logging
from collections.abc import AsyncGenerator, Sequence

import pytest
from edgelab.brokers.video.capture import RETRY, CameraError, Capture, Newest, Shot

Act = bytes | Exception | None


class Reel:
    """A camera that does one list of things at each opening; None, and no list, is to wait for ever."""

    name = "a camera"

    def __init__(self, *openings: Sequence[Act]) -> None:
        self._openings = list(openings)
        self.closed = 0

    async def frames(self) -> AsyncGenerator[bytes]:
        try:
            for act in self._openings.pop(0) if self._openings else [None]:
                if act is None:
                    await asyncio.Event().wait()
                elif isinstance(act, Exception):
                    raise act
                else:
                    yield act
        finally:
            self.closed += 1


class Sleeper:
    """Remembers how long it was asked to sleep, and what was to be seen by then."""

    def __init__(self, pauses: int) -> None:
        self._pauses = pauses
        self.enough = asyncio.Event()
        self.delays: list[float] = []
        self.shots: list[Shot] = []
        self.capture: Capture

    async def __call__(self, seconds: float) -> None:
        self.delays.append(seconds)
        self.shots.append(self.capture.newest.shot)
        if len(self.delays) == self._pauses:
            self.enough.set()
            await asyncio.Event().wait()


async def played(reel: Reel, pauses: int, *, patience: float = 60.0) -> Sleeper:
    """Let a capture run until its camera was lost that many times."""
    sleeper = Sleeper(pauses)
    sleeper.capture = Capture(reel, clock=lambda: 1000.5, sleep=sleeper, patience=patience)
    running = asyncio.create_task(sleeper.capture.run())
    async with asyncio.timeout(20):
        await sleeper.enough.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    return sleeper


async def test_frames_have_numbers_and_times() -> None:
    capture = Capture(Reel([b"one", b"two", None]), clock=lambda: 1000.5)
    before = capture.newest.shot
    assert before == Shot(0, b"", 0.0, "no frame has come yet")
    running = asyncio.create_task(capture.run())
    assert await capture.newest.after(before) == Shot(2, b"two", 1000.5, "")
    running.cancel()


async def test_a_camera_that_ends_leaves_no_frame_but_its_number_and_the_reason() -> None:
    sleeper = await played(Reel([b"one", b"two"]), 1)
    assert sleeper.shots == [Shot(2, b"", 1000.5, "the camera ended its stream")]


async def test_frames_are_counted_on_over_the_gap() -> None:
    reel = Reel([b"one", CameraError("gone")], [b"two"])
    sleeper = await played(reel, 2)
    assert [(shot.sequence, shot.problem) for shot in sleeper.shots] == [
        (1, "gone"),
        (2, "the camera ended its stream"),
    ]
    assert reel.closed >= 2


async def test_pauses_grow_up_to_a_ceiling_and_begin_anew_after_a_frame() -> None:
    gone: list[Sequence[Act]] = [[CameraError("gone")]] * 8
    sleeper = await played(Reel(*gone, [b"one", CameraError("gone")], *gone), 10)
    growing = [RETRY.delay(number) for number in range(1, 9)]
    assert sleeper.delays[:8] == growing
    assert max(growing) == growing[-1] == RETRY.ceiling
    assert sleeper.delays[8:10] == growing[:1] + growing[1:2]


async def test_what_is_wrong_is_said_when_it_changes(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    gone, refused = CameraError("gone"), CameraError("refused")
    await played(Reel([b"one", gone], [gone], [refused], [refused], [b"two", gone]), 5)
    assert [record.getMessage() for record in caplog.records] == [
        "a camera gives frames",
        "a camera: gone; it is tried until it gives frames",
        "a camera: refused; it is tried until it gives frames",
        "a camera gives frames",
        "a camera: gone; it is tried until it gives frames",
    ]


async def test_a_camera_that_falls_silent_is_opened_again() -> None:
    reel = Reel()
    sleeper = await played(reel, 1, patience=0.01)
    assert sleeper.shots[0].problem == "no frame within 0.01 s"
    assert reel.closed >= 1


async def test_readers_get_the_newest_and_miss_what_they_were_too_slow_for() -> None:
    newest = Newest()
    first = await newest.after(None)
    waiting = [asyncio.create_task(newest.after(first)) for _turn in range(3)]
    await asyncio.sleep(0)
    newest.replace(Shot(1, b"one", 1.0, ""))
    newest.replace(Shot(2, b"two", 2.0, ""))
    assert [shot.sequence for shot in await asyncio.gather(*waiting)] == [2, 2, 2]
    assert (await newest.after(first)).sequence == 2
