"""From what udev found to the devices that Akri is told of: ids, properties, device nodes. Pure.

Properties and permissions are those of Akri 0.13.26, with these differences. A group is what lies below one directory
of /sys; Akri compares paths as texts and puts `video10` into the group of `video1`. The nodes of a group have the same
order in each scan, that of their paths; Akri's order changes by chance, which looks like a change of the device.
`vfioPassthrough` works also without `devicePluginResourceName`.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from edgelab.core.model import Device, DeviceSpec
from edgelab.discovery.handlers.udev.match import Found

IommuGroup = Callable[[str], str | None]
"""Tells the IOMMU group of a device by its path below /sys; None when it is in none."""

_PCI_ADDRESS = re.compile(r"[0-9a-fA-F]+:[0-9a-fA-F]+:[0-9a-fA-F]+\.[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True)
class Presentation:
    """How devices are presented.

    `group` makes one of a device and those below it. `resource` is the name of the resource for which KubeVirt's
    variables are set, empty for none; `vfio` gives a PCI device's IOMMU group to Pods.
    """

    group: bool = False
    permissions: str = "rwm"
    resource: str = ""
    vfio: bool = False


def present(found: Iterable[Found], how: Presentation, iommu_group: IommuGroup) -> list[Device]:
    """The devices for what was found, by their paths; the same path found twice is one device."""
    ordered = sorted(set(found), key=_place)
    if how.group:
        families = list(_families(ordered))
    else:
        families = [[next(same)] for _path, same in groupby(ordered, key=lambda each: each.devpath)]
    return [_device(family, how, iommu_group) for family in families]


def _place(found: Found) -> tuple[list[str], str]:
    """Sorts what lies below a directory right after it, which the order of the texts does not."""
    return found.devpath.split("/"), found.node or ""


def _families(ordered: Sequence[Found]) -> Iterator[list[Found]]:
    family: list[Found] = []
    for each in ordered:
        if family and not f"{each.devpath}/".startswith(f"{family[0].devpath}/"):
            yield family
            family = []
        family.append(each)
    if family:
        yield family


def _device(family: Sequence[Found], how: Presentation, iommu_group: IommuGroup) -> Device:
    path, nodes = family[0].devpath, [each.node for each in family if each.node]
    properties = {"UDEV_DEVPATH": path} | _pci_properties(path, how)
    for index, node in enumerate(nodes):
        suffix = f"_{index}" if how.group else ""
        properties |= {f"UDEV_DEVNODE{suffix}": node} | _usb_properties(node, suffix, how)
    specs = [DeviceSpec(node, node, how.permissions) for node in nodes]
    return Device(path, properties, device_specs=(*specs, *_vfio_specs(path, how, iommu_group)))


def _usb_properties(node: str, suffix: str, how: Presentation) -> dict[str, str]:
    address = _usb_address(node)
    return {f"{_variable('USB', how.resource)}{suffix}": address} if how.resource and address else {}


def _pci_properties(path: str, how: Presentation) -> dict[str, str]:
    address = _pci_address(path)
    return {_variable("PCI", how.resource): address} if how.resource and address else {}


def _vfio_specs(path: str, how: Presentation, iommu_group: IommuGroup) -> list[DeviceSpec]:
    group = iommu_group(path) if how.vfio and _pci_address(path) else None
    nodes = [f"/dev/vfio/{group}", "/dev/vfio/vfio"] if group else []
    return [DeviceSpec(node, node, "rwm") for node in nodes]


def _variable(bus: str, resource: str) -> str:
    return f"{bus}_RESOURCE_{resource}".replace(".", "_").replace("/", "_").upper()


def _usb_address(node: str) -> str | None:
    """Bus and device, `1:10` for /dev/bus/usb/001/010."""
    bus, _slash, device = node.removeprefix("/dev/bus/usb/").partition("/")
    return f"{int(bus)}:{int(device)}" if bus.isdecimal() and device.isdecimal() else None


def _pci_address(path: str) -> str | None:
    """The last PCI address in a path; None for a USB device, whose controller that would be."""
    parts = path.split("/")
    if any(part.startswith("usb") for part in parts):
        return None
    return next((part for part in reversed(parts) if _PCI_ADDRESS.fullmatch(part)), None)
