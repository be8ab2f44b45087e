"""Virtual cameras on a real cluster: the guide is carried out, on a lab of its own, with looks behind what it shows.

Cameras are on the machine, brokers and page are containers, the page is looked at in a browser. The guide's sections
come first; then comes what it does not tell, on the lab as it left it; at last the guide takes that away. A test that
is run alone has the guide carried out as far as it needs.
"""

import io
import json
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import machine
import pytest
from browser import Driver, chromium, errors_of, lacking, picture, prefer, resize
from edgelab.service.status import ask
from guidekit import read_sections
from labkit import Lab, eventually
from PIL import Image
from reader import GUIDES, Reader, Story, reader
from undoing import undo
from videopage import difference, live, some_pictures, until
from videopage import picture as picture_of

GUIDE = GUIDES / "virtual-cameras.md"
*SECTIONS, END = [section for section, steps in read_sections(GUIDE).items() if steps]
AS_LEFT: dict[str, Any] = {
    "lab_demo": "video",
    "demo_video_cameras": 4,
    "demo_video_size": "320x240",
    "demo_video_frames_per_second": 5,
}
"""The demo as the guide leaves it."""
CAMERAS = 4
APP = "akri-video-streaming-app"


@pytest.fixture(scope="module")
def guided(kind_variables: dict[str, Any]) -> Iterator[Reader]:
    """A reader of the guide."""
    if reason := lacking():
        pytest.skip(reason)
    with reader("yard", **kind_variables) as made:
        yield made


@pytest.fixture(scope="module")
def lab(guided: Reader) -> Lab:
    """The guide's lab, once there is one."""
    return guided.lab


@pytest.fixture(scope="module")
def story(guided: Reader) -> Iterator[Story]:
    """The guide, of which nothing has been carried out yet."""
    with chromium(height=780) as browser:
        yield Story(GUIDE, guided.shell, Hands(guided.lab, browser).deeds(), late=180)


@pytest.fixture(scope="module")
def demo(story: Story) -> None:
    """The demo as the guide leaves it."""
    story.through(SECTIONS[-1])


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


class Hands:
    """What the guide has its reader do in the browser, and what they look for there."""

    def __init__(self, lab: Lab, driver: Driver) -> None:
        self._lab, self._driver = lab, driver
        self._urls: dict[str, str] = {}
        self._seen_at = 0.0

    def deeds(self) -> dict[str, Callable[[], None]]:
        """By the guide's words for them."""
        return {
            "look at the page": self.look,
            "see that one camera is lost": self.see_one_lost,
            "see that all cameras live again": self.see_all_again,
            "see four cameras": self.see_four,
        }

    def look(self) -> None:
        """Two cameras live, each with a moving pattern of its own."""
        self._driver.get(page(self._lab))
        self._urls = instances(self._lab)
        until(self._driver, live(*self._urls), within=60)
        shown = [some_pictures(self._driver, camera, 6) for camera in self._urls]
        for taken in shown:
            assert max(taken) - min(taken) > 0.3
            assert difference(taken[min(taken)], taken[max(taken)]) > 1
        one, other = shown
        assert all(difference(left, right) > 20 for left in one.values() for right in other.values())
        found = until(self._driver, lambda found: all(one.rate.endswith(" frames/s") for one in found.values()))
        assert {one.node for one in found.values()} == {f"on {node(self._lab)}"}
        picture(self._driver, "virtual-cameras")
        assert errors_of(self._driver) == []
        self._seen_at = time.time()

    def see_one_lost(self) -> None:
        """One says that its Instance is gone and keeps its picture, the other goes on."""
        unplugged = ask(self._lab.layout.status_socket("cameras"))["devices"][0]["url"]
        [lost] = [name for name, url in self._urls.items() if url == unplugged]
        [other] = set(self._urls) - {lost}
        shown = until(self._driver, lambda found: found[lost].said.endswith(": its Instance is gone"), within=60)
        assert shown[lost].filter == "grayscale(1)"
        last = picture_of(self._driver, lost)
        assert len(some_pictures(self._driver, other, 3)) == 3
        assert picture_of(self._driver, lost) == last
        eventually(lambda: list(brokers(self._lab)) == [other], within=60, what="its broker to go")
        self._seen_at = time.time()

    def see_all_again(self) -> None:
        """All live, under the names that they had, with pictures newer than those that were seen last."""
        # The page in the browser connects again by itself; it was not loaded anew.
        until(self._driver, live(*self._urls), within=90)
        for name in self._urls:
            assert max(some_pictures(self._driver, name, 3)) > self._seen_at
        self._seen_at = time.time()

    def see_four(self) -> None:
        """The page that is open has all that there are now, of another size."""
        names = sorted(instances(self._lab))
        assert len(names) == CAMERAS
        until(self._driver, live(*names), within=90)
        for name in names:
            assert Image.open(io.BytesIO(picture_of(self._driver, name))).size == (320, 240)
        prefer(self._driver, "dark")
        resize(self._driver, 1400, 560)
        picture(self._driver, "virtual-cameras-four")


@pytest.mark.parametrize("section", SECTIONS)
def test_what_the_guide_tells_is_so(story: Story, section: str) -> None:
    story.through(section)


def test_each_camera_has_a_broker_and_a_service_on_the_node_that_runs_containers(demo: None, lab: Lab) -> None:
    names = sorted(instances(lab))
    assert len(names) == CAMERAS
    assert {tuple(one["spec"]["nodes"]) for one in lab.get("akrii")["items"]} == {(node(lab),)}
    assert sorted(brokers(lab)) == names
    for pod in brokers(lab).values():
        [container] = pod["spec"]["containers"]
        assert re.search("/edgelab-video:[0-9a-f]+@sha256:", container["image"])
        assert container["securityContext"]["readOnlyRootFilesystem"]
        assert pod["status"]["containerStatuses"][0]["restartCount"] == 0
    found = lab.get("services", "-l", "akri.sh/instance")["items"]
    ports = {one["metadata"]["labels"]["akri.sh/instance"]: one["spec"]["ports"][0] for one in found}
    assert {name: (port["name"], port["port"]) for name, port in ports.items()} == dict.fromkeys(names, ("grpc", 80))


def test_a_second_run_and_check_mode_change_nothing(demo: None, lab: Lab) -> None:
    again = lab.playbook("site.yml", **AS_LEFT)
    assert again.changed_tasks() == []
    assert f"Look at the page: {page(lab)}" in again.output
    order = next(line for line in again.output.splitlines() if " devices set 1 plugged=no --lab yard " in line)
    assert json.loads(lab.run(["bash", "-c", order.replace("plugged=no", "plugged=yes")]).output)["plugged"]
    assert lab.playbook("site.yml", "--check", **AS_LEFT).changed_tasks() == []


@pytest.mark.parametrize(
    ("who", "may"),
    [
        (APP, ["list akrii", "watch pods", "list services"]),
        ("video-page", [f"create pods/{APP}-0 --subresource=portforward"]),
    ],
)
def test_page_and_way_to_it_may_do_what_they_must(demo: None, lab: Lab, who: str, may: list[str]) -> None:
    ask = ("auth", "can-i", f"--as=system:serviceaccount:default:{who}")
    for words in may:
        assert lab.kubectl(*ask, *words.split()).strip() == "yes"
    other = f"create pods/{APP}-1 --subresource=portforward"
    for words in (other, "get secrets", "create pods", "get pods/log", "delete akrii"):
        assert lab.kubectl(*ask, *words.split(), check=False).strip().endswith("no")


def test_nothing_of_the_demo_is_left_in_a_cluster_that_stays(demo: None, lab: Lab) -> None:
    undo(lab, "demo_video")
    kinds = "akric,akrii,pods,statefulsets,roles,rolebindings,services"
    eventually(
        lambda: lab.kubectl("get", kinds, "-o", "name").split() == ["service/kubernetes"],
        within=60,
        what="the last broker to go",
    )
    assert lab.kubectl("get", "serviceaccounts", "-o", "name").split() == ["serviceaccount/default"]
    assert lab.kubectl("-n", "akri", "get", "daemonset", "cameras-handler", "--ignore-not-found") == ""
    assert "cameras.sock" not in machine.podman("exec", node(lab), "ls", "/var/lib/akri").stdout.split()
    state = lab.layout.state
    assert [name for name in ("cameras.json", "kubeconfigs/video-page") if (state / name).exists()] == []


@pytest.mark.parametrize("section", [END])
def test_the_guide_takes_all_of_it_away(story: Story, section: str) -> None:
    story.through(section)
