"""Pulling the images of containers in the background, so that a Pod can be deleted while a registry is slow."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

import httpx2
from lightkube import AsyncClient
from lightkube.models.core_v1 import Container, Pod

from edgelab.core.backoff import Backoff
from edgelab.node.images.credentials import Credentials, credentials_for
from edgelab.node.images.errors import ImageError, refused
from edgelab.node.images.reference import parse
from edgelab.node.images.store import Image, Images
from edgelab.node.pods.decisions import Waiting
from edgelab.node.volumes.materials import Names, fetch

PULLS = Backoff(10, 300)
"""Seconds between failed pulls of a container's image, as kubelets wait."""

Key = tuple[str, str]
"""A Pod's uid and the name of a container."""


@dataclass(slots=True)
class _Pull:
    task: asyncio.Task[Image] | None = None
    failures: int = 0
    not_before: float = 0.0
    error: ImageError | None = None


class Pulls:
    """The image of each container, or what it waits for. `on_news(uid)` is called when that may have changed."""

    def __init__(
        self,
        client: AsyncClient,
        images: Images,
        *,
        on_news: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client, self._images = client, images
        self._on_news, self._clock = on_news, clock
        self._pulls: dict[Key, _Pull] = {}

    def get(self, pod: Pod, container: Container) -> Image | Waiting:
        """The image to start the container with, once for each start; else why there is none yet."""
        assert pod.metadata is not None
        key = (pod.metadata.uid or "", container.name)
        pull = self._pulls.setdefault(key, _Pull())
        if pull.task is None:
            if here := self._images.without_asking(container.image or "", container.imagePullPolicy or ""):
                return here
            if pull.error and self.seconds_left(key) > 0:
                return _backing_off(pull.error)
            pull.task = asyncio.create_task(self._ensure(pod, container))
            pull.task.add_done_callback(lambda _: self._on_news(key[0]))
        if not pull.task.done():
            return Waiting("ContainerCreating")
        return self._outcome(pull)

    def seconds_left(self, key: Key) -> float:
        """Time until the next try; 0 when nothing failed."""
        pull = self._pulls.get(key)
        return max(0.0, pull.not_before - self._clock()) if pull else 0.0

    def forget(self, uid: str) -> None:
        """Give up the pulls of a Pod that is gone."""
        for key in [key for key in self._pulls if key[0] == uid]:
            pull = self._pulls.pop(key)
            if pull.task:
                pull.task.cancel()

    def _outcome(self, pull: _Pull) -> Image | Waiting:
        task, pull.task = pull.task, None
        assert task is not None
        try:
            image = task.result()
        except ImageError as error:
            pull.failures, pull.error = pull.failures + 1, error
            pull.not_before = self._clock() + PULLS.delay(pull.failures)
            return Waiting(error.reason, str(error))
        pull.failures, pull.error, pull.not_before = 0, None, 0.0
        return image

    async def _ensure(self, pod: Pod, container: Container) -> Image:
        name, policy = container.image or "", container.imagePullPolicy or "IfNotPresent"
        return await self._images.ensure(name, policy, await self._credentials(pod, name))

    async def _credentials(self, pod: Pod, image: str) -> Credentials | None:
        assert pod.spec is not None
        assert pod.metadata is not None
        wanted = Names(secrets=frozenset(each.name or "" for each in pod.spec.imagePullSecrets or ()))
        if not wanted.secrets:
            return None
        try:
            found = (await fetch(self._client, pod.metadata.namespace or "", wanted)).secrets
        except httpx2.HTTPError as error:
            raise refused(image, f"The pull secrets cannot be read: {error}") from error
        configurations = [secret.get(".dockerconfigjson", b"") for secret in found.values() if secret]
        return credentials_for(parse(image).registry, configurations)


def image_names(pod: Pod) -> list[str]:
    """The images of a Pod's containers."""
    assert pod.spec is not None
    return [each.image or "" for each in (*(pod.spec.initContainers or ()), *pod.spec.containers)]


def _backing_off(error: ImageError) -> Waiting:
    """The reasons that time does not heal stay as they are, so that a person sees them."""
    reason = "ImagePullBackOff" if error.reason == "ErrImagePull" else error.reason
    return Waiting(reason, str(error))
