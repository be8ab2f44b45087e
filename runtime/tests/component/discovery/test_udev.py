"""The handler of udev with the devices of this machine, real ones: libudev, /sys, and the kernel's own messages."""

import asyncio
import contextlib
import errno
import fcntl
import os
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import pyudev
from edgelab.core.errors import LabError
from edgelab.discovery.handler import DiscoverRequest
from edgelab.discovery.handlers.udev import HANDLER
from edgelab.discovery.handlers.udev.grammar import parse
from edgelab.discovery.handlers.udev.match import Found, matches
from edgelab.discovery.handlers.udev.monitor import DeviceWatch, watch_devices
from edgelab.discovery.handlers.udev.sysfs import SysfsDevice, iommu_group, scan

PATIENCE = 20.0
NULL = Found("/devices/virtual/mem/null", "/dev/null")
LOOP_CTL_ADD, LOOP_CTL_REMOVE = 0x4C80, 0x4C81

root_only = pytest.mark.skipif(os.geteuid() != 0, reason="only root can plug devices")


def meant_by(text: str) -> set[str]:
    rule = parse(text)
    return {each.device_path for each in pyudev.Context().list_devices() if matches(rule, SysfsDevice(each))}


Query = Callable[[pyudev.Enumerator], object]


def found_by(query: Query) -> set[str]:
    enumerator = pyudev.Context().list_devices()
    query(enumerator)
    return {each.device_path for each in enumerator}


@pytest.mark.parametrize(
    ("rule", "query"),
    [
        ('SUBSYSTEM=="mem"', lambda all_: all_.match_subsystem("mem")),
        ('SUBSYSTEM=="[bm]*"', lambda all_: all_.match_subsystem("[bm]*")),
        ('SUBSYSTEM!="[a-t]*"', lambda all_: all_.match_subsystem("[a-t]*", nomatch=True)),
        ('KERNEL=="tty[0-9]*"', lambda all_: all_.match_sys_name("tty[0-9]*")),
        ('KERNEL=="tty[^0-9]"', lambda all_: all_.match_sys_name("tty[^0-9]")),
        ('ATTR{dev}=="1:*"', lambda all_: all_.match_attribute("dev", "1:*")),
        ('ATTR{dev}!="[1-4]:*"', lambda all_: all_.match_attribute("dev", "[1-4]:*", nomatch=True)),
        ('ENV{MAJOR}=="1"', lambda all_: all_.match_property("MAJOR", "1")),
        ('ENV{M*R}=="1"', lambda all_: all_.match_property("M*R", "1")),
        ('TAG=="systemd"', lambda all_: all_.match_tag("systemd")),
    ],
)
def test_rules_mean_what_libudev_finds(rule: str, query: Query) -> None:
    before, meant, after = found_by(query), meant_by(rule), found_by(query)
    while before != after:  # other tests plug devices, too
        before, meant, after = after, meant_by(rule), found_by(query)
    assert meant == before


@pytest.mark.parametrize(
    "rule",
    [
        'SUBSYSTEM=="mem", KERNEL=="null"',
        'DEVPATH=="*/mem/null"',
        'SUBSYSTEM=="mem", DEVPATH!=".*/(zero|full|random|urandom|kmsg)"',
        'ATTR{dev}=="1:3", ENV{DEVNAME}=="/dev/null"',
        'KERNEL=="n*", KERNEL=="*l", SUBSYSTEMS=="m.m"',
    ],
)
def test_a_scan_finds_a_device_and_its_node(rule: str) -> None:
    assert scan([parse(rule)]) == {NULL}


@pytest.mark.parametrize("rule", ['KERNEL=="tty*", KERNEL=="*1"', 'SUBSYSTEM=="tty", SUBSYSTEM!="v*", KERNEL!="tty"'])
def test_narrowing_the_search_changes_nothing(rule: str) -> None:
    assert {each.devpath for each in scan([parse(rule)])} == meant_by(rule) != set()


def test_several_rules_are_alternatives() -> None:
    found = scan([parse('KERNEL=="null"'), parse('KERNEL=="zero", SUBSYSTEM=="mem"')])
    assert {each.node for each in found} == {"/dev/null", "/dev/zero"}


def test_a_device_without_a_node_is_found_by_its_path() -> None:
    assert scan([parse('SUBSYSTEM=="net", KERNEL=="lo"')]) == {Found("/devices/virtual/net/lo", None)}


def test_what_is_no_file_is_no_attribute() -> None:
    device = SysfsDevice(pyudev.Devices.from_name(pyudev.Context(), "mem", "null"))
    assert (device.attribute("dev"), device.attribute("nothing"), device.parent) == ("1:3", None, None)
    assert iommu_group(NULL.devpath) is None


class Asked:
    """The handler, asked for devices."""

    def __init__(self, rule: str) -> None:
        self._sets = HANDLER.answer(DiscoverRequest(f"udevRules: ['{rule}']", {}))

    async def nodes(self) -> list[str]:
        devices = await asyncio.wait_for(anext(self._sets), PATIENCE)
        return [spec.host_path for device in devices for spec in device.device_specs]

    async def aclose(self) -> None:
        await self._sets.aclose()


async def test_the_handler_tells_what_is_there() -> None:
    async with contextlib.aclosing(Asked('KERNEL=="null"')) as asked:
        assert await asked.nodes() == ["/dev/null"]


@pytest.fixture
def plug() -> Iterator[Callable[[int], int]]:
    """Plugs the loop device of a number if it is not there, and unplugs it if it is; all are away in the end."""
    control = os.open("/dev/loop-control", os.O_RDWR)
    there: set[int] = set()

    def plug(number: int) -> int:
        there.symmetric_difference_update({number})
        return fcntl.ioctl(control, LOOP_CTL_ADD if number in there else LOOP_CTL_REMOVE, number)

    yield plug
    for number in list(there):
        plug(number)
    os.close(control)


@root_only
async def test_devices_that_come_and_go_are_told(plug: Callable[[int], int]) -> None:
    async with contextlib.aclosing(Asked('SUBSYSTEM=="block", KERNEL=="loop47[0-9]"')) as asked:
        assert await asked.nodes() == []
        plug(471)
        assert await asked.nodes() == ["/dev/loop471"]
        plug(470)
        assert await asked.nodes() == ["/dev/loop470", "/dev/loop471"]
        plug(471)
        assert await asked.nodes() == ["/dev/loop470"]


@root_only
async def test_messages_that_the_kernel_dropped_are_made_up_for(plug: Callable[[int], int]) -> None:
    event = Path("/sys/class/mem/null/uevent")
    with watch_devices(receive_bytes=4096) as watch:
        for _message in range(200):
            event.write_text("change")
        plug(472)
        await asyncio.wait_for(watch.changed(), PATIENCE)
        assert scan([parse('KERNEL=="loop472"')])
        event.write_text("change")
        await asyncio.wait_for(watch.changed(), PATIENCE)


class Trouble(socket.socket):
    """A socket that has something to read, which cannot be read."""

    def recv(self, *_: object) -> bytes:
        super().recv(100)
        raise OSError(errno.EIO, os.strerror(errno.EIO))


async def test_a_socket_that_fails_ends_the_watch() -> None:
    ours, theirs = socket.socketpair()
    with theirs, Trouble(fileno=ours.detach()) as trouble:
        watch = DeviceWatch(trouble)
        asyncio.get_running_loop().add_reader(trouble, watch.collect)
        theirs.send(b"message")
        with pytest.raises(LabError, match="Input/output error"):
            await asyncio.wait_for(watch.changed(), PATIENCE)
        assert not asyncio.get_running_loop().remove_reader(trouble)


async def test_a_machine_without_libudev_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pyudev._ctypeslib.utils, "find_library", lambda _name: None)
    with pytest.raises(LabError, match="Install libudev"):
        async with contextlib.aclosing(Asked('KERNEL=="null"')) as asked:
            await asked.nodes()
