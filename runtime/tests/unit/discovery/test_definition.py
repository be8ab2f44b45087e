"""What makes a handler, and what its author is told when something is wrong with it."""

import asyncio
import re
import textwrap
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery import sdk
from edgelab.discovery.definition import Handler, Properties, check_devices, handler
from edgelab.discovery.handler import InvalidDetailsError
from edgelab.discovery.loading import find_handler
from edgelab.discovery.testing import first, observe

HERE = Path(__file__)


@dataclass(frozen=True)
class Details:
    names: tuple[str, ...]


@handler("named", shared=True)
async def named(details: Details, properties: Properties) -> AsyncIterator[Sequence[Device]]:
    yield [
        Device(name, {key: "set" if value else "unset" for key, value in properties.items()}) for name in details.names
    ]


def test_the_annotation_is_the_type_of_the_details() -> None:
    assert (named.name, named.shared, named.details) == ("named", True, Details)


async def test_a_handler_gets_its_details_and_properties() -> None:
    assert await first(named, "names: [a]", {"P": b"1", "Q": None}) == (Device("a", {"P": "set", "Q": "unset"}),)


async def test_bad_details_are_refused_before_the_handler_runs() -> None:
    with pytest.raises(InvalidDetailsError, match=r"discoveryDetails\.names is missing"):
        await first(named, "")


async def test_the_last_set_stands_when_the_generator_ends() -> None:
    async with observe(named, "names: [a]") as sets:
        await sets.next()
        following = asyncio.ensure_future(anext(sets._sets))
        await asyncio.sleep(0)
        assert not following.done()
        following.cancel()
        await asyncio.wait([following])


async def test_the_generator_is_closed_when_nobody_wants_devices_any_more() -> None:
    closed = []

    @handler("closing", shared=True)
    async def discover(_details: str, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
        try:
            yield []
            yield [Device("never")]
        finally:
            closed.append(True)

    assert await first(discover, "") == ()
    assert closed == [True]


async def test_a_set_is_a_snapshot() -> None:
    """A handler may go on changing its own list and its own devices' properties."""

    @handler("mutable", shared=True)
    async def discover(_details: str, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
        properties = {"K": "1"}
        devices = [Device("a", properties)]
        yield devices
        properties["K"] = "2"
        devices.append(Device("b"))
        yield devices

    async with observe(discover, "") as sets:
        before = await sets.next()
        assert await sets.next() == (Device("a", {"K": "2"}), Device("b"))
    assert before == (Device("a", {"K": "1"}),)


async def test_an_error_is_told_with_its_file_and_line() -> None:
    @handler("broken", shared=True)
    async def discover(_details: str, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
        yield [Device(str(1 / 0))]

    line = next(number for number, text in enumerate(HERE.read_text().splitlines(), 1) if text.endswith("1 / 0))]"))
    with pytest.raises(LabError) as caught:
        await first(discover, "")
    assert caught.value.attempted == "Find devices by the handler broken"
    assert caught.value.seen == f"{__file__}, line {line}: ZeroDivisionError: division by zero"


@pytest.mark.parametrize("error", [LabError("Look", "nothing"), InvalidDetailsError("no")])
async def test_errors_for_people_are_passed_on_as_they_are(error: Exception) -> None:
    @handler("refusing", shared=True)
    async def discover(_details: str, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
        if error:
            raise error
        yield []

    with pytest.raises(type(error)) as caught:
        await first(discover, "")
    assert caught.value is error


async def test_what_is_no_device_is_told_with_the_line_of_the_yield() -> None:
    @handler("wrong", shared=True)
    async def discover(_details: str, _properties: Properties) -> AsyncIterator[Sequence[Device]]:
        yield ["a"]  # type: ignore[list-item]

    line = next(number for number, text in enumerate(HERE.read_text().splitlines(), 1) if text.endswith("[list-item]"))
    with pytest.raises(LabError, match=rf"line {line}: It yielded 'a' in a list, not a Device"):
        await first(discover, "")


@pytest.mark.parametrize(
    ("devices", "told"),
    [
        (None, "It yielded None, not a list of Device"),
        (Device("a"), r"It yielded Device\(id='a'.*, not a list of Device"),
        ("abc", "It yielded 'a' in a list, not a Device"),
        ([Device("")], "A device's id is empty"),
        ([Device(1)], "A device's id is 1, not text"),
        ([Device("a\0")], "which no environment variable can hold"),
        ([Device("\ud800")], "which no environment variable can hold"),
        ([Device("a", {"K": 5})], "Property K of device 'a' is 5, not text"),
        ([Device("a", {None: ""})], "The name of a property of device 'a' is None, not text"),
    ],
)
def test_what_an_agent_could_not_take_is_refused(devices: Any, told: str) -> None:
    with pytest.raises((TypeError, ValueError), match=told):
        check_devices(devices)


async def discover_without_yield(details: str, properties: Properties) -> Any:
    return []


async def discover_without_annotation(details, properties: Properties) -> AsyncIterator[Sequence[Device]]:
    yield []


async def discover_without_properties(details: str) -> AsyncIterator[Sequence[Device]]:
    yield []


async def discover_unsuitable(details: set[str], properties: Properties) -> AsyncIterator[Sequence[Device]]:
    yield []


@pytest.mark.parametrize(
    ("function", "told"),
    [
        (discover_without_yield, "is an async generator function"),
        (discover_without_annotation, "takes details, which are annotated"),
        (discover_without_properties, "takes details, which are annotated"),
        (discover_unsuitable, "cannot be a type of discovery details"),
    ],
)
def test_a_function_that_cannot_serve_is_refused_at_once(function: Any, told: str) -> None:
    with pytest.raises(TypeError, match=told):
        handler("x", shared=True)(function)


@pytest.mark.parametrize("name", ["", "a/b", ".hidden", "a b", "a" * 42, "ä"])
def test_a_name_that_cannot_be_part_of_a_path_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="is not a handler's name"):
        handler(name, shared=True)


def test_a_handler_is_a_value() -> None:
    assert named == Handler("named", True, Details, named.discover)


async def test_the_example_in_the_sdk_is_a_handler(tmp_path: Path) -> None:
    example = textwrap.dedent(re.search(r"(    import asyncio.*\n\n.*main\(HANDLER\)\)\n)", sdk.__doc__, re.DOTALL)[1])
    file = tmp_path / "example.py"
    file.write_text(example)
    (tmp_path / "devices").mkdir()
    (tmp_path / "devices" / "one").touch()
    assert len([line for line in example.splitlines() if line]) <= 20
    (device,) = await first(find_handler(str(file)), f"directory: {tmp_path}/devices")
    assert device == Device("one", {"FILE": f"{tmp_path}/devices/one"})
