"""The page of cameras with real cameras, brokers and sockets, in an API server's stand-in."""

import asyncio
from pathlib import Path

import pytest
from camerakit import Cameras, VideoPage, cameras_of, is_, looking, says, some, video_page
from edgelab.lab.cameras.stamp import read_stamp
from standins.api_server import FakeApi
from standins.camera_lab import camera, discover, lose, name


async def test_cameras_are_read_while_somebody_looks_and_by_one_reader(cameras: Cameras, video: VideoPage) -> None:
    first, second = cameras.names
    await video.until(lambda page: {row["state"] for row in page.rows.values()} == {"idle"} and len(page.rows) == 2)
    assert video.rows[first]["node"] == "krustlet-wasi"
    assert video.rows[first]["broker"].endswith("Running")
    async with looking(video, ""), looking(video, first), looking(video, first):
        await video.until(lambda page: is_(first, state="live", viewers=3)(page) and is_(second, state="live")(page))
        assert video.rows[first]["clock"] == "broker"
        await video.until(lambda page: bool(page.rows[first]["rate"]))
        assert len(video.wall._readers) == 2
    await video.until(lambda page: {row["state"] for row in page.rows.values()} == {"idle"})
    assert video.wall._readers == {}


async def test_frames_are_passed_on_as_the_camera_made_them(cameras: Cameras, video: VideoPage) -> None:
    await video.until(lambda page: len(page.rows) == 2)
    one, other = await asyncio.gather(*(some(video, name, 5) for name in cameras.names))
    for frames in (one, other):
        stamps = [read_stamp(frame) for frame in frames]
        assert stamps == sorted(set(stamps))
        assert None not in stamps
    assert not set(one) & set(other)


async def test_the_stream_of_all_cameras_names_each_and_its_time(cameras: Cameras, video: VideoPage) -> None:
    await video.until(lambda page: len(page.rows) == 2)
    seen: set[str] = set()
    stamps: list[float] = []
    async with asyncio.timeout(20), video.client.get(f"{video.base}/cameras/stream") as answer:
        async for line in answer.content:
            key, _colon, value = line.partition(b": ")
            if key == b"Content-Location":
                seen.add(value.decode().strip())
            if key == b"X-Timestamp":
                stamps.append(float(value))
            if len(seen) == 2 and len(stamps) > 6:
                break
    assert seen == {f"/cameras/{name}/frame.jpg" for name in cameras.names}
    assert stamps == pytest.approx([stamps[0]] * len(stamps), abs=10)


async def test_two_viewers_of_a_camera_see_the_same_frames(cameras: Cameras, video: VideoPage) -> None:
    await video.until(lambda page: len(page.rows) == 2)
    first = cameras.names[0]
    async with looking(video, first):
        one, other = await asyncio.gather(some(video, first, 8), some(video, first, 8))
    assert set(one) & set(other)
    assert cameras.viewers() == 1


async def test_a_frame_alone_is_the_newest(cameras: Cameras, video: VideoPage) -> None:
    await video.until(lambda page: len(page.rows) == 2)
    url = f"{video.base}/cameras/{cameras.names[0]}/frame.jpg"
    made = []
    for _turn in range(2):
        async with video.client.get(url) as answer:
            assert (answer.status, answer.content_type) == (200, "image/jpeg")
            assert answer.headers["Cache-Control"] == "no-store"
            made.append(read_stamp(await answer.read()))
            assert made[-1] is not None
            assert made[-1] <= float(answer.headers["X-Timestamp"])
    assert made == sorted(made)


async def test_a_camera_unplugged_mid_stream_says_so_keeps_its_picture_and_comes_back(
    cameras: Cameras, video: VideoPage
) -> None:
    first, second = cameras.names
    async with looking(video, ""):
        await video.until(is_(first, state="live"))
        await cameras.set(1, plugged=False)
        await video.until(lambda page: is_(first, state="stale")(page) and is_(second, state="live")(page))
        assert video.rows[first]["said"].startswith("No frame for ")
        assert video.rows[first]["frames"] > 0
        last = await some(video, first, 1)
        assert read_stamp(last[0]) is not None
        await cameras.set(1, plugged=True)
        await video.until(is_(first, state="live"))
        assert (await some(video, first, 3))[-1] != last[0]


async def test_a_camera_whose_instance_goes_stays_greyed_and_lives_again(
    api: FakeApi, cameras: Cameras, video: VideoPage
) -> None:
    first, url = cameras.names[0], cameras.urls[0]
    async with looking(video, ""):
        await video.until(is_(first, state="live"))
        lose(api, url)
        await video.until(says(first, ": its Instance is gone"))
        assert await some(video, first, 1)
        await cameras.kill_broker(1)
        await cameras.start_broker(1)
        await video.until(is_(first, state="live"))


async def test_new_cameras_appear_and_those_never_seen_go(api: FakeApi, video: VideoPage) -> None:
    url = "http://127.0.0.1:4001/"
    discover(api, url, 1)
    other = camera("http://127.0.0.1:4002/")
    other["spec"]["configurationName"] = "akri-other"
    api.put("instances", other)
    await video.until(lambda page: list(page.rows) == [name(url)])
    lose(api, url)
    await video.until(lambda page: page.rows == {})


async def test_a_killed_broker_is_told_and_the_next_is_read(cameras: Cameras, video: VideoPage) -> None:
    first, second = cameras.names
    async with looking(video, ""):
        await video.until(is_(first, state="live"))
        await cameras.kill_broker(1)
        await video.until(says(first, "its broker cannot be read: connection refused"))
        await video.until(is_(second, state="live"))
        await cameras.start_broker(1)
        await video.until(is_(first, state="live"))


async def test_an_api_server_that_is_away_takes_no_pictures_away(
    api: FakeApi, cameras: Cameras, video: VideoPage
) -> None:
    first = cameras.names[0]
    async with looking(video, ""):
        await video.until(is_(first, state="live"))
        await api.away()
        await video.until(lambda page: page.head["api"].startswith("ConnectError: "))
        before = video.rows[first]["frames"]
        await video.until(lambda page: is_(first, state="live")(page) and page.rows[first]["frames"] > before)
        await api.back()
        await video.until(lambda page: page.head["api"] == "")


async def test_sixteen_cameras_in_one_stream(api: FakeApi, tmp_path: Path) -> None:
    async with cameras_of(api, tmp_path, 16, fps=2) as cameras, video_page(api, tmp_path) as page, looking(page, ""):
        await page.until(lambda page: [row["state"] for row in page.rows.values()] == ["live"] * 16)
        assert sorted(cameras.names) == list(page.rows)


async def test_numbers(cameras: Cameras, video: VideoPage) -> None:
    first = cameras.names[0]
    await video.until(lambda page: len(page.rows) == 2)
    async with looking(video, first):
        await video.until(lambda page: bool(is_(first, state="live")(page) and page.rows[first]["rate"]))
        async with video.client.get(f"{video.base}/metrics") as answer:
            told = dict(line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if line[0] != "#")
    assert told['edgelab_page_cameras{state="live"}'] == "1"
    assert float(told[f'edgelab_page_camera_frames_total{{instance="{first}"}}']) > 0
    assert float(told[f'edgelab_page_camera_frame_age_seconds{{instance="{first}"}}']) > 0
    assert told[f'edgelab_page_camera_viewers{{instance="{first}"}}'] == "1"
