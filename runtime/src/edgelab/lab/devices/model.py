"""What is known of a mock device: what a user has set, and how that is kept in a file. Pure."""

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

_FORMAT = 1
_LONGEST_DELAY = 3600.0
_FARTHEST = 1e9
"""Largest value either side of zero."""


@dataclass(frozen=True, slots=True)
class Setting:
    """How a device is to behave; delay_seconds: before each answer; value: what it says, or None for its curve."""

    plugged: bool = True
    delay_seconds: float = 0.0
    failing: bool = False
    value: float | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """What survives a restart of one device."""

    port: int
    setting: Setting


FIELDS = tuple(field.name for field in fields(Setting))


def changed(setting: Setting, changes: object, settable: Collection[str] = FIELDS) -> Setting:
    """The setting with some fields replaced; raises ValueError with the reason for what is no setting."""
    known = ", ".join(settable)
    if not isinstance(changes, Mapping) or not changes:
        raise ValueError(f"Give a JSON object with some of {known}")
    for key, value in changes.items():
        reason = f"not one of {known}" if key not in settable else _objection(key, value)
        if reason:
            raise ValueError(f"{key}: {reason}")
    return replace(setting, **changes)


def _objection(key: str, value: object) -> str:
    match key:
        case "plugged" | "failing":
            return "" if isinstance(value, bool) else f"{value!r} is not true or false"
        case "delay_seconds":
            fits = _is_number(value, 0, _LONGEST_DELAY)
            return "" if fits else f"{value!r} is not a number from 0 to {_LONGEST_DELAY:.0f}"
        case _:
            fits = value is None or _is_number(value, -_FARTHEST, _FARTHEST)
            return "" if fits else f"{value!r} is neither null nor a number of at most {_FARTHEST:.0f}"


def _is_number(value: object, least: float, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and least <= value <= most


def to_text(devices: Mapping[str, Kept]) -> str:
    """Content of the state file."""
    kept = {name: {"port": one.port, **asdict(one.setting)} for name, one in devices.items()}
    return json.dumps({"format": _FORMAT, "devices": kept}, indent=2) + "\n"


def from_text(text: str) -> dict[str, Kept]:
    """Read a state file; raises ValueError with the reason when it is none."""
    found = json.loads(text)
    if not isinstance(found, dict) or found.get("format") != _FORMAT or not isinstance(found.get("devices"), dict):
        raise ValueError(f"it has no devices of format {_FORMAT}")
    return {str(name): _kept(name, told) for name, told in found["devices"].items()}


def _kept(name: str, told: Any) -> Kept:
    if not isinstance(told, dict) or not is_port(told.get("port")):
        raise ValueError(f"device {name} has no port")
    rest = {key: value for key, value in told.items() if key != "port"}
    try:
        return Kept(told["port"], changed(Setting(), rest))
    except ValueError as error:
        raise ValueError(f"device {name}: {error}") from error


def is_port(value: object) -> bool:
    """Whether a server can listen there: a whole number from 1 to 65535."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 65536
