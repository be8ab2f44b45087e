"""The page of HTTP devices in a browser, on a real lab: what stands there brokers have read, and it follows events.

Instances, brokers and their output are the real ones; the mock devices are plugged by the page's own switches.
"""

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from browser import Driver, chromium, errors_of, lacking, picture, resize
from httppage import Rows, is_on, rows, switch, troubles, until
from labkit import Lab, eventually, new_lab

pytestmark = pytest.mark.lab

DEVICES = [f"Device {number}" for number in range(1, 10)]


@pytest.fixture(scope="module")
def http_lab() -> Iterator[Lab]:
    """A lab with nine HTTP devices, each read every two seconds."""
    if reason := lacking():
        pytest.skip(reason)
    made = new_lab("http", lab_demo="http", demo_http_interval=2)
    try:
        made.playbook("site.yml")
        yield made
    finally:
        made.remove()


@pytest.fixture(scope="module")
def browser() -> Iterator[Driver]:
    with chromium() as made:
        yield made


@pytest.fixture
def driver(http_lab: Lab, browser: Driver) -> Iterator[Driver]:
    """The page with nine devices that live; the browser has nothing to complain of."""
    browser.get(f"http://127.0.0.1:{http_lab.ports['http_page']}/")
    until(browser, all_live, within=60)
    yield browser
    assert errors_of(browser) == []


def all_live(found: Rows) -> bool:
    return [one for one in DEVICES if one in found and found[one].state == "live"] == DEVICES


def instances(lab: Lab) -> set[str]:
    return {one["metadata"]["name"] for one in lab.get("instances.akri.sh")["items"]}


def set_device(lab: Lab, device: str, *changes: str) -> None:
    words = ["--run", str(lab.layout.run), "--name", "http-devices"]
    lab.run(["edgelab", "devices", "set", device.removeprefix("Device "), *changes, *words])


@contextmanager
def paused(pid: int) -> Iterator[None]:
    """Keep a process from doing anything."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_all_nine_show_a_changing_value(http_lab: Lab, driver: Driver) -> None:
    before = rows(driver)
    after = until(driver, lambda found: all(found[one].value != before[one].value for one in DEVICES), within=60)
    assert {row.instance for row in after.values()} == instances(http_lab)
    assert all(row.brokers == f"krustlet-wasi-{row.instance}-podRunning on krustlet-wasi" for row in after.values())
    assert all("krustlet-wasi" in row.slots for row in after.values())
    picture(driver, "http-devices")
    resize(driver, 360, 1500)
    picture(driver, "http-devices-narrow")
    resize(driver, 1400, 1000)


def test_a_value_that_is_set_on_a_device_is_seen_on_its_row_alone(http_lab: Lab, driver: Driver) -> None:
    set_device(http_lab, "Device 3", "value=42.17")
    shown = until(driver, lambda found: found["Device 3"].value == "42.17")
    assert [one for one in DEVICES if shown[one].value == "42.17"] == ["Device 3"]
    broker = f"krustlet-wasi-{shown['Device 3'].instance}-pod"
    assert f"http device {shown['Device 3'].url} value 42.17" in http_lab.kubectl("logs", broker)
    set_device(http_lab, "Device 3", "value=null")


def test_exactly_the_device_that_is_unplugged_goes_and_it_comes_back(http_lab: Lab, driver: Driver) -> None:
    before = rows(driver)
    button = switch(driver, "Device 4")
    button.click()
    shown = until(driver, lambda found: found["Device 4"].state == "unplugged")
    assert [one for one in DEVICES if shown[one].instance] == [one for one in DEVICES if one != "Device 4"]
    eventually(lambda: instances(http_lab) == {before[one].instance for one in DEVICES if one != "Device 4"})
    assert not is_on(button)
    button.click()
    until(driver, all_live, within=60)
    assert rows(driver)["Device 4"].instance == before["Device 4"].instance


def test_the_row_of_a_killed_broker_goes_stale_until_there_is_another(http_lab: Lab, driver: Driver) -> None:
    row = rows(driver)["Device 5"]
    with paused(http_lab.pid("controller")):
        http_lab.kubectl("delete", "pod", f"krustlet-wasi-{row.instance}-pod", "--wait=false")
        stale = until(driver, lambda found: found["Device 5"].said == "Stale: its broker is gone")
        assert (stale["Device 5"].instance, stale["Device 5"].value != "") == (row.instance, True)
        set_device(http_lab, "Device 5", "value=1.23")
        others = [one for one in DEVICES if one != "Device 5"]
        shown = until(driver, lambda found: all(found[one].value != stale[one].value for one in others), within=60)
        assert [(one, shown[one].value) for one in DEVICES if shown[one].state == "stale"] == [
            ("Device 5", stale["Device 5"].value)
        ]
    until(driver, lambda found: (found["Device 5"].state, found["Device 5"].value) == ("live", "1.23"), within=60)
    set_device(http_lab, "Device 5", "value=null")


def test_the_page_goes_on_after_a_killed_api_server(http_lab: Lab, driver: Driver) -> None:
    os.kill(http_lab.pid("kube-apiserver"), signal.SIGKILL)
    eventually(lambda: "No news from the API server" in troubles(driver))
    eventually(lambda: troubles(driver) == "", within=60)
    before = rows(driver)
    until(driver, lambda found: all(found[one].value != before[one].value for one in DEVICES), within=60)
