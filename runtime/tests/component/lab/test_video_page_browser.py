"""The page of cameras in a browser: real cameras, brokers and page server, in an API server's stand-in."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from browser import Driver, all_of, chromium, errors_of, lacking, looks_dark, one_of, prefer, resize, unreadable
from edgelab.lab.cameras.film import film
from edgelab.lab.cameras.stamp import read_stamp
from edgelab.service.status import ask
from httppage import announced, troubles
from labkit import eventually
from processes import running
from selenium.webdriver.common.keys import Keys
from standins.api_server import FakeApi, write_kubeconfig
from standins.camera_lab import CONFIGURATION, discover, lose, name
from standins.in_thread import InThread
from videopage import cameras, difference, live, picture, some_pictures, until

SIZE = (320, 240)


class Lab(InThread):
    """The API server's stand-in, in a thread, and brokers, each a process."""

    def __init__(self) -> None:
        super().__init__()
        self.api = FakeApi()
        self._brokers: dict[str, subprocess.Popen[str]] = {}

    def __enter__(self) -> "Lab":
        super().__enter__()
        self.do(self.api.back())
        return self

    def __exit__(self, *_: object) -> None:
        for url in list(self._brokers):
            self.kill_broker(url)
        self.do(self.api.away())
        super().__exit__()

    def start_broker(self, url: str) -> None:
        """Run the broker of a camera, and tell the API server of both."""
        environment = {**os.environ, "AKRI_HTTP_DEVICE_ENDPOINT_1A2B3C": url}
        command = [sys.executable, "-m", "edgelab", "broker", "video", "--listen", "127.0.0.1", "--grpc", "0"]
        process = subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)
        assert process.stderr
        serving = next(filter(None, (re.search(r"on port (\d+)", line) for line in process.stderr)))
        self._brokers[url] = process
        self.discover(url, int(serving[1]))

    def kill_broker(self, url: str) -> None:
        process = self._brokers.pop(url)
        process.kill()
        process.communicate()

    def discover(self, url: str, port: int) -> None:
        self.do(_call(discover, self.api, url, port))

    def lose(self, url: str) -> None:
        self.do(_call(lose, self.api, url))


async def _call(change: Callable[..., None], *values: Any) -> None:
    change(*values)


@dataclass
class Scene:
    """Everything that runs."""

    directory: Path
    lab: Lab
    urls: list[str]
    page: str = ""
    names: list[str] = field(default_factory=list)

    def set(self, number: int, *changes: str) -> None:
        words = ["devices", "set", str(number), *changes, "--run", str(self.directory), "--name", "cameras"]
        subprocess.run([sys.executable, "-m", "edgelab", *words], check=True, capture_output=True)

    def viewers(self, number: int) -> int:
        """How many look at a camera itself: no more than its broker, and that whether anybody looks or not."""
        return int(ask(self.directory / "cameras.sock")["devices"][number - 1]["viewers"])


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if reason := lacking():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("video")
    words = ["--state", str(directory / "c.json"), "--discovery-port", "0", "--count", "2", "--size", "320x240"]
    with ExitStack() as stack:
        told = stack.enter_context(running(directory, "cameras", "devices", "cameras", *words))
        lab = stack.enter_context(Lab())
        made = Scene(directory, lab, [str(one["url"]) for one in told["devices"]])
        made.names = [name(url) for url in made.urls]
        for url in made.urls:
            lab.start_broker(url)
        kubeconfig = write_kubeconfig(directory / "kubeconfig", lab.api.port)
        page = ["page", "video", "--kubeconfig", str(kubeconfig), "--configuration", CONFIGURATION]
        made.page = stack.enter_context(running(directory, "page", *page, "--listen", "127.0.0.1:0"))["url"]
        yield made


@pytest.fixture(scope="module")
def browser(scene: Scene) -> Iterator[Driver]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def driver(scene: Scene, browser: Driver) -> Iterator[Driver]:
    """The page with two cameras that live, and no complaint of the browser afterwards."""
    resize(browser, 1400, 1000)
    browser.get(scene.page)
    until(browser, live(*scene.names))
    yield browser
    assert errors_of(browser) == []


def test_two_cameras_show_their_own_moving_patterns(scene: Scene, driver: Driver) -> None:
    shown = [some_pictures(driver, camera, 6) for camera in scene.names]
    for number, taken in enumerate(shown, 1):
        pattern = film(number, SIZE)
        assert all(difference(one, pattern(stamp)) < 2 for stamp, one in taken.items())
        first, last = taken[min(taken)], taken[max(taken)]
        assert difference(first, last) > 2
    assert all(difference(one, other) > 20 for one in shown[0].values() for other in shown[1].values())


def test_a_camera_tells_its_instance_node_rate_and_age(scene: Scene, driver: Driver) -> None:
    found = until(driver, lambda found: all(re.fullmatch(r"\d+\.\d frames/s", one.rate) for one in found.values()))
    for camera in scene.names:
        one = found[camera]
        assert (one.node, one.said, one.filter) == ("on krustlet-wasi", "Live", "none")
        assert re.fullmatch(r"\d+(\.\d)? s ago", one.age)


def test_a_camera_unplugged_mid_stream_keeps_its_last_picture_and_comes_back(scene: Scene, driver: Driver) -> None:
    first, second = scene.names
    scene.set(1, "plugged=no")
    lost = until(driver, lambda found: found[first].state == "stale" and found[first].filter == "grayscale(1)")
    assert re.match(r"No frame for \d+ s: ", lost[first].said)
    assert lost[first].label == f"Camera {first}, on krustlet-wasi, {lost[first].said}"
    assert announced(driver) == f"Camera {first} gives no frames."
    last = picture(driver, first)
    assert len(some_pictures(driver, second, 3)) == 3
    assert picture(driver, first) == last
    assert cameras(driver)[second].state == "live"
    scene.set(1, "plugged=yes")
    until(driver, live(first, second))
    eventually(lambda: announced(driver) == f"Camera {first} gives frames again.")
    assert max(some_pictures(driver, first, 3)) > (read_stamp(last) or 0)


def test_a_page_that_is_opened_later_shows_the_last_picture_of_a_lost_camera(scene: Scene, driver: Driver) -> None:
    first, second = scene.names
    scene.set(1, "plugged=no")
    until(driver, lambda found: found[first].state == "stale")
    driver.refresh()
    lost = until(driver, lambda found: first in found and found[first].pictured and found[first].state == "stale")
    assert lost[first].said.startswith("No frame for ")
    assert read_stamp(picture(driver, first)) is not None
    scene.set(1, "plugged=yes")
    until(driver, live(first, second))


def test_a_killed_broker_is_told_and_the_next_one_read(scene: Scene, driver: Driver) -> None:
    first, second = scene.names
    scene.lab.kill_broker(scene.urls[0])
    until(driver, lambda found: "its broker cannot be read: " in found[first].said)
    assert cameras(driver)[second].state == "live"
    scene.lab.start_broker(scene.urls[0])
    until(driver, live(first, second))


def test_cameras_come_and_go_without_a_reload(scene: Scene, driver: Driver) -> None:
    first, second = scene.names
    new = "http://127.0.0.1:9/"
    scene.lab.discover(new, 9)
    until(driver, lambda found: name(new) in found and "No frame yet: its broker cannot" in found[name(new)].said)
    scene.lab.lose(new)
    until(driver, live(first, second))
    scene.lab.lose(scene.urls[0])
    until(driver, lambda found: found[first].said.endswith(": its Instance is gone"))
    scene.lab.kill_broker(scene.urls[0])
    scene.lab.start_broker(scene.urls[0])
    until(driver, live(first, second))


def test_nothing_is_read_while_pictures_are_paused(scene: Scene, driver: Driver) -> None:
    pause = one_of(driver, "#pause")
    driver.execute_script("arguments[0].focus()", pause)
    pause.send_keys(Keys.SPACE)
    assert pause.get_attribute("aria-pressed") == "true"
    until(driver, lambda found: {one.state for one in found.values()} == {"idle"})
    last = picture(driver, scene.names[0])
    assert picture(driver, scene.names[0]) == last
    assert ask(scene.directory / "page.sock")["cameras"] == dict.fromkeys(sorted(scene.names), "idle")
    pause.send_keys(Keys.SPACE)
    until(driver, live(*scene.names))


_SHOW_STREAM = "document.body.append(Object.assign(new Image(), {src: `cameras/${arguments[0]}/stream`}))"


def test_two_viewers_see_cameras_that_are_read_once(scene: Scene, driver: Driver) -> None:
    window = driver.current_window_handle
    driver.switch_to.new_window("window")
    try:
        driver.get(scene.page)
        until(driver, live(*scene.names))
        driver.execute_script(_SHOW_STREAM, scene.names[0])
        eventually(lambda: driver.execute_script("return document.querySelector('img').naturalWidth") == SIZE[0])
        assert scene.viewers(1) == 1
    finally:
        driver.close()
        driver.switch_to.window(window)


def test_an_api_server_that_is_away_is_told_while_pictures_go_on(scene: Scene, driver: Driver) -> None:
    scene.lab.do(scene.lab.api.away())
    eventually(lambda: "No news from the API server" in troubles(driver))
    assert len(some_pictures(driver, scene.names[0], 3)) == 3
    scene.lab.do(scene.lab.api.back())
    eventually(lambda: troubles(driver) == "")


def test_a_screen_reader_finds_named_pictures_and_hears_nothing_of_each(scene: Scene, driver: Driver) -> None:
    pictures = all_of(driver, "canvas")
    assert [one.aria_role for one in pictures] == ["img", "img"] or [one.aria_role for one in pictures] == ["image"] * 2
    assert [one.accessible_name for one in pictures] == [
        f"Camera {camera}, on krustlet-wasi, Live" for camera in sorted(scene.names)
    ]
    assert [one.text for one in all_of(driver, "h2")] == sorted(scene.names)
    some_pictures(driver, scene.names[0], 3)
    assert announced(driver) == ""


def test_keys_reach_everything_and_focus_is_seen(driver: Driver) -> None:
    one_of(driver, "body").send_keys(Keys.TAB)
    assert driver.switch_to.active_element.get_attribute("id") == "pause"
    for _turn in range(2):
        driver.switch_to.active_element.send_keys(Keys.TAB)
        element = driver.switch_to.active_element
        assert element.get_attribute("class") == "picture"
        assert element.value_of_css_property("outline-style") == "solid"


@pytest.mark.parametrize("width", [320, 360, 800, 1400, 2400])
def test_nothing_is_wider_than_the_window(driver: Driver, width: int) -> None:
    resize(driver, width, 900)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_every_text_is_readable_in_both_schemes(scene: Scene, driver: Driver, scheme: str, is_dark: bool) -> None:
    first, second = scene.names
    scene.set(1, "plugged=no")
    prefer(driver, scheme)
    until(driver, lambda found: (found[first].state, found[second].state) == ("stale", "live"))
    assert unreadable(driver, at_least=20) == []
    assert looks_dark(driver) == is_dark
    scene.set(1, "plugged=yes")
    one_of(driver, "#pause").click()
    until(driver, lambda found: {one.state for one in found.values()} == {"idle"})
    assert unreadable(driver, at_least=20) == []
