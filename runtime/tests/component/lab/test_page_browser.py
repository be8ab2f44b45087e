"""The page in a browser: real mock devices and the real page server, in a stand-in for the lab between them."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser import Driver, all_of, chromium, errors_of, lacking, looks_dark, one_of, prefer, resize, unreadable
from edgelab.service.status import ask
from httppage import announced, is_on, rows, switch, troubles, until
from labkit import eventually
from processes import running
from selenium.webdriver.common.keys import Keys
from standins.api_server import write_kubeconfig
from standins.http_lab import FakeLab

DEVICES = [f"Device {number}" for number in range(1, 10)]
INTERVAL = "2"
"""The page's idea of the time between two readings, in seconds; they come more often."""


@dataclass
class Scene:
    """Everything that runs."""

    directory: Path
    lab: FakeLab
    devices: list[dict[str, Any]]
    page: str

    def url(self, device: str) -> str:
        return next(str(one["url"]) for one in self.devices if f"Device {one['name']}" == device)

    def set(self, device: str, *changes: str) -> None:
        words = ["devices", "set", device.removeprefix("Device "), *changes, "--run", str(self.directory)]
        subprocess.run([sys.executable, "-m", "edgelab", *words], check=True, capture_output=True)

    @contextmanager
    def serving(self, name: str, port: str = "0") -> Iterator[str]:
        """Run a server of the page."""
        control = ask(self.directory / "devices.sock")["control"].removesuffix("/devices")
        kubeconfig = write_kubeconfig(self.directory / "kubeconfig", self.lab.api.port)
        words = ["page", "http", "--kubeconfig", str(kubeconfig), "--devices", control, "--interval", INTERVAL]
        with running(self.directory, name, *words, "--listen", f"127.0.0.1:{port}") as status:
            yield status["url"]


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    if reason := lacking():
        pytest.skip(reason)
    directory = tmp_path_factory.mktemp("page")
    words = ["devices", "http", "--state", str(directory / "devices.json"), "--discovery-port", "0", "--count", "9"]
    with running(directory, "devices", *words) as told, FakeLab(told["discovery"], 0.3) as lab:
        made = Scene(directory, lab, told["devices"], "")
        with made.serving("page") as url:
            made.page = url
            yield made


@pytest.fixture(scope="module")
def browser(scene: Scene) -> Iterator[Driver]:
    with chromium() as driver:
        yield driver


@pytest.fixture
def driver(scene: Scene, browser: Driver) -> Iterator[Driver]:
    """The page with nine devices that live, and no complaint of the browser afterwards."""
    resize(browser, 1400, 1000)
    browser.get(scene.page)
    until(browser, lambda found: [one for one in found if found[one].state == "live"] == DEVICES)
    yield browser
    assert errors_of(browser) == []


def test_all_nine_show_a_changing_value(driver: Driver) -> None:
    before = rows(driver)
    after = until(driver, lambda found: all(found[one].value != before[one].value for one in DEVICES))
    for device, row in after.items():
        assert float(row.value) == pytest.approx(10 + 10 * int(device.split()[1]), abs=5)
        assert row.line.startswith("M")
        assert (row.slots, row.said) == ("krustlet-wasi, 1 free", "Live")
        assert row.instance.startswith("akri-http-")
        assert row.brokers.endswith("Running on krustlet-wasi")


def test_a_value_that_is_set_is_seen_on_its_row_alone(scene: Scene, driver: Driver) -> None:
    scene.set("Device 3", "value=42.17")
    shown = until(driver, lambda found: found["Device 3"].value == "42.17")
    assert [one for one in DEVICES if shown[one].value == "42.17"] == ["Device 3"]
    scene.set("Device 3", "value=null")
    until(driver, lambda found: found["Device 3"].value != "42.17")


def test_a_killed_broker_leaves_its_last_value_which_the_device_does_not_change(scene: Scene, driver: Driver) -> None:
    scene.lab.kill_broker(scene.url("Device 5"))
    stale = until(driver, lambda found: found["Device 5"].said == "Stale: its broker is gone")["Device 5"]
    assert stale.value != ""
    scene.set("Device 5", "value=1.23")
    before = rows(driver)
    shown = until(
        driver, lambda found: all(found[one].value != before[one].value for one in set(DEVICES) - {"Device 5"})
    )
    assert [(one, shown[one].value) for one in DEVICES if shown[one].state == "stale"] == [("Device 5", stale.value)]
    scene.lab.revive_broker(scene.url("Device 5"))
    until(driver, lambda found: (found["Device 5"].value, found["Device 5"].said) == ("1.23", "Live"))
    scene.set("Device 5", "value=null")


def test_a_device_is_unplugged_and_plugged_in_by_keyboard_and_announced(scene: Scene, driver: Driver) -> None:
    button = switch(driver, "Device 4")
    assert (button.aria_role, is_on(button)) == ("switch", True)
    driver.execute_script("arguments[0].focus()", button)
    for key, state, told in (
        (Keys.SPACE, "unplugged", "Device 4 unplugged."),
        (Keys.ENTER, "live", "Device 4 plugged in."),
    ):
        driver.switch_to.active_element.send_keys(key)
        shown = until(driver, lambda found, state=state: found["Device 4"].state == state)
        assert [one for one in DEVICES if shown[one].state != "live"] == (["Device 4"] if state == "unplugged" else [])
        assert is_on(button) == (state == "live")
        eventually(lambda told=told: announced(driver) == told, what=told)
        assert driver.switch_to.active_element == button
    assert troubles(driver) == ""


def test_an_unplugged_device_shows_no_value_and_what_is_old_is_gone(scene: Scene, driver: Driver) -> None:
    scene.set("Device 9", "plugged=no")
    row = until(driver, lambda found: found["Device 9"].state == "unplugged")["Device 9"]
    assert (row.value, row.age, row.instance, row.slots, row.brokers, row.line) == ("", "", "", "", "", "")
    scene.set("Device 9", "plugged=yes")


def test_a_failing_device_says_why_beside_its_last_value(scene: Scene, driver: Driver) -> None:
    scene.set("Device 2", "failing=yes")
    row = until(driver, lambda found: found["Device 2"].state == "failing")["Device 2"]
    assert "503" in row.said
    assert row.value != ""
    scene.set("Device 2", "failing=no")


def test_values_are_not_announced(driver: Driver) -> None:
    before = rows(driver)
    until(driver, lambda found: all(found[one].value != before[one].value for one in DEVICES))
    assert announced(driver) == ""


def test_an_api_server_that_is_away_is_told_until_it_is_back(scene: Scene, driver: Driver) -> None:
    scene.lab.do(scene.lab.api.away())
    eventually(lambda: "No news from the API server" in troubles(driver))
    scene.lab.do(scene.lab.api.back())
    eventually(lambda: troubles(driver) == "")


def test_a_page_goes_on_when_its_server_is_back(scene: Scene, browser: Driver) -> None:
    with scene.serving("second") as url:
        browser.get(url)
        until(browser, lambda found: len(found) == 9)
    eventually(lambda: "No news from the page's server" in troubles(browser))
    port = url.rstrip("/").rsplit(":", 1)[1]
    with scene.serving("second", port):
        eventually(lambda: troubles(browser) == "")
        until(browser, lambda found: all(one.state == "live" for one in found.values()))
    errors_of(browser)


def test_two_viewers_see_the_same(scene: Scene, driver: Driver) -> None:
    first = driver.current_window_handle
    driver.switch_to.new_window("tab")
    try:
        driver.get(scene.page)
        until(driver, lambda found: len(found) == 9)
        switch(driver, "Device 1").click()
        until(driver, lambda found: found["Device 1"].state == "unplugged")
        driver.switch_to.window(first)
        until(driver, lambda found: found["Device 1"].state == "unplugged")
        switch(driver, "Device 1").click()
        driver.switch_to.window(driver.window_handles[1])
        until(driver, lambda found: found["Device 1"].state == "live")
    finally:
        driver.switch_to.window(driver.window_handles[1])
        driver.close()
        driver.switch_to.window(first)


def test_a_screen_reader_finds_a_table_with_its_headings(driver: Driver) -> None:
    assert one_of(driver, "table").aria_role == "table"
    assert one_of(driver, "table").accessible_name == one_of(driver, "caption").text
    columns = [one.text for one in all_of(driver, "thead th[scope=col]")]
    assert columns == ["Device", "Value", "Last 5 minutes", "Instance and slots", "Brokers", "Plugged in"]
    assert [one.aria_role for one in all_of(driver, "tbody th[scope=row]")] == ["rowheader"] * 9
    assert [one.accessible_name for one in all_of(driver, "[role=switch]")] == [f"{one} plugged in" for one in DEVICES]
    assert all("Values of the last 5 minutes: from" in one.accessible_name for one in all_of(driver, ".spark"))


@pytest.mark.parametrize("width", [320, 360, 800, 1153, 1400, 2400])
def test_nothing_is_wider_than_the_window(driver: Driver, width: int) -> None:
    resize(driver, width, 900)
    assert driver.execute_script("return document.documentElement.scrollWidth") <= width
    assert len(all_of(driver, "tbody tr[role=row]")) == 9


@pytest.mark.parametrize(("scheme", "is_dark"), [("light", False), ("dark", True)])
def test_every_text_is_readable_in_both_schemes(scene: Scene, driver: Driver, scheme: str, is_dark: bool) -> None:
    scene.set("Device 2", "failing=yes")
    scene.set("Device 7", "plugged=no")
    scene.lab.kill_broker(scene.url("Device 6"))
    prefer(driver, scheme)
    until(driver, lambda found: {one.state for one in found.values()} == {"live", "failing", "stale", "unplugged"})
    assert unreadable(driver, at_least=50) == []
    assert looks_dark(driver) == is_dark
    scene.lab.revive_broker(scene.url("Device 6"))
    scene.set("Device 2", "failing=no")
    scene.set("Device 7", "plugged=yes")


def test_focus_is_seen(driver: Driver) -> None:
    button = switch(driver, "Device 1")
    one_of(driver, "body").send_keys(Keys.TAB, Keys.TAB)
    assert driver.switch_to.active_element == button
    assert button.value_of_css_property("outline-style") == "solid"
    assert float(button.value_of_css_property("outline-width").removesuffix("px")) >= 2
