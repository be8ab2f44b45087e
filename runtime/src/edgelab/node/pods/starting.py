"""Starting the containers that a plan names, and knowing what those wait for that could not be started."""

import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import httpx2
from lightkube.models.core_v1 import Container, Pod

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.node.containers.runtime import Containers
from edgelab.node.images.store import Image
from edgelab.node.pods.decisions import CRASHES, Plan, Waiting, crashes_after
from edgelab.node.pods.events import PodEvents
from edgelab.node.pods.files import PodDirectory
from edgelab.node.pods.preparation import Preparation, Prepared
from edgelab.node.pods.pulling import Pulls
from edgelab.node.pods.views import views
from edgelab.node.volumes.errors import ConfigError, unusable

log = logging.getLogger(__name__)

REFRESH_SECONDS = 60.0
"""How often ConfigMaps, Secrets and tokens in volumes are looked at again, as kubelets do."""

_RETRIES = Backoff(1, 30)
"""Seconds between tries to configure or create a container."""


@dataclass(slots=True)
class _Tried:
    """What happened with one container; `not_before` is a time of the clock."""

    crashes: int = 0
    failures: int = 0
    not_before: float = 0.0


@dataclass(slots=True)
class _Pod:
    prepared_at: float = -REFRESH_SECONDS
    tried: dict[str, _Tried] = field(default_factory=dict)
    waiting: dict[str, Waiting] = field(default_factory=dict)


class Starting:
    """Starts containers. Its memory of failures is this process's; a restarted node tries at once."""

    def __init__(
        self,
        containers: Containers,
        pulls: Pulls,
        preparation: Preparation,
        events: PodEvents,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._containers, self._pulls, self._preparation = containers, pulls, preparation
        self._events, self._clock = events, clock
        self._pods: dict[str, _Pod] = {}

    def crashes(self, uid: str) -> dict[str, int]:
        """Restarts in a row of each container of a Pod."""
        return {name: tried.crashes for name, tried in self._pod(uid).tried.items()}

    def seconds_left(self, uid: str, container: str) -> float:
        """Time until a container that waits is to be looked at again; 0 when news of it will come by itself."""
        tried = self._tried(uid, container)
        return max(tried.not_before - self._clock(), self._pulls.seconds_left((uid, container)), 0.0)

    def forget(self, uid: str) -> None:
        """Drop what is known of a Pod that is gone."""
        self._pods.pop(uid, None)

    async def start(self, pod: Pod, directory: PodDirectory, plan: Plan) -> dict[str, Waiting]:
        """Start what the plan says; returns what the others wait for, by container."""
        assert pod.spec is not None
        known = self._pod(directory.uid)
        waiting = {name: self._backing_off(directory, name, left) for name, left in plan.backing_off.items()}
        for container in (*(pod.spec.initContainers or ()), *pod.spec.containers):
            if container.name in plan.start and (reason := await self._start(pod, directory, container)):
                waiting[container.name] = reason
        self._tell(pod, {name: reason for name, reason in waiting.items() if known.waiting.get(name) != reason})
        known.waiting = waiting
        return waiting

    async def refresh(self, pod: Pod, directory: PodDirectory) -> float:
        """Write anew what changed in the volumes, if it is time; returns the seconds until the next time.

        A failure leaves the volumes as they are until then.
        """
        known = self._pod(directory.uid)
        if (left := known.prepared_at + REFRESH_SECONDS - self._clock()) > 0:
            return left
        try:
            await self._prepare(pod, directory)
        except (LabError, httpx2.HTTPError, OSError) as error:
            log.warning("%s/%s: the volumes are as before: %s", *directory.key, error)
            known.prepared_at = self._clock()
        return REFRESH_SECONDS

    async def _prepare(self, pod: Pod, directory: PodDirectory) -> Prepared:
        prepared = await self._preparation.prepare(pod, directory)
        self._pod(directory.uid).prepared_at = self._clock()
        return prepared

    def _tell(self, pod: Pod, news: dict[str, Waiting]) -> None:
        for name, waiting in news.items():
            if waiting.message:
                reason = "BackOff" if waiting.reason.endswith("BackOff") else "Failed"
                message = f"{waiting.reason}: {waiting.message}"
                self._events.tell(pod, reason, message, kind="Warning", container=name)

    def _backing_off(self, directory: PodDirectory, container: str, left: float) -> Waiting:
        tried = self._tried(directory.uid, container)
        tried.not_before = self._clock() + left
        # No time that passes is told: each change of the status is a write.
        return Waiting("CrashLoopBackOff", f"back-off {CRASHES.delay(tried.crashes):.0f}s restarting failed container")

    async def _start(self, pod: Pod, directory: PodDirectory, container: Container) -> Waiting | None:
        tried = self._tried(directory.uid, container.name)
        known = self._pod(directory.uid).waiting.get(container.name)
        if known and tried.failures and tried.not_before > self._clock():
            return known
        image = self._pulls.get(pod, container)
        if isinstance(image, Waiting):
            # Asking the registry again is no news: what the container waits for is told until that has changed.
            return image if image.message or known is None else known
        try:
            await self._create(pod, directory, container, image)
        except (LabError, httpx2.HTTPError, OSError) as error:
            tried.failures += 1
            tried.not_before = self._clock() + _RETRIES.delay(tried.failures)
            level = logging.WARNING if tried.failures == 1 else logging.DEBUG
            log.log(level, "%s/%s: %s: %s", *directory.key, container.name, error)
            is_config = isinstance(error, ConfigError)
            return Waiting("CreateContainerConfigError" if is_config else "CreateContainerError", str(error))
        tried.failures, tried.not_before = 0, 0.0
        return None

    async def _create(self, pod: Pod, directory: PodDirectory, container: Container, image: Image) -> None:
        _refuse_sidecar(container)
        prepared = await self._prepare(pod, directory)
        allocation = await self._preparation.allocate(pod, container)
        spec = await self._preparation.specify(container, prepared, allocation, image.module)
        tried = self._tried(directory.uid, container.name)
        crashes = crashes_after(views(pod, directory, self._containers)[container.name], tried.crashes)
        run = directory.next_run(container.name, image.image_id)
        try:
            await self._containers.start(replace(spec, directory=str(run.path)))
        except LabError:
            shutil.rmtree(run.path, ignore_errors=True)
            raise
        tried.crashes = crashes
        self._events.tell(pod, "Started", f"Started container {container.name}", container=container.name)

    def _pod(self, uid: str) -> _Pod:
        return self._pods.setdefault(uid, _Pod())

    def _tried(self, uid: str, container: str) -> _Tried:
        return self._pod(uid).tried.setdefault(container, _Tried())


def _refuse_sidecar(container: Container) -> None:
    if container.restartPolicy:
        raise unusable(container.name, "It is a restartable init container, which this node does not offer")
