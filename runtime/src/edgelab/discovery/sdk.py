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
"""

import asyncio
import contextlib
import inspect
import re
import traceback
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from edgelab.core.errors import LabError
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.details import check_type, read_details
from edgelab.discovery.handler import DiscoverRequest, InvalidDetailsError

__all__ = ["Device", "DeviceSpec", "Handler", "InvalidDetailsError", "LabError", "Mount", "Properties", "handler"]

D = TypeVar("D")

Properties = Mapping[str, bytes | None]
"""A Configuration's discoveryProperties; None is one without a value."""

Discover = Callable[[D, Properties], AsyncIterator[Sequence[Device]]]

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,40}")


@dataclass(frozen=True, slots=True)
class Handler(Generic[D]):
    """A discovery handler: the name that Configurations use, and a way of finding devices.

    `shared` says that several nodes may see the same device, which then has one name on all of them. `details` is a
    dataclass that `edgelab.discovery.details` can fill, or `str`.
    """

    name: str
    shared: bool
    details: type[D]
    discover: Discover[D]

    async def answer(self, request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        """The sets of devices for one Configuration, as `edgelab.discovery.handler` serves them; never ends."""
        details = read_details(request.details, self.details)
        generator = typing.cast("AsyncGenerator[Sequence[Device], None]", self.discover(details, request.properties))
        async with contextlib.aclosing(generator) as sets:
            async for devices in sets:
                yield devices
        await asyncio.Event().wait()

    def blame(self, error: BaseException) -> str:
        """What went wrong and where in the handler's file, for its author."""
        file = inspect.getfile(self.discover)
        lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
        place = f"{file}, line {lines[-1]}" if lines else file
        return f"{type(error).__name__}: {error} ({place})"


def handler(name: str, *, shared: bool) -> Callable[[Discover[D]], Handler[D]]:
    """Make a handler of an async generator function whose first parameter's annotation is the type of its details.

    Raises ValueError for a name that cannot be part of a socket's path, TypeError for a function that cannot serve.
    """
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a handler's name: 1 to 41 letters, digits, dots, dashes and underscores")

    def decorate(function: Discover[D]) -> Handler[D]:
        if not inspect.isasyncgenfunction(function):
            raise TypeError("A discovery handler is an async generator function: async def with yield")
        details = _details_of(function)
        check_type(details)
        return Handler(name, shared, details, function)

    return decorate


def _details_of(function: Discover[D]) -> type[D]:
    parameters = list(inspect.signature(function).parameters)
    hints = typing.get_type_hints(function)
    if len(parameters) != 2 or parameters[0] not in hints:
        raise TypeError("A discovery handler takes details, which are annotated with their type, and properties")
    return typing.cast("type[D]", hints[parameters[0]])
