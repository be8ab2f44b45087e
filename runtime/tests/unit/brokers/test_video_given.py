"""What a video broker makes of its environment: which camera, read how; and which frames of a fast one it takes."""

import logging
import re
import sys

import pytest
from edgelab.brokers.video.broker import given_source
from edgelab.brokers.video.http_source import HttpSource, Pace
from edgelab.brokers.video.options import Options, read_options
from edgelab.brokers.video.v4l2_source import V4l2Source
from edgelab.core.errors import LabError

URL = "http://10.89.0.1:4000/"


@pytest.mark.parametrize(
    ("environment", "options"),
    [
        ({}, Options()),
        ({"FRAMES_PER_SECOND": "", "FORMAT": ""}, Options()),
        ({"FRAMES_PER_SECOND": "30", "FORMAT": "YUYV"}, Options(30, None, "YUYV")),
        ({"RESOLUTION_WIDTH": "800", "RESOLUTION_HEIGHT": "600"}, Options(None, (800, 600))),
        ({"RESOLUTION_WIDTH": "800"}, Options()),
    ],
)
def test_options_are_those_of_akris_sample(environment: dict[str, str], options: Options) -> None:
    assert read_options({"PATH": "/bin", **environment}) == options


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        ("FRAMES_PER_SECOND", "fast", "a number from 1 to 240"),
        ("FRAMES_PER_SECOND", "0", "a number from 1 to 240"),
        ("FRAMES_PER_SECOND", "²", "a number from 1 to 240"),
        ("RESOLUTION_WIDTH", "-640", "a number from 1 to 8192"),
        ("RESOLUTION_HEIGHT", "99999", "a number from 1 to 8192"),
        ("FORMAT", "jpeg", None),
        ("FORMAT", "MJPEG", "the four letters"),
    ],
)
def test_options_that_cannot_be_are_named(name: str, text: str, wanted: str | None) -> None:
    if wanted is None:
        assert read_options({name: text}).code == text
        return
    with pytest.raises(LabError, match=re.escape(f"Read {name} from the environment. {text!r} is not {wanted}")):
        read_options({name: text})


@pytest.mark.parametrize("variable", ["AKRI_HTTP_DEVICE_ENDPOINT", "AKRI_HTTP_DEVICE_ENDPOINT_1A2B3C"])
def test_a_network_camera_is_found_by_its_property(variable: str) -> None:
    source = given_source({variable: URL}, Options())
    assert isinstance(source, HttpSource)
    assert source.name == URL


@pytest.mark.parametrize("variable", ["UDEV_DEVNODE", "UDEV_DEVNODE_1A2B3C", "UDEV_DEVNODE_0_1A2B3C"])
def test_a_camera_of_the_machine_is_found_by_its_property(variable: str) -> None:
    source = given_source({variable: "/dev/video10", "UDEV_DEVPATH_1A2B3C": "/devices/x"}, Options())
    assert isinstance(source, V4l2Source)
    assert source.name == "/dev/video10"


def test_a_broker_without_a_camera_says_what_it_looked_for() -> None:
    with pytest.raises(LabError, match="no UDEV_DEVNODE and no AKRI_HTTP_DEVICE_ENDPOINT"):
        given_source({"UDEV_DEVPATH_1A2B3C": "/devices/x"}, Options())


def test_what_is_no_url_is_refused() -> None:
    with pytest.raises(LabError, match="no URL"):
        given_source({"AKRI_HTTP_DEVICE_ENDPOINT": "rtsp://camera/"}, Options())


def test_an_image_without_linuxpy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "edgelab.brokers.video.v4l2_device", raising=False)
    monkeypatch.setitem(sys.modules, "linuxpy.video.device", None)
    with pytest.raises(LabError, match=r"no module linuxpy\.video\.device here\. Run .* image edgelab-video"):
        given_source({"UDEV_DEVNODE": "/dev/video10"}, Options())


def test_options_that_a_network_camera_cannot_have_are_told(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    given_source({"AKRI_HTTP_DEVICE_ENDPOINT": URL}, Options(5, (800, 600)))
    assert "size and format of a network camera are its own" in caplog.text


def taken(pace: Pace, per_second: float, seconds: float = 20.0) -> list[float]:
    times = [number / per_second for number in range(int(per_second * seconds))]
    return [at for at in times if pace.takes(at)]


@pytest.mark.parametrize(
    ("camera", "wanted", "expected"), [(10, None, 10), (10, 10, 10), (5, 10, 5), (30, 10, 10), (25, 10, 10), (10, 1, 1)]
)
def test_no_more_frames_are_taken_than_wanted(camera: int, wanted: int | None, expected: int) -> None:
    assert len(taken(Pace(wanted), camera)) == pytest.approx(expected * 20, abs=2)


def test_frames_of_a_camera_that_is_not_regular_are_all_taken() -> None:
    pace = Pace(10)
    assert all(pace.takes(number / 10 + (0.015 if number % 2 else 0)) for number in range(100))


def test_after_a_gap_no_burst_is_taken() -> None:
    pace = Pace(10)
    assert pace.takes(0)
    assert pace.takes(60)
    assert [pace.takes(60 + number / 1000) for number in range(1, 50)].count(True) == 0
