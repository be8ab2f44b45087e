"""The SDK of discovery handlers: all that a handler's author imports.

    import asyncio, sys
    from collections.abc import AsyncIterator, Sequence
    from dataclasses import dataclass
    from pathlib import Path
    from edgelab.discovery.sdk import Device, Properties, handler, main

    @dataclass(frozen=True)
    class Details:
        directory: str
        interval_seconds: float = 1.0

    @handler("files", shared=False)
    async def discover(details: Details, properties: Properties) -> AsyncIterator[Sequence[Device]]:
        while True:
            yield [Device(path.name, {"FILE": str(path)}) for path in Path(details.directory).iterdir()]
            await asyncio.sleep(details.interval_seconds)

    HANDLER = discover

    if __name__ == "__main__":
        sys.exit(main(HANDLER))

The generator runs once for each Configuration that asks, and is closed when that does not want devices any more. Each
set it yields is complete: what is not in it is gone. It yields as soon as it knows, an empty set included; a set that
equals the one before is not sent. When it ends, its last set stands. It raises InvalidDetailsError for details that it
cannot use, and LabError when it cannot serve them now; any other exception is told to the agent with file and line.

`edgelab handler run FILE.py` tries a handler, `edgelab.discovery.testing` helps to test it, and `edgelab handler new`
writes one with tests and an image.
"""

from edgelab.core.errors import LabError
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.definition import Handler, Properties, handler
from edgelab.discovery.handler import InvalidDetailsError
from edgelab.discovery.program import main

__all__ = [
    "Device",
    "DeviceSpec",
    "Handler",
    "InvalidDetailsError",
    "LabError",
    "Mount",
    "Properties",
    "handler",
    "main",
]
