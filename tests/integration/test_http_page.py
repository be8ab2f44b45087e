"""The page of HTTP devices in a browser, on a real lab: what stands there brokers have read, and it follows events.

Instances, brokers and their output are the real ones; the mock devices are plugged by the page's own switches. The list
of devices comes from the demo's discovery service, and at the end of the file from one that gets into trouble.
"""

import json
import os
import signal
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml
from browser import Driver, chromium, errors_of, lacking, picture, resize
from discoveryservice import DiscoveryService
from httppage import Rows, is_on, rows, switch, troubles, until
from labkit import Lab, eventually, kubectl, new_lab

pytestmark = pytest.mark.lab

DEVICES = [f"Device {number}" for number in range(1, 10)]


@pytest.fixture(scope="module")
def built() -> Iterator[tuple[Lab, str]]:
    """A lab with nine HTTP devices, each read every two seconds, and what was said when it was built."""
    if reason := lacking():
        pytest.skip(reason)
    made = new_lab("http", lab_demo="http", demo_http_interval=2)
    try:
        yield made, made.playbook("site.yml").output
    finally:
        made.remove()


@pytest.fixture(scope="module")
def http_lab(built: tuple[Lab, str]) -> Lab:
    return built[0]


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


def test_what_the_demo_says_to_try_works_as_it_stands(built: tuple[Lab, str]) -> None:
    lab, said = built
    lines = [line.strip() for line in said.splitlines()]
    export, look = (next(line for line in lines if line.startswith(word)) for word in ("export ", "kubectl get "))
    seen = lab.run(["bash", "-c", f"PATH=$PATH:{Path(kubectl()).parent}; {export}\n{look}"]).output
    assert all(f"instance.akri.sh/{name}" in seen for name in instances(lab))
    order = next(line for line in lines if f" devices set 3 value=42.17 --lab {lab.name} " in line)
    assert json.loads(lab.run(["bash", "-c", order]).output)["value"] == 42.17
    set_device(lab, "Device 3", "value=null")


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


def ask_for(lab: Lab, details: str) -> None:
    """Have the demo's Configuration ask for another list."""
    patch = {"spec": {"discoveryHandler": {"discoveryDetails": details}}}
    lab.kubectl("patch", "configurations.akri.sh", "akri-http", "--type=merge", "-p", json.dumps(patch))


@pytest.fixture(scope="module")
def service(http_lab: Lab) -> Iterator[DiscoveryService]:
    """A discovery service that lists the demo's devices, in the place of the demo's own."""
    own = http_lab.get("configurations.akri.sh", "akri-http")["spec"]["discoveryHandler"]["discoveryDetails"]
    with urllib.request.urlopen(yaml.safe_load(own)["url"]) as answer:
        made = DiscoveryService(answer.read())
    ask_for(http_lab, f"url: {made.url}\nintervalSeconds: 0.1")
    yield made
    ask_for(http_lab, own)
    made.close()


def heard(lab: Lab, service: DiscoveryService) -> str:
    """What the handler said last of a service."""
    lines = (lab.layout.state / "log/http-handler.log").read_text().splitlines()
    return next((line.partition(f"{service.url}: ")[2] for line in reversed(lines) if service.url in line), "")


def events(lab: Lab) -> list[str]:
    """What the Configuration's Events say."""
    return [one["message"] for one in lab.get("events", "--field-selector=involvedObject.name=akri-http")["items"]]


@pytest.mark.parametrize(
    ("trouble", "cause"),
    [
        (DiscoveryService.close, "it cannot be reached: Connection refused"),
        (DiscoveryService.stall, "it does not answer in time (Timeout on reading data from socket)"),
        (lambda service: service.say(bytes(range(128, 256))), "it answers with 128 bytes that are no text"),
        (lambda service: service.say(b"http://127.0.0.1:9/\n" * 500_000), "its answer is larger than 1048576 bytes"),
    ],
    ids=["down", "slow", "garbage", "10 MB"],
)
def test_a_discovery_service_in_trouble_costs_nobody_a_device(
    http_lab: Lab, driver: Driver, service: DiscoveryService, trouble: Callable[[DiscoveryService], None], cause: str
) -> None:
    asked, before = service.asked, instances(http_lab)
    eventually(lambda: service.asked > asked + 1, what="the list to be asked for")
    trouble(service)
    eventually(lambda: heard(http_lab, service) == f"{cause}; the last list stands until it answers")
    shown = rows(driver)
    # Whatever the agent were to do about it, it would do before brokers have read their devices again.
    until(driver, lambda found: all(found[one].value != shown[one].value for one in DEVICES), within=60)
    assert all_live(rows(driver))
    assert (instances(http_lab), events(http_lab)) == (before, [])
    service.recover()
    eventually(lambda: heard(http_lab, service) == "it answers again")


def test_a_discovery_service_that_never_answered_is_told_of_by_an_event(
    http_lab: Lab, driver: Driver, service: DiscoveryService
) -> None:
    before = instances(http_lab)
    service.close()
    ask_for(http_lab, f"url: {service.url}\nintervalSeconds: 0.2")
    eventually(lambda: events(http_lab), what="an Event of the Configuration")
    [message] = events(http_lab)
    assert message.endswith("was asked and has not answered yet. What it waits for, its log may say.")
    assert instances(http_lab) == before
    service.recover()
    until(driver, all_live)
    assert instances(http_lab) == before
