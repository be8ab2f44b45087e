"""Events of Pods, as `kubectl describe pod` shows them. Written in the background; a failure costs the Event only."""

import asyncio
import logging
import uuid
from typing import Literal

import httpx2
from lightkube import AsyncClient
from lightkube.models.core_v1 import Container, Pod
from lightkube.resources.core_v1 import Event

from edgelab.node.containers.records import now

log = logging.getLogger(__name__)

_LONGEST_MESSAGE = 1024
"""Characters that the API server takes."""


class PodEvents:
    """Writes Events in the name of the node."""

    def __init__(self, client: AsyncClient, node: str) -> None:
        self._client, self._node = client, node
        self._writing: set[asyncio.Task[None]] = set()

    def tell(
        self, pod: Pod, reason: str, message: str, *, kind: Literal["Normal", "Warning"] = "Normal", container: str = ""
    ) -> None:
        """Write an Event about a Pod, or about one of its containers; reason is one CamelCase word."""
        task = asyncio.create_task(self._write(self._body(pod, reason, message, kind, container)))
        self._writing.add(task)
        task.add_done_callback(self._writing.discard)

    async def _write(self, event: Event) -> None:
        try:
            await self._client.create(event)
        except httpx2.HTTPError as error:
            log.debug("an Event was not written: %s", error)

    def _body(self, pod: Pod, reason: str, message: str, kind: str, container: str) -> Event:
        assert pod.metadata is not None
        meta, moment = pod.metadata, now()
        involved = {"apiVersion": "v1", "kind": "Pod", "namespace": meta.namespace, "name": meta.name, "uid": meta.uid}
        body = Event.from_dict(
            {
                "metadata": {"name": f"{(meta.name or '')[:200]}.{uuid.uuid4().hex[:16]}", "namespace": meta.namespace},
                "involvedObject": involved | ({"fieldPath": f"spec.containers{{{container}}}"} if container else {}),
                "type": kind,
                "reason": reason,
                "message": message[:_LONGEST_MESSAGE],
                "firstTimestamp": moment,
                "lastTimestamp": moment,
                "count": 1,
                "source": {"component": "kubelet", "host": self._node},
                "reportingComponent": "kubelet",
                "reportingInstance": self._node,
            }
        )
        assert isinstance(body, Event)
        return body


def ignored(pod: Pod) -> list[str]:
    """What a Pod asks for and this node passes over: it runs all the same."""
    assert pod.spec is not None
    found = [f"{what} of {each.name}" for each in pod.spec.containers for what in _ignored_of(each)]
    return [*found, *(["ephemeral containers"] if pod.spec.ephemeralContainers else [])]


def _ignored_of(container: Container) -> list[str]:
    probes = ("livenessProbe", "readinessProbe", "startupProbe", "lifecycle")
    return [probe for probe in probes if getattr(container, probe)]
