"""The steps of a Pod's life that need time: pulling, starting, stopping. Time is a number that the tests move."""

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
from edgelab.node.containers.process import ProcessIdentity
from edgelab.node.containers.records import ContainerSpec, Exit, RunDirectory, Start
from edgelab.node.containers.runtime import Containers
from edgelab.node.images.errors import ImageError
from edgelab.node.images.store import Image, Images
from edgelab.node.pods.decisions import Plan, Waiting
from edgelab.node.pods.events import PodEvents, ignored
from edgelab.node.pods.files import PodDirectory, PodStore
from edgelab.node.pods.preparation import Preparation, Prepared, device_requests, memory_limit
from edgelab.node.pods.pulling import Pulls
from edgelab.node.pods.starting import Starting
from edgelab.node.pods.stopping import Stopping
from edgelab.node.seams import Allocation
from edgelab.node.volumes.errors import missing
from edgelab.node.volumes.fields import NodeFacts
from lightkube.models.core_v1 import Container, Pod

IMAGE = Image("r/i@sha256:1", Path("/module"))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


class FakeContainers:
    """Containers that run until they are told otherwise."""

    def __init__(self) -> None:
        self.started: list[ContainerSpec] = []
        self.running: set[Path] = set()
        self.signals: list[signal.Signals] = []

    async def start(self, spec: ContainerSpec) -> None:
        self.started.append(spec)
        run = RunDirectory(Path(spec.directory))
        run.record_start(Start(ProcessIdentity(1, 1, "boot"), "2026-11-21T09:00:00Z"))
        self.running.add(run.path)

    def end(self, code: int) -> None:
        path = self.running.pop()
        RunDirectory(path).record_exit(Exit(code, "Error", "2026-11-21T09:00:05Z"))

    def is_running(self, run: RunDirectory) -> bool:
        return run.path in self.running

    def signal(self, run: RunDirectory, number: signal.Signals) -> None:
        self.signals.append(number)


class FakeImages:
    """Images of which each is asked for again, and which may fail."""

    def __init__(self) -> None:
        self.errors: list[ImageError] = []
        self.asked = 0

    def without_asking(self, name: str, policy: str) -> Image | None:
        return IMAGE if name == "r/here" else None

    async def ensure(self, name: str, policy: str, credentials: object) -> Image:
        self.asked += 1
        if self.errors:
            raise self.errors[0]
        return IMAGE


class FakePreparation:
    """Everything is in place, or one thing is missing."""

    def __init__(self) -> None:
        self.missing = ""
        self.prepared = 0

    async def prepare(self, pod: Pod, directory: PodDirectory) -> Prepared:
        self.prepared += 1
        if self.missing:
            raise missing("main", self.missing)
        return cast(Prepared, None)

    async def allocate(self, pod: Pod, container: Container) -> Allocation:
        return Allocation()

    async def specify(self, container: Container, *_: object) -> ContainerSpec:
        return ContainerSpec("", "/module", (container.name,), 1)


class FakeEvents:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, pod: Pod, reason: str, message: str, **_: object) -> None:
        self.told.append((reason, message))


def pod(image: str = "r/here", **container: Any) -> Pod:
    containers = [{"name": "main", "image": image} | container]
    made = Pod.from_dict(
        {"metadata": {"name": "p", "namespace": "ns", "uid": "uid"}, "spec": {"containers": containers}}
    )
    assert isinstance(made, Pod)
    return made


class Scene:
    def __init__(self, root: Path) -> None:
        self.clock, self.containers, self.images = Clock(), FakeContainers(), FakeImages()
        self.preparation, self.events, self.news = FakePreparation(), FakeEvents(), asyncio.Queue[str]()
        self.directory = PodStore(root).make("ns", "p", "uid")
        self.pulls = Pulls(cast(Any, None), cast(Images, self.images), on_news=self.news.put_nowait, clock=self.clock)
        self.starting = Starting(
            cast(Containers, self.containers),
            self.pulls,
            cast(Preparation, self.preparation),
            cast(PodEvents, self.events),
            clock=self.clock,
        )

    async def start(self, it: Pod | None = None) -> Waiting | None:
        return (await self.starting.start(it or pod(), self.directory, Plan(start=("main",)))).get("main")

    async def start_twice(self, it: Pod) -> Waiting | None:
        """The first look begins the pull, the second one has its outcome."""
        await self.start(it)
        await self.news.get()
        return await self.start(it)


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def test_a_container_whose_image_is_here_starts_at_once(scene: Scene) -> None:
    assert await scene.start() is None
    assert [spec.directory for spec in scene.containers.started] == [
        str(scene.directory.path / "containers" / "main" / "0")
    ]
    assert scene.events.told == [("Started", "Started container main")]


async def test_an_image_is_pulled_in_the_background(scene: Scene) -> None:
    assert await scene.start(pod("r/away")) == Waiting("ContainerCreating")
    assert await scene.start_twice(pod("r/away")) is None
    assert scene.images.asked == 1


async def test_failed_pulls_are_repeated_with_a_growing_distance(scene: Scene) -> None:
    scene.images.errors = [ImageError("Pull", "gone")]
    for distance in (10, 20, 40, 80, 160, 300, 300):
        told = await scene.start_twice(pod("r/away"))
        assert told is not None
        assert told.reason == "ErrImagePull"
        assert scene.starting.seconds_left("uid", "main") == distance
        again = await scene.start(pod("r/away"))
        assert again == Waiting("ImagePullBackOff", told.message)
        scene.clock.now += distance


async def test_a_reason_that_time_does_not_heal_stays_visible(scene: Scene) -> None:
    scene.images.errors = [ImageError("Use", "no Wasm", reason="UnsupportedImage")]
    told = await scene.start_twice(pod("r/away"))
    assert told == await scene.start(pod("r/away"))
    assert told is not None
    assert told.reason == "UnsupportedImage"


async def test_what_is_missing_is_told_once_and_looked_for_again(scene: Scene) -> None:
    scene.preparation.missing = 'ConfigMap "cm"'
    told = await scene.start()
    assert told is not None
    assert told.reason == "CreateContainerConfigError"
    assert scene.starting.seconds_left("uid", "main") == 1
    scene.preparation.missing = ""
    assert await scene.start() == told
    assert len(scene.events.told) == 1
    scene.clock.now += 1
    assert await scene.start() is None


async def test_restarts_are_counted(scene: Scene) -> None:
    await scene.start()
    assert scene.starting.crashes("uid") == {"main": 0}
    for expected in (1, 2):
        scene.containers.end(1)
        await scene.start()
        assert scene.starting.crashes("uid") == {"main": expected}
    assert [run.number for run in scene.directory.runs("main")] == [1, 2]


async def test_the_back_off_is_told_without_a_time_that_passes(scene: Scene) -> None:
    def plan(left: float) -> Plan:
        return Plan(backing_off={"main": left})

    first = await scene.starting.start(pod(), scene.directory, plan(9.5))
    assert scene.starting.seconds_left("uid", "main") == 9.5
    assert first == await scene.starting.start(pod(), scene.directory, plan(3.0))


async def test_volumes_are_looked_at_again_each_minute(scene: Scene) -> None:
    await scene.start()
    assert await scene.starting.refresh(pod(), scene.directory) == 60
    scene.clock.now += 59
    assert await scene.starting.refresh(pod(), scene.directory) == 1
    assert scene.preparation.prepared == 1
    scene.clock.now += 1
    scene.preparation.missing = "a ConfigMap that was deleted"
    assert await scene.starting.refresh(pod(), scene.directory) == 60
    assert scene.preparation.prepared == 2
    assert await scene.starting.refresh(pod(), scene.directory) == 60
    assert scene.preparation.prepared == 2


async def test_a_sidecar_is_refused(scene: Scene) -> None:
    told = await scene.start(pod(restartPolicy="Always"))
    assert told is not None
    assert "restartable init container" in told.message


async def stopping(scene: Scene) -> tuple[Stopping, Callable[[float], float | None]]:
    await scene.start()
    it = Stopping(cast(Containers, scene.containers), clock=scene.clock)
    return it, lambda grace: it.stop(scene.directory, grace)


async def test_a_container_gets_its_grace_period(scene: Scene) -> None:
    _run, stop = await stopping(scene)
    assert stop(30) == 30
    scene.clock.now += 29
    assert stop(30) == 1
    assert scene.containers.signals == [signal.SIGTERM]
    scene.clock.now += 1
    assert stop(30) == 0.1
    assert scene.containers.signals == [signal.SIGTERM, signal.SIGKILL]
    scene.containers.end(137)
    assert stop(30) is None


async def test_less_grace_later_counts(scene: Scene) -> None:
    _run, stop = await stopping(scene)
    stop(30)
    assert stop(2) == 2
    assert stop(0) == 0.1
    assert scene.containers.signals == [signal.SIGTERM, signal.SIGKILL]


async def test_without_grace_a_container_is_killed_at_once(scene: Scene) -> None:
    _run, stop = await stopping(scene)
    stop(0)
    assert scene.containers.signals == [signal.SIGKILL]


def test_devices_and_memory_of_a_container() -> None:
    resources = {
        "limits": {"akri.sh/x": "2", "memory": "1Mi", "cpu": "1", "hugepages-2Mi": "0", "x.kubernetes.io/y": "1"},
        "requests": {"akri.sh/x": "2", "akri.sh/none": "0"},
    }
    container = Container.from_dict({"name": "main", "resources": resources})
    assert isinstance(container, Container)
    assert device_requests(container) == {"akri.sh/x": 2}
    node = NodeFacts("n", ("127.0.0.1",), 5)
    assert memory_limit(container, node) == 1024 * 1024
    assert memory_limit(Container("bare"), node) == 5


def test_what_is_passed_over_is_named() -> None:
    assert ignored(pod(livenessProbe={"exec": {"command": ["x"]}})) == ["livenessProbe of main"]
    assert ignored(pod()) == []
