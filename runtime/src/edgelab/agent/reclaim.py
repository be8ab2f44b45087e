"""Freeing slots whose Pods are gone, as the kubelet's pod resources API and the node's Pods tell.

Akri 0.13.26 looks every 10 s and frees what was not listed for 20 s. So does this, but only while slots are held;
and a slot whose Pod was seen and has ended is freed as soon as the kubelet no longer lists it. When the kubelet does
not answer, nothing is freed.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from grpclib.exceptions import GRPCError, StreamTerminatedError

from edgelab.agent.ledger import Ledger
from edgelab.agent.slots import Holder
from edgelab.core import names
from edgelab.kube.follow import Key
from edgelab.service.sockets import grpc_channel
from edgelab.wire.podresources_grpc import PodResourcesListerStub
from edgelab.wire.podresources_pb2 import ListPodResourcesRequest, ListPodResourcesResponse

log = logging.getLogger(__name__)

Slot = tuple[Key, str]
"""Instance and slot key."""

Ticket = tuple[str, str]
"""Extended resource and device id, as the kubelet knows a held slot."""


@dataclass(frozen=True, slots=True)
class Timing:
    """Seconds between rounds, between those that wait for an ended Pod to be unlisted, until an unlisted slot goes."""

    every: float = 10.0
    hurried: float = 0.5
    patience: float = 20.0


@dataclass(frozen=True, slots=True)
class PodState:
    """What of a Pod matters here."""

    uid: str
    ended: bool


@dataclass(frozen=True, slots=True)
class Sighting:
    """When a held slot was last listed for a Pod that runs (or first looked for), and that Pod."""

    at: float
    pod: Key | None = None
    uid: str = ""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Outcome of a round: slots to free, what to remember of the others, whether a Pod's end is still to be seen."""

    free: frozenset[Slot] = frozenset()
    sightings: Mapping[Slot, Sighting] = field(default_factory=dict)
    pending: bool = False


def pod_state(pod: Any) -> PodState:
    """The state of a Pod object."""
    phase = pod.status.phase if pod.status else ""
    return PodState(pod.metadata.uid, phase in ("Succeeded", "Failed"))


def ticket(slot: Slot, holder: Holder, configuration: str) -> Ticket:
    """What the kubelet calls a held slot."""
    (_namespace, instance), key = slot
    if holder.virtual:
        return names.resource(configuration), holder.virtual
    return names.resource(instance), key


def judge(
    held: Mapping[Slot, Ticket],
    listed: Mapping[Ticket, Key],
    pods: Mapping[Key, PodState],
    before: Mapping[Slot, Sighting],
    *,
    now: float,
    patience: float,
) -> Verdict:
    """Which held slots to free. listed: tickets in use and the Pod of each; pods: those of this node."""
    sightings, free, pending = {}, set(), False
    for slot, card in held.items():
        sighting = before.get(slot, Sighting(now))
        if card in listed:
            sighting = _listed(sighting, listed[card], pods, now, patience)
            pending = pending or (_ended(sighting, pods) and now - sighting.at < patience)
        elif _ended(sighting, pods) or now - sighting.at >= patience:
            free.add(slot)
            continue
        sightings[slot] = sighting
    return Verdict(frozenset(free), sightings, pending)


def _listed(before: Sighting, pod: Key, pods: Mapping[Key, PodState], now: float, patience: float) -> Sighting:
    uid = _uid(pods, pod)
    # A kubelet lists the devices of an ended Pod a moment longer. But a slot may also have passed to a new Pod of the
    # same name without being seen free in between: patience tells.
    lingers = uid in ("", before.uid) or now - before.at < patience
    if before.pod == pod and _ended(before, pods) and lingers:
        return before
    return Sighting(now, pod, uid)


def _uid(pods: Mapping[Key, PodState], key: Key) -> str:
    pod = pods.get(key)
    return pod.uid if pod else ""


def _ended(sighting: Sighting, pods: Mapping[Key, PodState]) -> bool:
    if sighting.pod is None or not sighting.uid:
        return False
    pod = pods.get(sighting.pod)
    return pod is None or pod.uid != sighting.uid or pod.ended


def in_use(response: ListPodResourcesResponse) -> dict[Ticket, Key]:
    """The devices in use, and the Pod of each."""
    return {
        (devices.resource_name, device): (pod.namespace, pod.name)
        for pod in response.pod_resources
        for container in pod.containers
        for devices in container.devices
        if devices.resource_name.startswith(f"{names.RESOURCE_DOMAIN}/")
        for device in devices.device_ids
    }


class Reclaimer:
    """Frees slots; call `look()` when a Pod of the node changed or a slot was claimed."""

    def __init__(
        self,
        ledger: Ledger,
        socket: Path,
        pods: Mapping[Key, PodState],
        configuration_of: Callable[[Key], str],
        *,
        timing: Timing = Timing(),
        now: Callable[[], float],
    ) -> None:
        self._ledger, self._socket, self._pods, self._configuration_of = ledger, socket, pods, configuration_of
        self._timing, self._now = timing, now
        self._sightings: Mapping[Slot, Sighting] = {}
        self._wake = asyncio.Event()

    def look(self) -> None:
        """Look soon."""
        self._wake.set()

    async def run(self) -> None:
        """Look for slots to free until cancelled."""
        while True:
            self._wake.clear()
            hurried = await self.round()
            await asyncio.sleep(self._timing.hurried)
            if not hurried:
                await self._pause()

    async def _pause(self) -> None:
        waiting = self._timing.every if any(True for _held in self._ledger.held()) else None
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(waiting):
                await self._wake.wait()

    async def round(self) -> bool:
        """Look once and free what is to be freed; True if it is worth looking again very soon."""
        held = dict(self._held())
        if not held:
            self._sightings = {}
            return False
        try:
            async with grpc_channel(self._socket) as channel:
                response = await PodResourcesListerStub(channel).List(ListPodResourcesRequest(), timeout=5.0)
        except (OSError, GRPCError, StreamTerminatedError, TimeoutError) as error:
            log.debug("pod resources are unknown: %r", error)
            return False
        verdict = judge(
            held, in_use(response), self._pods, self._sightings, now=self._now(), patience=self._timing.patience
        )
        self._sightings = verdict.sightings
        await self._free(verdict.free)
        return verdict.pending

    def _held(self) -> Iterable[tuple[Slot, Ticket]]:
        for key, slot, holder in self._ledger.held():
            yield (key, slot), ticket((key, slot), holder, self._configuration_of(key))

    async def _free(self, freed: Iterable[Slot]) -> None:
        by_instance: dict[Key, list[str]] = {}
        for key, slot in freed:
            by_instance.setdefault(key, []).append(slot)
        for key, keys in by_instance.items():
            await self._ledger.release(key, keys)
            log.info("freed %s: no Pod uses them", ", ".join(sorted(keys)))
