"""Which devices a rule of udev means. Pure.

The values of ATTR, DEVPATH, ENV, KERNEL, SUBSYSTEM and TAG after `==`, and of ATTR and SUBSYSTEM after `!=`, are
patterns of the shell, as libudev's enumerator understands them; all others are regular expressions for the whole text.
A filter with `!=` holds where the text is absent, and for a plural when no device of the lineage has it.

As Akri 0.13.26 does, but for these, where it has taken over limits of libudev's enumerator:

- All filters of a rule must hold, as in udev's own rules. The enumerator takes two filters for KERNEL, SUBSYSTEM or ENV
  as alternatives. (Here several rules are alternatives.)
- `DEVPATH==` compares. Akri adds that device to those found and goes on with all of them.
- A TAG may be a pattern, as in udev's own rules.
- A regular expression with alternatives matches if any of them does, `a|ab` also `ab`: Akri looks at the first alone.
"""

import ctypes
import os
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple, Protocol

from edgelab.discovery.handlers.udev.grammar import Field, Filter, Rule

_SINGULAR = {
    Field.ATTRS: Field.ATTR,
    Field.DRIVERS: Field.DRIVER,
    Field.KERNELS: Field.KERNEL,
    Field.SUBSYSTEMS: Field.SUBSYSTEM,
    Field.TAGS: Field.TAG,
}


class UdevDevice(Protocol):
    """What udev knows of a device; what costs time is looked up when it is asked for."""

    @property
    def devpath(self) -> str:
        """Its directory below /sys."""

    @property
    def name(self) -> str:
        """The kernel's name for it, the last part of its path."""

    @property
    def node(self) -> str | None:
        """Its file in /dev."""

    @property
    def subsystem(self) -> str | None:
        """What kind of thing it is, such as `video4linux`."""

    @property
    def driver(self) -> str | None:
        """The driver that serves it."""

    @property
    def properties(self) -> Mapping[str, str]:
        """What the kernel and udev's rules say of it."""

    @property
    def parent(self) -> "UdevDevice | None":
        """The device that it is part of."""

    def attribute(self, name: str) -> str | None:
        """The content of a file in its directory."""


class Found(NamedTuple):
    """A device that a rule means, and its device node if it has one."""

    devpath: str
    node: str | None


def matches(rule: Rule, device: UdevDevice) -> bool:
    """A rule means a device."""
    return all(_holds(each, device) for each in rule)


def representative(device: UdevDevice) -> Found:
    """The device, or the nearest one that it is part of and that has a device node; itself where none has."""
    for each in _lineage(device):
        if each.node:
            return Found(each.devpath, each.node)
    return Found(device.devpath, None)


def _holds(wanted: Filter, device: UdevDevice) -> bool:
    compare = _is_like if wanted.by_glob else _fits
    found = any(compare(wanted.value, text) for text in _texts(wanted, device))
    return found != wanted.negated


def _texts(wanted: Filter, device: UdevDevice) -> Iterator[str]:
    if wanted.field in _SINGULAR:
        for each in _lineage(device):
            yield from _own_texts(_SINGULAR[wanted.field], wanted.key, each)
    else:
        yield from _own_texts(wanted.field, wanted.key, device)


def _own_texts(field: Field, key: str, device: UdevDevice) -> Iterator[str]:
    match field:
        case Field.TAG:
            yield from filter(None, device.properties.get("TAGS", "").split(":"))
        case Field.ENV:
            # Also the name may be a pattern, for libudev.
            yield from (text for name, text in device.properties.items() if _is_like(key, name))
        case _:
            text = _own_text(field, key, device)
            if text is not None:
                yield text


def _own_text(field: Field, key: str, device: UdevDevice) -> str | None:
    match field:
        case Field.ATTR:
            return device.attribute(key)
        case Field.DEVPATH:
            return device.devpath
        case Field.DRIVER:
            return device.driver
        case Field.KERNEL:
            return device.name
        case _:
            return device.subsystem


def _lineage(device: UdevDevice) -> Iterator[UdevDevice]:
    each: UdevDevice | None = device
    while each is not None:
        yield each
        each = each.parent


def _fits(expression: str, text: str) -> bool:
    return re.fullmatch(expression, text) is not None


def _is_like(pattern: str, text: str) -> bool:
    # That of the C library, as libudev calls it: Python's fnmatch knows neither `\*` nor `[[:digit:]]` nor `[^a]`.
    differs: int = _fnmatch(os.fsencode(pattern), os.fsencode(text), 0)
    return not differs


_fnmatch = ctypes.CDLL(None).fnmatch
_fnmatch.argtypes = (ctypes.c_char_p, ctypes.c_char_p, ctypes.c_int)
