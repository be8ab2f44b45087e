"""Which slots this node holds: claimed and released here, written to `deviceUsage`, restored from it at start.

What the ledger says of this node's own slots is true before and after the API server has seen it: a slot is held
from the moment its claim was written until its release was. An Instance that is deleted while its slots are held
gets them again when it comes back, so no slot is given twice.
"""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping

from lightkube.core.exceptions import ApiError

from edgelab.agent import slots
from edgelab.agent.slots import Holder
from edgelab.agent.writer import Writer
from edgelab.core.errors import LabError
from edgelab.core.model import Instance
from edgelab.kube.client import is_conflict, is_missing
from edgelab.kube.follow import Key

log = logging.getLogger(__name__)


class SlotTakenError(LabError):
    """Somebody else holds the slot."""


class Ledger:
    """The slots of every Instance, as this node sees them. `instances`: the agent's mirror."""

    def __init__(self, writer: Writer, node: str, instances: Mapping[Key, Instance]) -> None:
        self._writer, self._node, self._instances = writer, node, instances
        self._mine: dict[Key, dict[str, str]] = {}
        self._locks: defaultdict[Key, asyncio.Lock] = defaultdict(asyncio.Lock)

    def adopt(self, instance: Instance) -> None:
        """At the first sight of an Instance: what it says that this node holds is held."""
        self._mine.setdefault(instance.key, slots.own(instance.device_usage, self._node))

    def usage(self, key: Key) -> dict[str, Holder]:
        """The held slots of an Instance and who holds each."""
        instance = self._instances.get(key)
        return slots.usage(instance.device_usage if instance else {}, self._own(key), self._node)

    def held(self) -> Iterator[tuple[Key, str, Holder]]:
        """Every slot that this node holds."""
        for key, mine in self._mine.items():
            for slot, value in mine.items():
                yield key, slot, slots.holder(value) or Holder(self._node)

    async def claim(self, key: Key, wanted: Mapping[str, Holder]) -> None:
        """Hold these slots, all or none; those held already in the same way are fine.

        Raises SlotTakenError if somebody else holds one of them.
        """
        async with self._locks[key]:
            before = self.usage(key)
            for slot, holder in wanted.items():
                if before.get(slot, holder) != holder:
                    raise _taken(slot, str(before[slot]))
            await self._write(key, self._own(key) | {slot: str(holder) for slot, holder in wanted.items()})

    async def release(self, key: Key, freed: Collection[str]) -> None:
        """No longer hold these slots."""
        async with self._locks[key]:
            mine = self._own(key)
            await self._write(key, {slot: value for slot, value in mine.items() if slot not in freed})

    async def reassert(self, key: Key) -> None:
        """Make the Instance say what this node holds, should it say otherwise; a slot lost to others is let go."""
        instance = self._instances.get(key)
        if instance is None or slots.own(instance.device_usage, self._node) == self._own(key):
            return
        async with self._locks[key]:
            mine = self._own(key)
            try:
                await self._apply(instance, mine)
            except SlotTakenError:
                observed, _version = await self._writer.fresh_usage(instance)
                kept = {slot: value for slot, value in mine.items() if observed.get(slot, "") in ("", value)}
                log.warning("%s: slots %s now belong to others", instance.name, sorted(set(mine) - set(kept)))
                self._mine[key] = kept

    def let_go(self, key: Key) -> None:
        """An Instance is gone: forget it, unless its slots are still held."""
        if not self._mine.get(key):
            self._mine.pop(key, None)
            self._locks.pop(key, None)

    def _own(self, key: Key) -> dict[str, str]:
        mine, instance = self._mine.get(key), self._instances.get(key)
        if mine is None:
            return slots.own(instance.device_usage, self._node) if instance else {}
        return mine

    async def _write(self, key: Key, mine: dict[str, str]) -> None:
        if mine == self._own(key):
            return
        instance = self._instances.get(key)
        if instance and not instance.deleting:
            await self._apply(instance, mine)
        elif set(mine) - set(self._own(key)):
            raise LabError(f"Claim a slot of {key[1]}", "The Instance is gone or going")
        self._mine[key] = mine

    async def _apply(self, instance: Instance, mine: dict[str, str]) -> None:
        try:
            await self._writer.apply_usage(instance, mine)
        except ApiError as error:
            if is_missing(error):
                raise LabError(f"Write the slots of {instance.name}", "The Instance is gone") from error
            if not is_conflict(error):
                raise
            await self._heal(instance, mine)

    async def _heal(self, instance: Instance, mine: dict[str, str]) -> None:
        # Akri's controller frees a lost node's slots by writing "" under the manager `unknown`, which then owns the
        # keys (akri issue 801). A key that is free may be taken over; one that is held may not.
        observed, version = await self._writer.fresh_usage(instance)
        for slot, value in mine.items():
            if observed.get(slot, "") not in ("", value):
                raise _taken(slot, observed[slot])
        await self._writer.seize_usage(instance, mine, version)


def _taken(slot: str, by: str) -> SlotTakenError:
    return SlotTakenError(f"Claim slot {slot}", f"It is held by {by}")
