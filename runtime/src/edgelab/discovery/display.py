"""Devices as they come and go, for a person who tries a handler: a table on a terminal, lines anywhere else.

On a terminal the table is drawn again at each change; elsewhere a line tells each change: `+ ID`, `- ID`, and `~ ID`
for a device that says something else about itself. What a handler says is shown without control characters, which a
terminal would obey.
"""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TextIO

from edgelab.core.model import Device


@dataclass(frozen=True, slots=True)
class View:
    """What is shown of a device beside its id: its properties, mounts and device nodes; the name of its Instance."""

    properties: bool = False
    instance: Callable[[Device], str] | None = None


class Display(Protocol):
    """Where devices are shown."""

    def show(self, devices: Sequence[Device] | None) -> None:
        """Show the present set; None while the handler has not answered."""

    def say(self, text: str) -> None:
        """Tell something else, so that it does not disturb what is shown."""


def open_display(out: TextIO, messages: TextIO, view: View) -> Display:
    """The display that suits an output; on a terminal messages go there, too, elsewhere to a stream of their own."""
    return _Terminal(out, view) if out.isatty() else _Lines(out, messages, view)


def changes(before: Iterable[Device], after: Iterable[Device], view: View) -> list[str]:
    """The lines that tell how one set became another: who went, who came, who changed."""
    old, new = {device.id: device for device in before}, {device.id: device for device in after}
    gone = [f"- {printable(name)}" for name in old if name not in new]
    news = [("~" if device.id in old else "+", device) for device in new.values() if old.get(device.id) != device]
    return gone + [" ".join([sign, *_names(device, view), *_facts(device, view)]) for sign, device in news]


def table(devices: Sequence[Device] | None, view: View, *, width: int, height: int) -> list[str]:
    """The set as lines that fit a terminal: a head, a row for each device, and how many there are."""
    if devices is None:
        return ["The handler has not answered yet."][:height]
    rows = [_names(device, view) for device in devices]
    head = ["DEVICE", "INSTANCE"][: 1 if view.instance is None else 2]
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    body = [
        line
        for device, row in zip(devices, rows, strict=True)
        for line in [_columns(row, widths), *(f"  {fact}" for fact in _facts(device, view))]
    ]
    count = f"{len(devices)} device{'' if len(devices) == 1 else 's'}"
    room = max(height - 2, 0)
    if len(body) > room:
        body, count = body[:room], f"{count}; the terminal is too small for all of it"
    return [line[:width] for line in [_columns(head, widths), *body, count]]


def printable(text: str) -> str:
    """Text with everything that is not a visible character or a space written as an escape."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _names(device: Device, view: View) -> list[str]:
    return [printable(device.id), *([view.instance(device)] if view.instance else [])]


def _facts(device: Device, view: View) -> list[str]:
    if not view.properties:
        return []
    properties = (f"{name}={value}" for name, value in sorted(device.properties.items()))
    mounts = (f"mount:{m.host_path}:{m.container_path}:{'ro' if m.read_only else 'rw'}" for m in device.mounts)
    nodes = (f"device:{s.host_path}:{s.container_path}:{s.permissions}" for s in device.device_specs)
    return [printable(fact) for fact in (*properties, *mounts, *nodes)]


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


class _Lines:
    def __init__(self, out: TextIO, messages: TextIO, view: View) -> None:
        self._out, self._messages, self._view = out, messages, view
        self._shown: Sequence[Device] = ()

    def show(self, devices: Sequence[Device] | None) -> None:
        for line in changes(self._shown, devices or (), self._view):
            print(line, file=self._out)
        self._out.flush()
        self._shown = devices or ()

    def say(self, text: str) -> None:
        print(printable(text), file=self._messages, flush=True)


class _Terminal:
    def __init__(self, out: TextIO, view: View) -> None:
        self._out, self._view = out, view
        self._shown: Sequence[Device] | None = None
        self._lines: list[str] = []

    def show(self, devices: Sequence[Device] | None) -> None:
        self._shown = devices
        self._draw()

    def say(self, text: str) -> None:
        self._draw(above=f"{printable(text)}\n")

    def _draw(self, above: str = "") -> None:
        up = f"\x1b[{len(self._lines)}F" if self._lines else ""
        size = os.get_terminal_size(self._out.fileno())
        # The cursor stands below the table, on the last line.
        self._lines = table(self._shown, self._view, width=size.columns or 80, height=(size.lines or 24) - 1)
        self._out.write(f"{up}\x1b[J{above}" + "".join(f"{line}\n" for line in self._lines))
        self._out.flush()
