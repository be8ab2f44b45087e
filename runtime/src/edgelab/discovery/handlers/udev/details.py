"""What a Configuration says to the handler `udev`: discoveryDetails and discoveryProperties, checked. Pure.

    udevRules: ['KERNEL=="video[0-9]*", SUBSYSTEM=="video4linux"']   # a device that any of the rules means
    preset: cameras           # or virtual-cameras: rules that need not be written; also beside udevRules
    groupRecursive: false     # a device and those below it are one device
    permissions: rwm          # what a Pod may do with the device nodes: read, write, mknod

The properties `devicePluginResourceName` and `vfioPassthrough` (`true` or `false`) are Akri's. `preset` is our own;
`cameras` needs systemd-udevd on the machine, which finds out what a camera can do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from edgelab.discovery.handlers.udev.devices import Presentation
from edgelab.discovery.handlers.udev.grammar import Rule, RuleError, parse
from edgelab.discovery.sdk import InvalidDetailsError, Properties

PRESETS: Mapping[str, str] = {
    # A webcam has a second node for metadata, which cannot capture; udev's own rules say which one can.
    "cameras": 'SUBSYSTEM=="video4linux", KERNEL=="video[0-9]*", ENV{ID_V4L_CAPABILITIES}=="*:capture:*"',
    # Those of v4l2loopback, which can capture only while something is streamed into them.
    "virtual-cameras": 'SUBSYSTEM=="video4linux", KERNEL=="video[0-9]*", DEVPATH=="/devices/virtual/video4linux/*"',
}


@dataclass(frozen=True, slots=True)
class UdevDetails:
    """The discoveryDetails."""

    udev_rules: tuple[str, ...] = ()
    preset: Literal["cameras", "virtual-cameras"] | None = None
    group_recursive: bool = False
    permissions: str = "rwm"


def read_rules(details: UdevDetails) -> tuple[Rule, ...]:
    """The rules, that of the preset among them. Raises InvalidDetailsError, which names the rule and the column."""
    rules = [_rule(text, f"discoveryDetails.udevRules[{index}]") for index, text in enumerate(details.udev_rules)]
    if details.preset:
        rules.append(parse(PRESETS[details.preset]))
    if not rules:
        raise InvalidDetailsError("discoveryDetails has no rule: it needs udevRules, or a preset")
    return tuple(rules)


def read_presentation(details: UdevDetails, properties: Properties) -> Presentation:
    """How devices are to be presented. Raises InvalidDetailsError."""
    letters = details.permissions
    if not letters or set(letters) - set("rwm") or len(set(letters)) < len(letters):
        raise InvalidDetailsError(
            f"discoveryDetails.permissions is {letters!r}, not some of the letters r, w and m, each once"
        )
    vfio = _text(properties, "vfioPassthrough").lower()
    if vfio not in ("", "true", "false"):
        raise InvalidDetailsError(f"discoveryProperties.vfioPassthrough is {vfio!r}, not true or false")
    resource = _text(properties, "devicePluginResourceName")
    return Presentation(details.group_recursive, letters, resource, vfio == "true")


def _rule(text: str, where: str) -> Rule:
    try:
        return parse(text)
    except RuleError as error:
        raise InvalidDetailsError(f"{where}, column {error.column}: {error}") from error


def _text(properties: Properties, name: str) -> str:
    try:
        return (properties.get(name) or b"").decode().strip()
    except UnicodeDecodeError as error:
        raise InvalidDetailsError(f"discoveryProperties.{name} is not text in UTF-8") from error
