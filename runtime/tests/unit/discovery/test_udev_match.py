"""Which devices a rule of udev means."""

from dataclasses import dataclass, field
from typing import Self

import pytest
from edgelab.discovery.handlers.udev.details import PRESETS
from edgelab.discovery.handlers.udev.grammar import parse
from edgelab.discovery.handlers.udev.match import Found, matches, representative


@dataclass
class Record:
    """A device as a test wants it."""

    devpath: str
    node: str | None = None
    subsystem: str | None = None
    driver: str | None = None
    properties: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    parent: Self | None = None

    @property
    def name(self) -> str:
        return self.devpath.rpartition("/")[2]

    def attribute(self, name: str) -> str | None:
        return self.attributes.get(name)


HUB = Record("/devices/usb1", "/dev/bus/usb/001/001", "usb", "hub", {"TAGS": ":seat:"}, {"idVendor": "1d6b"})
STICK = Record("/devices/usb1/1-1", "/dev/bus/usb/001/004", "usb", "usb", {}, {"idVendor": "05a9", "speed": "480"}, HUB)
INTERFACE = Record("/devices/usb1/1-1/1-1:1.0", None, "usb", "uvcvideo", parent=STICK)
CAMERA = Record(
    "/devices/usb1/1-1/1-1:1.0/video4linux/video10",
    "/dev/video10",
    "video4linux",
    None,
    {"ID_V4L_CAPABILITIES": ":capture:", "TAGS": ":uaccess:seat:", "EMPTY": ""},
    {"name": "HD (2nd) Camera"},
    INTERFACE,
)


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        # Patterns of the shell.
        ('KERNEL=="video10"', True),
        ('KERNEL=="video[0-9]*"', True),
        ('KERNEL=="video[[:digit:]]?"', True),
        ('KERNEL=="video[^0-9]*"', False),
        ('KERNEL=="video"', False),
        ('KERNEL=="video.*"', False),
        ('DEVPATH=="/devices/usb1/*"', True),
        ('DEVPATH=="/sys/devices/usb1/*"', False),
        ('SUBSYSTEM=="video*"', True),
        ('SUBSYSTEM!="video*"', False),
        ('SUBSYSTEM!="usb"', True),
        ('ATTR{name}=="HD \\(2nd\\)*"', True),
        ('ATTR{name}=="*Camera"', True),
        ('ATTR{name}!="*Camera"', False),
        ('ATTR{nothing}=="*"', False),
        ('ATTR{nothing}!="*"', True),
        ('ENV{ID_V4L_CAPABILITIES}=="*:capture:*"', True),
        ('ENV{ID_*}=="*:capture:*"', True),
        ('ENV{EMPTY}==""', True),
        ('ENV{NOTHING}==""', False),
        ('TAG=="seat"', True),
        ('TAG=="sea*"', True),
        ('TAG=="master"', False),
        # Regular expressions for the whole text.
        ('KERNEL!="video1.*"', False),
        ('KERNEL!="video1"', True),
        ('DEVPATH!="/devices/.*"', False),
        ('ENV{ID_V4L_CAPABILITIES}!=".*capture.*"', False),
        ('ENV{NOTHING}!=".*"', True),
        ('TAG!="sea"', True),
        ('TAG!="sea."', False),
        ('DRIVER=="uvcvideo"', False),
        ('DRIVER!=".*"', True),
        # The device and those that it is part of.
        ('DRIVERS=="uvc.*"', True),
        ('DRIVERS=="uvc"', False),
        ('DRIVERS!="hub"', False),
        ('DRIVERS!="other"', True),
        ('KERNELS=="1-1"', True),
        ('KERNELS=="1-2|1-1:.*|usb"', True),
        ('KERNELS=="video1|video10"', True),
        ('SUBSYSTEMS=="usb"', True),
        ('SUBSYSTEMS!="pci"', True),
        ('ATTRS{idVendor}=="05a9"', True),
        ('ATTRS{idVendor}=="1d6b"', True),
        ('ATTRS{idVendor}!="1d6b"', False),
        ('TAGS=="uaccess"', True),
        ('TAGS!="uaccess"', False),
        # All filters must hold, also those for the same field.
        ('KERNEL=="video*", SUBSYSTEM=="video4linux", ATTRS{speed}=="480"', True),
        ('KERNEL=="video*", SUBSYSTEM=="usb"', False),
        ('KERNEL=="video*", KERNEL=="*10"', True),
        ('KERNEL=="video*", KERNEL=="*11"', False),
    ],
)
def test_a_camera(rule: str, expected: bool) -> None:
    assert matches(parse(rule), CAMERA) is expected


@pytest.mark.parametrize(
    ("device", "found"),
    [
        (CAMERA, Found(CAMERA.devpath, "/dev/video10")),
        (INTERFACE, Found(STICK.devpath, "/dev/bus/usb/001/004")),
        (Record("/devices/virtual/net/lo"), Found("/devices/virtual/net/lo", None)),
    ],
)
def test_a_device_without_a_node_is_represented(device: Record, found: Found) -> None:
    assert representative(device) == found


METADATA = Record("/devices/usb1/1-1/1-1:1.0/video4linux/video11", "/dev/video11", "video4linux")
LOOPBACK = Record("/devices/virtual/video4linux/video0", "/dev/video0", "video4linux")
RADIO = Record("/devices/virtual/video4linux/radio0", "/dev/radio0", "video4linux")


@pytest.mark.parametrize(("preset", "meant"), [("cameras", [CAMERA]), ("virtual-cameras", [LOOPBACK])])
def test_presets(preset: str, meant: list[Record]) -> None:
    rule = parse(PRESETS[preset])
    assert [each for each in (CAMERA, METADATA, LOOPBACK, RADIO, HUB) if matches(rule, each)] == meant
