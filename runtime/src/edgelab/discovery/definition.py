"""What a discovery handler is: a name, the type of its details and an async generator; see `edgelab.discovery.sdk`."""

import asyncio
import contextlib
import inspect
import re
import traceback
import typing
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import AsyncGeneratorType, FrameType
from typing import Any, Generic, TypeVar

from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery.details import check_type, read_details
from edgelab.discovery.handler import DiscoverRequest, InvalidDetailsError

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
        """The sets of devices for one Configuration, as `edgelab.discovery.handler` serves them; never ends.

        Raises InvalidDetailsError and LabError, the latter for any other exception of the handler, too.
        """
        details = read_details(request.details, self.details)
        found = self.discover(details, request.properties)
        try:
            async with contextlib.aclosing(typing.cast(AsyncGeneratorType[Sequence[Device], None], found)) as sets:
                async for devices in sets:
                    yield self._checked(devices, sets.ag_frame)
        except (InvalidDetailsError, LabError):
            raise
        except Exception as error:
            raise self._failure(blame(error, inspect.getfile(self.discover))) from error
        await asyncio.Event().wait()

    def _checked(self, devices: Any, frame: FrameType | None) -> Sequence[Device]:
        try:
            return check_devices(devices)
        except (TypeError, ValueError) as error:
            line = frame.f_lineno if frame else "unknown"
            raise self._failure(f"{inspect.getfile(self.discover)}, line {line}: {error}") from error

    def _failure(self, seen: str) -> LabError:
        return LabError(attempted=f"Find devices by the handler {self.name}", seen=seen)


def handler(name: str, *, shared: bool) -> Callable[[Discover[D]], Handler[D]]:
    """Make a handler of an async generator function whose first parameter's annotation is the type of its details.

    Raises ValueError for a name that cannot be part of a socket's path, TypeError for a function that cannot serve.
    """
    check_name(name)

    def decorate(function: Discover[D]) -> Handler[D]:
        if not inspect.isasyncgenfunction(function):
            raise TypeError("A discovery handler is an async generator function: async def with yield")
        details = _details_of(function)
        check_type(details)
        return Handler(name, shared, details, function)

    return decorate


def check_name(name: str) -> str:
    """The name, which is part of a socket's path; raises ValueError for one that cannot be."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r} is not a handler's name: 1 to 41 letters, digits, dots, dashes and underscores")
    return name


def _details_of(function: Discover[D]) -> type[D]:
    parameters = list(inspect.signature(function).parameters)
    hints = typing.get_type_hints(function)
    if len(parameters) != 2 or parameters[0] not in hints:
        raise TypeError("A discovery handler takes details, which are annotated with their type, and properties")
    return typing.cast("type[D]", hints[parameters[0]])


def check_devices(devices: Any) -> tuple[Device, ...]:
    """What a handler yielded, as a set that stays as it is. Raises TypeError and ValueError for what cannot be sent."""
    if not isinstance(devices, Iterable):
        raise TypeError(f"It yielded {devices!r}, not a list of Device")
    return tuple(_check_device(device) for device in devices)


def _check_device(device: Any) -> Device:
    if not isinstance(device, Device):
        raise TypeError(f"It yielded {device!r} in a list, not a Device")
    _check_text(device.id, "A device's id")
    if not device.id:
        raise ValueError("A device's id is empty")
    for name, value in device.properties.items():
        _check_text(name, f"The name of a property of device {device.id!r}")
        _check_text(value, f"Property {name} of device {device.id!r}")
    return replace(device, properties=dict(device.properties))


def _check_text(text: Any, what: str) -> None:
    if not isinstance(text, str):
        raise TypeError(f"{what} is {text!r}, not text")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError(f"{what} is {text!r}, which no environment variable can hold")


def blame(error: BaseException, file: str) -> str:
    """What went wrong and where in a handler's file, for its author."""
    frames = traceback.extract_tb(error.__traceback__)
    lines = [frame.lineno for frame in frames if frame.filename == file]
    if isinstance(error, SyntaxError) and error.filename == file:
        lines = [error.lineno]
    place = f"{file}, line {lines[-1]}" if lines else file
    message = error.msg if isinstance(error, SyntaxError) else str(error)
    return f"{place}: {type(error).__name__}: {message}".removesuffix(": ")
