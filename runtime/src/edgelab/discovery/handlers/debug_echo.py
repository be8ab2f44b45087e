"""The handler `debugEcho`: devices that a Configuration names, for trying things without hardware, as Akri's does.

Details: `descriptions: [foo0, foo1]`. The id of each device is its description, which is also its property
DEBUG_ECHO_DESCRIPTION. A file says which of them are unplugged, /tmp/debug-echo-availability.txt or what
DEBUG_ECHO_AVAILABILITY_FILE names: a line `OFFLINE foo1` unplugs that one, any other line that contains OFFLINE all of
them. Akri 0.13.26 looks every 10 s and knows all or nothing; here inotify tells.

DEBUG_ECHO_INSTANCES_SHARED=false makes the devices local to a node, as for Akri's handler; without it they are shared.
"""

import os
from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from edgelab.discovery.sdk import Device, Properties, handler
from edgelab.service.watching import watch_directory

FILE = "/tmp/debug-echo-availability.txt"


@dataclass(frozen=True, slots=True)
class DebugEchoDetails:
    """The devices, by what they say."""

    descriptions: tuple[str, ...]


@handler("debugEcho", shared=os.environ.get("DEBUG_ECHO_INSTANCES_SHARED", "").lower() != "false")
async def discover(details: DebugEchoDetails, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
    """The devices that are not unplugged, now and whenever the file changes."""
    file = Path(os.environ.get("DEBUG_ECHO_AVAILABILITY_FILE") or FILE)
    with watch_directory(file.parent) as watch:
        yield devices(details.descriptions, _read(file))
        while True:
            if file.name in await watch.changed():
                yield devices(details.descriptions, _read(file))


HANDLER = discover


def devices(descriptions: Iterable[str], availability: str) -> list[Device]:
    """The devices that an availability file leaves plugged."""
    unplugged = offline(availability)
    return [
        Device(description, {"DEBUG_ECHO_DESCRIPTION": description})
        for description in descriptions
        if unplugged is not None and description.strip() not in unplugged
    ]


def offline(availability: str) -> Collection[str] | None:
    """The descriptions that a file's text unplugs; None when it unplugs all."""
    lines = [line.strip() for line in availability.splitlines()]
    named = {line.removeprefix("OFFLINE ").strip() for line in lines if line.startswith("OFFLINE ")}
    everything = any("OFFLINE" in line and not line.startswith("OFFLINE ") for line in lines)
    return None if everything else named


def _read(file: Path) -> str:
    try:
        return file.read_text(errors="replace")
    except FileNotFoundError:
        return ""
