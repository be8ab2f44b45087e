"""What a person sees of devices that come and go."""

import io

import pytest
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.display import View, changes, open_display, printable, table

A, B = Device("a", {"KEY": "1"}), Device("b", {"KEY": "1"})
ROOMY = {"width": 80, "height": 24}


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        ([], [], []),
        ([], [A, B], ["+ a", "+ b"]),
        ([A, B], [B], ["- a"]),
        ([A], [Device("a", {"KEY": "2"})], ["~ a"]),
        ([A], [B], ["- a", "+ b"]),
        ([A, B], [B, A], []),
    ],
)
def test_each_change_is_a_line(before, after, lines: list[str]) -> None:
    assert changes(before, after, View()) == lines


def test_properties_mounts_and_device_nodes_are_on_the_line() -> None:
    device = Device("a", {"Z": "1", "K": "v"}, (Mount("/c", "/h", True),), (DeviceSpec("/dev/c", "/dev/h", "rw"),))
    (line,) = changes([], [device], View(properties=True))
    assert line == "+ a K=v Z=1 mount:/h:/c:ro device:/dev/h:/dev/c:rw"


def test_the_instance_is_named() -> None:
    assert changes([], [A], View(instance=lambda device: f"akri-{device.id}")) == ["+ a akri-a"]


def test_table_has_a_row_for_each_device_and_counts_them() -> None:
    view = View(instance=lambda device: f"akri-{device.id}", properties=True)
    assert table([A, Device("longer")], view, **ROOMY) == [
        "DEVICE  INSTANCE",
        "a       akri-a",
        "  KEY=1",
        "longer  akri-longer",
        "2 devices",
    ]


@pytest.mark.parametrize(
    ("devices", "last"), [(None, "The handler has not answered yet."), ([], "0 devices"), ([A], "1 device")]
)
def test_table_tells_no_answer_from_no_devices(devices, last: str) -> None:
    assert table(devices, View(), **ROOMY)[-1] == last


def test_table_fits_a_small_terminal_and_says_what_is_missing() -> None:
    lines = table([Device(f"device-{number}") for number in range(9)], View(), width=8, height=5)
    assert lines == ["DEVICE", "device-0", "device-1", "device-2", "9 device"]


def test_no_control_character_reaches_the_terminal() -> None:
    assert printable("a\x1b[2J\nü b\u202e") == "a\\x1b[2J\\nü b\\u202e"
    assert "\x1b" not in "".join(table([Device("\x1b]0;title\x07", {"K": "\x1b"})], View(properties=True), **ROOMY))


def test_without_a_terminal_devices_and_messages_go_apart() -> None:
    out, messages = io.StringIO(), io.StringIO()
    display = open_display(out, messages, View())
    display.show(None)
    display.show([A])
    display.say("the server is away")
    display.show([])
    assert (out.getvalue(), messages.getvalue()) == ("+ a\n- a\n", "the server is away\n")
