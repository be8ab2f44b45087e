"""The Pods of the node: each is brought, step by step, to what its specification says, and its status is told.

A Pod is looked at again after each change of it, each end of a container, each finished pull, and when something is
due. Every look decides from the specification and from what is on disk, so a restarted node goes on where the former
one was: containers that live are adopted, those that ended are treated as if it had seen it, those of Pods that are
gone are stopped.

Not offered, and passed over with a warning Event: probes, lifecycle hooks, ephemeral containers. Restartable init
containers (sidecars) are refused: the container waits with CreateContainerConfigError.
"""

import asyncio
import logging
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from lightkube import AsyncClient
from lightkube.models.core_v1 import Pod
from lightkube.resources.core_v1 import Pod as Pods

from edgelab.core.errors import LabError
from edgelab.kube.deletion import delete_exactly
from edgelab.kube.follow import Key, Mirror
from edgelab.kube.workers import Workers
from edgelab.node.containers.records import timestamp
from edgelab.node.containers.runtime import Containers
from edgelab.node.images.store import Images
from edgelab.node.pods.decisions import Plan, Waiting, decide, end_phase, seconds_left
from edgelab.node.pods.events import PodEvents, ignored
from edgelab.node.pods.files import PodDirectory, PodStore, Run
from edgelab.node.pods.preparation import Preparation
from edgelab.node.pods.pulling import Pulls, image_names
from edgelab.node.pods.starting import Starting
from edgelab.node.pods.status import Situation, build_status
from edgelab.node.pods.status_writer import StatusWriter
from edgelab.node.pods.stopping import Stopping
from edgelab.node.pods.views import views
from edgelab.node.seams import Devices
from edgelab.node.volumes.content import is_filled
from edgelab.node.volumes.fields import NodeFacts

log = logging.getLogger(__name__)

_ORPHAN_GRACE = 2.0
"""Seconds that a container gets whose Pod is gone from the API server."""

_PRUNE_SECONDS = 6 * 3600.0
"""How often images are looked at that no Pod has any more."""


class PodManager:
    """Runs the Pods that are bound to this node, and finds their logs (PodLogs).

    `state` is the node's own directory. Containers go on when `run()` is cancelled.
    """

    def __init__(
        self,
        client: AsyncClient,
        node: NodeFacts,
        *,
        state: Path,
        devices: Devices,
        images: Images,
    ) -> None:
        self._client, self._addresses, self._images = client, node.addresses, images
        self._store = PodStore(state / "pods")
        self._containers = Containers(state, on_end=self._container_ended)
        self._pulls = Pulls(client, images, on_news=self._news)
        self._preparation = Preparation(client, devices, node)
        self._events = PodEvents(client, node.name)
        self._starting = Starting(self._containers, self._pulls, self._preparation, self._events)
        self._stopping = Stopping(self._containers)
        self._writer = StatusWriter(client)
        self._workers: Workers[Key] = Workers(self._look_at)
        selectors = {"namespace": "*", "fields": {"spec.nodeName": node.name}}
        self._mirror: Mirror[Pod] = Mirror(
            client, Pods, parse=lambda body: body, on_change=self._workers.add, selectors=selectors
        )

    @property
    def listed(self) -> asyncio.Event:
        """Set once the Pods of this node are known."""
        return self._mirror.listed

    def running(self) -> int:
        """How many Pods have a running container."""
        return sum(self._is_running(directory) for directory in self._store.all())

    def log_files(self, namespace: str, pod: str, container: str) -> Sequence[Path]:
        """The logs of a container's runs, oldest first (PodLogs)."""
        runs = self._runs(namespace, pod, container)
        if not runs:
            raise LabError(
                attempted=f"Read the log of container {container} in Pod {namespace}/{pod}",
                seen="It has not been started on this node",
                remedy="See why with kubectl describe pod",
            )
        return [run.directory.log for run in runs if run.directory.log.exists()]

    async def ended(self, namespace: str, pod: str, container: str) -> None:
        """Return when the newest run of a container is over (PodLogs)."""
        if runs := self._runs(namespace, pod, container):
            await self._containers.ended(runs[-1].directory)

    def _runs(self, namespace: str, pod: str, container: str) -> list[Run]:
        body = self._mirror.objects.get((namespace, pod))
        directory = self._store.of(body.metadata.uid or "") if body and body.metadata else None
        return directory.runs(container) if directory else []

    async def run(self) -> None:
        """Run Pods until cancelled."""
        async with self._containers, self._workers, asyncio.TaskGroup() as tasks:
            await self._adopt()
            tasks.create_task(self._mirror.run())
            tasks.create_task(self._look_at_all())
            tasks.create_task(self._prune_images())

    async def _adopt(self) -> None:
        for directory in self._store.all():
            for run in directory.all_runs():
                if run.directory.start() or run.directory.exit():
                    await self._containers.adopt(run.directory)
                else:
                    # Called off: a container that would begin now finds its directory gone.
                    shutil.rmtree(run.directory.path)

    async def _look_at_all(self) -> None:
        await self._mirror.listed.wait()
        for key in {*self._mirror.objects, *(directory.key for directory in self._store.all())}:
            self._workers.add(key)

    async def _prune_images(self) -> None:
        await self._mirror.listed.wait()
        while True:
            try:
                self._images.prune({name for pod in self._mirror.objects.values() for name in image_names(pod)})
            except OSError as error:
                log.warning("Images that no Pod has stay: %s", error)
            await asyncio.sleep(_PRUNE_SECONDS)

    def _container_ended(self, run: Path) -> None:
        if directory := self._store.owner(run):
            self._workers.add(directory.key)

    def _news(self, uid: str) -> None:
        if directory := self._store.of(uid):
            self._workers.add(directory.key)

    async def _look_at(self, key: Key) -> None:
        if not self._mirror.listed.is_set():
            return  # looked at again by _look_at_all
        pod = self._mirror.objects.get(key)
        assert pod is None or pod.metadata is not None
        uid = pod.metadata.uid if pod and pod.metadata else None
        others = [each for each in self._store.all() if each.key == key and each.uid != uid]
        for directory in others:
            self._wind_up(directory)
        if pod is None or pod.metadata is None or any(self._store.of(each.uid) for each in others):
            return
        directory = self._store.make(*key, pod.metadata.uid or "")
        if pod.metadata.deletionTimestamp:
            await self._end(pod, directory)
        else:
            await self._bring_about(self._writer.before(pod), directory)

    def _wind_up(self, directory: PodDirectory) -> None:
        """Stop the containers of a Pod that is gone, then drop what it left."""
        if (seconds := self._stopping.stop(directory, _ORPHAN_GRACE)) is not None:
            self._workers.add(directory.key, after=seconds)
            return
        self._forget(directory)
        self._store.remove(directory)

    def _forget(self, directory: PodDirectory) -> None:
        self._preparation.release(directory.uid)
        self._pulls.forget(directory.uid)
        self._starting.forget(directory.uid)
        self._writer.forget(directory.uid)

    async def _end(self, pod: Pod, directory: PodDirectory) -> None:
        """A Pod is being deleted: stop it, tell its end, let it go."""
        assert pod.metadata is not None
        if (seconds := self._stopping.stop(directory, pod.metadata.deletionGracePeriodSeconds or 0)) is not None:
            self._workers.add(directory.key, after=seconds)
            return
        found = views(pod, directory, self._containers)
        phase = end_phase(pod, found) if any(view.exit for view in found.values()) else ""
        await self._tell(self._writer.before(pod), Situation(found, {}, phase))
        self._preparation.release(directory.uid)
        await delete_exactly(self._client, Pods, pod, grace_seconds=0)

    async def _bring_about(self, pod: Pod, directory: PodDirectory) -> None:
        now = datetime.now(UTC)
        plan = self._plan(pod, directory, now)
        if plan.phase:
            await self._finish(pod, directory, plan)
            return
        is_new = not (pod.status and pod.status.startTime)
        if is_new and (passed_over := ignored(pod)):
            self._events.tell(pod, "NotOffered", f"Passed over: {', '.join(passed_over)}", kind="Warning")
        waiting = await self._starting.start(pod, directory, plan)
        await self._tell(pod, Situation(views(pod, directory, self._containers), waiting))
        await self._appoint(pod, directory, waiting, now)

    def _plan(self, pod: Pod, directory: PodDirectory, now: datetime) -> Plan:
        phase = (pod.status.phase if pod.status else None) or ""
        if pod.status and phase in ("Succeeded", "Failed"):
            return Plan(phase=phase, reason=pod.status.reason or "", message=pod.status.message or "")
        crashes = self._starting.crashes(directory.uid)
        return decide(pod, views(pod, directory, self._containers), crashes, now)

    async def _finish(self, pod: Pod, directory: PodDirectory, plan: Plan) -> None:
        assert pod.spec is not None
        grace = pod.spec.terminationGracePeriodSeconds or 0
        if (seconds := self._stopping.stop(directory, grace)) is not None:
            self._workers.add(directory.key, after=seconds)
            return
        self._preparation.release(directory.uid)
        found = views(pod, directory, self._containers)
        await self._tell(pod, Situation(found, {}, plan.phase, plan.reason, plan.message))

    async def _tell(self, pod: Pod, situation: Situation) -> Pod:
        status = build_status(pod, situation, self._addresses, timestamp(datetime.now(UTC)))
        await self._writer.write(pod, status)
        return self._writer.before(pod)

    async def _appoint(self, pod: Pod, directory: PodDirectory, waiting: dict[str, Waiting], now: datetime) -> None:
        """Come back when something is due that nothing else will tell."""
        due = [self._starting.seconds_left(directory.uid, name) for name in waiting]
        if (left := seconds_left(pod, now)) is not None:
            due.append(left + 0.1)
        is_changing = pod.spec and any(is_filled(volume) for volume in pod.spec.volumes or ())
        if is_changing and self._is_running(directory):
            due.append(await self._starting.refresh(pod, directory))
        wanted = [seconds for seconds in due if seconds > 0]
        if wanted:
            self._workers.add(directory.key, after=min(wanted))

    def _is_running(self, directory: PodDirectory) -> bool:
        return any(self._containers.is_running(run.directory) for run in directory.all_runs())
