"""Telling people what is wrong, where `kubectl describe` shows it: Events on the object concerned.

The same Event of the same object is one Event object, counted up, and told at most once a minute.
"""

import hashlib
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import httpx2
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import Event
from lightkube.types import PatchType

from edgelab.core.model import API_VERSION, ObjectReference
from edgelab.kube.client import is_conflict

log = logging.getLogger(__name__)

_QUIET_SECONDS = 60.0
_LONGEST_MESSAGE = 1024


@dataclass(slots=True)
class _Told:
    at: float
    count: int = 0


class Reporter:
    """Writes Warning Events in the name of a component; failures to do so are logged only. clock: seconds."""

    def __init__(self, client: AsyncClient, component: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client, self._component, self._clock = client, component, clock
        self._told: dict[str, _Told] = {}

    async def warn(self, about: ObjectReference, namespace: str, reason: str, message: str) -> None:
        """Warn about a custom resource of Akri; reason is one CamelCase word."""
        name = event_name(about, reason, message)
        now = self._clock()
        told = self._told.setdefault(name, _Told(at=now - _QUIET_SECONDS))
        if now - told.at < _QUIET_SECONDS:
            return
        told.at, told.count = now, told.count + 1
        log.warning("%s %s/%s: %s: %s", about.kind, namespace, about.name, reason, message)
        body = self._body(about, namespace, reason, message) | {"metadata": {"name": name, "namespace": namespace}}
        try:
            await self._write(body, told.count)
        except httpx2.HTTPError as error:  # lightkube's ApiError is one of these
            log.warning("cannot write the Event %s/%s: %s", namespace, name, error)

    async def _write(self, body: dict[str, Any], count: int) -> None:
        try:
            event: Any = Event.from_dict(body)
            await self._client.create(event)
        except ApiError as error:
            if not is_conflict(error):
                raise
            meta = body["metadata"]
            patch = {"lastTimestamp": body["lastTimestamp"], "count": count}
            await self._client.patch(
                Event, meta["name"], patch, namespace=meta["namespace"], patch_type=PatchType.MERGE
            )

    def _body(self, about: ObjectReference, namespace: str, reason: str, message: str) -> dict[str, Any]:
        now = datetime.fromtimestamp(self._clock(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        involved = {"apiVersion": API_VERSION, "kind": about.kind, "namespace": namespace}
        return {
            "involvedObject": involved | {"name": about.name, "uid": about.uid},
            "type": "Warning",
            "reason": reason,
            "message": message[:_LONGEST_MESSAGE],
            "firstTimestamp": now,
            "lastTimestamp": now,
            "count": 1,
            "source": {"component": self._component},
            "reportingComponent": self._component,
            "reportingInstance": "",
        }


def event_name(about: ObjectReference, reason: str, message: str) -> str:
    """Name of an Event: the same for the same object, reason and message, also after a restart."""
    told = "\0".join((about.uid, reason, message))
    return f"{about.name[:230]}.{hashlib.blake2b(told.encode(), digest_size=8).hexdigest()}"
