"""All mock devices of one process: which there are, which are plugged, and the file that remembers it."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelab.core.errors import LabError
from edgelab.lab.devices.device import Behaviour, MockDevice
from edgelab.lab.devices.model import Kept, Setting, from_text, to_text
from edgelab.lab.devices.sensor import Sensor
from edgelab.service.files import write_whole


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which devices there are to be; a port of 0 is chosen by the kernel at first and kept from then on.

    advertise: the host in the devices' URLs; foreign: URLs of devices that are somebody else's; behaviour: makes what
    a device is for, by its number from 1.
    """

    ports: Sequence[int]
    listen: str = "127.0.0.1"
    advertise: str = "127.0.0.1"
    foreign: Sequence[str] = ()
    behaviour: Callable[[int], Behaviour] = Sensor


class Fleet:
    """The devices; use it inside `async with`, leaving it closes their ports. state: the file that remembers."""

    def __init__(self, wanted: Wanted, state: Path) -> None:
        self._wanted, self._state = wanted, state
        self._changing = asyncio.Lock()
        kept = read_state(state)
        self._devices = {
            name: MockDevice(name, wanted.listen, _start(kept.get(name), port), wanted.behaviour(number))
            for number, port in enumerate(wanted.ports, start=1)
            for name in [str(number)]
        }

    async def __aenter__(self) -> "Fleet":
        try:
            for device in self._devices.values():
                await device.become(device.setting)
            self._remember()
        except LabError:
            await self.__aexit__()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        for device in self._devices.values():
            await device.unplug()

    def discovered(self) -> Iterator[str]:
        """URLs of the devices that are plugged, and of the foreign ones."""
        yield from (one.url(self._wanted.advertise) for one in self._devices.values() if one.setting.plugged)
        yield from self._wanted.foreign

    def told(self) -> list[dict[str, Any]]:
        """Every device with what is set of it."""
        return [device.told(self._wanted.advertise) for device in self._devices.values()]

    async def change(self, name: str, changes: object) -> dict[str, Any]:
        """Set some of a device and return it as told.

        Raises KeyError for an unknown device, ValueError with the reason for what cannot be set, and LabError when
        the port cannot be opened or the file not be written.
        """
        device = self._devices[name]
        async with self._changing:
            await device.change(changes)
            self._remember()
        return device.told(self._wanted.advertise)

    def _remember(self) -> None:
        text = to_text({name: device.kept for name, device in self._devices.items()})
        try:
            self._state.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_whole(self._state, text.encode())
        except OSError as error:
            raise LabError(
                attempted=f"Remember the devices in {self._state}",
                seen=str(error),
                cause="What was set holds for now and would be forgotten by a restart",
                remedy="Make room or set its permissions right, then set it again",
            ) from error


def _start(kept: Kept | None, port: int) -> Kept:
    before = kept or Kept(0, Setting())
    return Kept(port or before.port, before.setting)


def read_state(path: Path) -> dict[str, Kept]:
    """What a file remembers by the devices' names, nothing when there is none; raises LabError when it is damaged."""
    try:
        return from_text(path.read_text())
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise LabError(
            attempted=f"Read what was set of the devices from {path}",
            seen=str(error),
            remedy="Remove the file: all devices are plugged in then, on ports as given",
        ) from error
