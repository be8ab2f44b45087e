"""Virtual cameras on a real cluster: cameras on the machine, brokers and page as containers, the page in a browser.

The tests build on one another in the order of the file; the demo is gone at the end.
"""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import machine
import pytest
from browser import Driver, chromium, errors_of, lacking, picture
from edgelab.lab.cameras.stamp import read_stamp
from labkit import Lab, Result, eventually
from undoing import undo
from videopage import difference, live, some_pictures, until
from videopage import picture as picture_of

DEMO: dict[str, Any] = {"lab_demo": "video"}
CAMERAS = 2
APP = "akri-video-streaming-app"


@pytest.fixture(scope="module")
def demo(kind_lab: Lab) -> Iterator[Result]:
    """The demo as it is by default."""
    if reason := lacking():
        pytest.skip(reason)
    try:
        yield kind_lab.playbook("site.yml", **DEMO)
    finally:
        undo(kind_lab, "demo_video")


@pytest.fixture(scope="module")
def names(kind_lab: Lab, demo: Result) -> list[str]:
    """The cameras' Instances."""
    return sorted(instances(kind_lab))


@pytest.fixture(scope="module")
def browser() -> Iterator[Driver]:
    with chromium() as made:
        yield made


@pytest.fixture
def driver(kind_lab: Lab, names: list[str], browser: Driver) -> Driver:
    """The page with two cameras that live."""
    browser.get(page(kind_lab))
    until(browser, live(*names), within=60)
    return browser


def page(lab: Lab) -> str:
    """Where this machine has the page."""
    return f"http://127.0.0.1:{lab.ports['video_page']}/"


def node(lab: Lab) -> str:
    """The node that runs containers."""
    return f"edgelab-{lab.name}-control-plane"


def instances(lab: Lab) -> dict[str, str]:
    """The cameras' URLs by their Instances."""
    found = lab.get("akrii")["items"]
    return {one["metadata"]["name"]: one["spec"]["brokerProperties"]["AKRI_HTTP_DEVICE_ENDPOINT"] for one in found}


def brokers(lab: Lab) -> dict[str, dict[str, Any]]:
    """The brokers that run and stay, by their Instances."""
    return {
        pod["metadata"]["labels"]["akri.sh/instance"]: pod
        for pod in lab.get("pods", "-l", "akri.sh/configuration=akri-video")["items"]
        if pod["status"]["phase"] == "Running" and "deletionTimestamp" not in pod["metadata"]
    }


def kill(lab: Lab, pod: str) -> None:
    """End a Pod at once."""
    lab.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def set_camera(lab: Lab, number: int, change: str) -> str:
    """Change a virtual camera; returns its URL."""
    command = ["edgelab", "devices", "set", "--run", str(lab.layout.run), "--name", "cameras", str(number), change]
    return str(json.loads(lab.run(command).output)["url"])


def test_each_camera_has_a_broker_and_a_service_on_the_node_that_runs_containers(
    kind_lab: Lab, demo: Result, names: list[str]
) -> None:
    assert len(names) == CAMERAS
    assert {tuple(one["spec"]["nodes"]) for one in kind_lab.get("akrii")["items"]} == {(node(kind_lab),)}
    assert sorted(brokers(kind_lab)) == names
    for pod in brokers(kind_lab).values():
        [container] = pod["spec"]["containers"]
        assert re.search("/edgelab-video:[0-9a-f]+@sha256:", container["image"])
        assert container["securityContext"]["readOnlyRootFilesystem"]
    found = kind_lab.get("services", "-l", "akri.sh/instance")["items"]
    ports = {one["metadata"]["labels"]["akri.sh/instance"]: one["spec"]["ports"][0] for one in found}
    assert {name: (port["name"], port["port"]) for name, port in ports.items()} == dict.fromkeys(names, ("grpc", 80))
    assert f"Look at the page: {page(kind_lab)}" in demo.output


def test_a_second_run_and_check_mode_change_nothing(kind_lab: Lab, demo: Result) -> None:
    assert kind_lab.playbook("site.yml", **DEMO).changed_tasks() == []
    assert kind_lab.playbook("site.yml", "--check", **DEMO).changed_tasks() == []


def test_the_page_shows_two_moving_patterns_that_differ(kind_lab: Lab, driver: Driver, names: list[str]) -> None:
    shown = [some_pictures(driver, camera, 6) for camera in names]
    for taken in shown:
        assert max(taken) - min(taken) > 0.3
        assert difference(taken[min(taken)], taken[max(taken)]) > 1
    assert all(difference(one, other) > 20 for one in shown[0].values() for other in shown[1].values())
    found = until(driver, lambda found: all(one.rate.endswith(" frames/s") for one in found.values()))
    assert {one.node for one in found.values()} == {f"on {node(kind_lab)}"}
    picture(driver, "kind-video")
    assert errors_of(driver) == []


def test_a_camera_that_is_unplugged_mid_stream_says_so_and_comes_back(
    kind_lab: Lab, driver: Driver, names: list[str]
) -> None:
    cameras = {url: name for name, url in instances(kind_lab).items()}
    gone = cameras.pop(set_camera(kind_lab, 1, "plugged=no"))
    [other] = cameras.values()
    lost = until(driver, lambda found: found[gone].said.endswith(": its Instance is gone"), within=60)
    assert lost[gone].filter == "grayscale(1)"
    last = picture_of(driver, gone)
    assert len(some_pictures(driver, other, 3)) == 3
    assert picture_of(driver, gone) == last
    eventually(lambda: list(brokers(kind_lab)) == [other], within=60, what="its broker to go")
    set_camera(kind_lab, 1, "plugged=yes")
    until(driver, live(*names), within=90)
    assert max(some_pictures(driver, gone, 3)) > (read_stamp(last) or 0)


def test_a_killed_broker_is_replaced_and_its_camera_shown_again(
    kind_lab: Lab, driver: Driver, names: list[str]
) -> None:
    before = brokers(kind_lab)[names[0]]["metadata"]
    kill(kind_lab, before["name"])
    killed = time.time()
    eventually(
        lambda: brokers(kind_lab).get(names[0], {"metadata": before})["metadata"]["uid"] != before["uid"],
        within=90,
        what="another broker",
    )
    until(driver, live(*names), within=60)
    assert max(some_pictures(driver, names[0], 3)) > killed
    assert brokers(kind_lab)[names[1]]["status"]["containerStatuses"][0]["restartCount"] == 0


def test_a_killed_page_is_reached_again_at_the_same_address(kind_lab: Lab, driver: Driver, names: list[str]) -> None:
    [pod] = kind_lab.get("pods", "-l", f"app.kubernetes.io/name={APP}")["items"]
    kill(kind_lab, pod["metadata"]["name"])
    kind_lab.kubectl("rollout", "status", f"statefulset/{APP}", "--timeout=90s")
    # The page in the browser connects again by itself; it was not loaded anew.
    until(driver, live(*names), within=90)
    assert kind_lab.playbook("verify.yml", **DEMO).recap()["failed"] == 0


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (APP, ["list akrii", "watch pods", "list services"]),
        ("video-page", [f"create pods/{APP}-0 --subresource=portforward"]),
    ],
)
def test_page_and_way_to_it_may_do_what_they_must(kind_lab: Lab, demo: Result, who: str, may: list[str]) -> None:
    ask = ("auth", "can-i", f"--as=system:serviceaccount:default:{who}")
    for words in may:
        assert kind_lab.kubectl(*ask, *words.split()).strip() == "yes"
    other = f"create pods/{APP}-1 --subresource=portforward"
    for words in (other, "get secrets", "create pods", "get pods/log", "delete akrii"):
        assert kind_lab.kubectl(*ask, *words.split(), check=False).strip().endswith("no")


def test_nothing_of_the_demo_is_left_in_a_cluster_that_stays(kind_lab: Lab, demo: Result) -> None:
    undo(kind_lab, "demo_video")
    kinds = "akric,akrii,pods,statefulsets,roles,rolebindings,services"
    eventually(
        lambda: kind_lab.kubectl("get", kinds, "-o", "name").split() == ["service/kubernetes"],
        within=60,
        what="the last broker to go",
    )
    assert kind_lab.kubectl("get", "serviceaccounts", "-o", "name").split() == ["serviceaccount/default"]
    assert kind_lab.kubectl("-n", "akri", "get", "daemonset", "cameras-handler", "--ignore-not-found") == ""
    assert "cameras.sock" not in machine.podman("exec", node(kind_lab), "ls", "/var/lib/akri").stdout.split()
    state = kind_lab.layout.state
    assert [name for name in ("cameras.json", "kubeconfigs/video-page") if (state / name).exists()] == []
