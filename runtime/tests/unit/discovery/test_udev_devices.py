"""What a Configuration says to the handler of udev, and what devices look like that it reports."""

import random

import pytest
from edgelab.core.model import Device, DeviceSpec
from edgelab.discovery.details import read_details
from edgelab.discovery.handlers.udev.details import UdevDetails, read_presentation, read_rules
from edgelab.discovery.handlers.udev.devices import Presentation, present
from edgelab.discovery.handlers.udev.match import Found
from edgelab.discovery.sdk import InvalidDetailsError

GPU = "/devices/pci0000:00/0000:00:01.0/0000:01:00.0"
STICK = "/devices/pci0000:00/0000:00:14.0/usb1/1-1"


def ungrouped(path: str) -> str | None:
    return None


def spec(node: str, permissions: str = "rwm") -> DeviceSpec:
    return DeviceSpec(node, node, permissions)


def test_a_device_with_a_node_and_one_without() -> None:
    found = [Found("/devices/b", "/dev/b"), Found("/devices/a", None)]
    assert present(found, Presentation(permissions="rw"), ungrouped) == [
        Device("/devices/a", {"UDEV_DEVPATH": "/devices/a"}),
        Device(
            "/devices/b",
            {"UDEV_DEVPATH": "/devices/b", "UDEV_DEVNODE": "/dev/b"},
            device_specs=(spec("/dev/b", "rw"),),
        ),
    ]


FAMILY = [
    Found(STICK, "/dev/bus/usb/001/010"),
    Found(f"{STICK}/1-1:1.0/video4linux/video1", "/dev/video1"),
    Found(f"{STICK}/1-1:1.0/video4linux/video2", "/dev/video2"),
    Found(f"{STICK}/1-1:1.1", None),
    Found(f"{STICK}-5", "/dev/bus/usb/001/011"),
    Found(f"{STICK}0", "/dev/bus/usb/001/012"),
]


@pytest.mark.parametrize("seed", range(10))
def test_a_group_is_what_lies_below_a_directory_always_in_the_same_order(seed: int) -> None:
    found = random.Random(seed).sample(FAMILY, len(FAMILY))
    first, *others = present(found, Presentation(group=True), ungrouped)
    assert first.id == STICK
    assert first.properties == {
        "UDEV_DEVPATH": STICK,
        "UDEV_DEVNODE_0": "/dev/bus/usb/001/010",
        "UDEV_DEVNODE_1": "/dev/video1",
        "UDEV_DEVNODE_2": "/dev/video2",
    }
    assert [each.host_path for each in first.device_specs] == ["/dev/bus/usb/001/010", "/dev/video1", "/dev/video2"]
    assert [each.properties["UDEV_DEVNODE_0"] for each in others] == ["/dev/bus/usb/001/011", "/dev/bus/usb/001/012"]


def test_without_groups_each_is_a_device() -> None:
    assert {each.id for each in present(FAMILY, Presentation(), ungrouped)} == {each.devpath for each in FAMILY}


def test_a_renumbered_node_is_another_set() -> None:
    before, after = (present([Found("/devices/a", node)], Presentation(), ungrouped) for node in ("/dev/a0", "/dev/a1"))
    assert before != after
    assert [each.id for each in before] == [each.id for each in after]


def test_the_address_of_a_usb_device() -> None:
    how = Presentation(resource="akri.sh/udev-usb.Stick")
    (alone,) = present(FAMILY[:1], how, ungrouped)
    assert alone.properties["USB_RESOURCE_AKRI_SH_UDEV-USB_STICK"] == "1:10"
    assert not [name for name in alone.properties if name.startswith("PCI")]
    (group,) = present(FAMILY[:3], Presentation(group=True, resource="r"), ungrouped)
    assert {name: value for name, value in group.properties.items() if "USB" in name} == {"USB_RESOURCE_R_0": "1:10"}


@pytest.mark.parametrize(
    ("path", "address"),
    [
        (GPU, "0000:01:00.0"),
        ("/devices/pci0000:00/0000:00:02.0/virtio1/block/vda", "0000:00:02.0"),
        ("/devices/virtual/mem/null", None),
        ("/devices/platform/serial8250", None),
        (STICK, None),
    ],
)
def test_the_address_of_a_pci_device(path: str, address: str | None) -> None:
    (device,) = present([Found(path, None)], Presentation(resource="vendor.io/gpu"), ungrouped)
    assert device.properties.get("PCI_RESOURCE_VENDOR_IO_GPU") == address


def test_no_address_is_told_without_a_resource() -> None:
    (device,) = present([Found(GPU, None)], Presentation(), ungrouped)
    assert device.properties == {"UDEV_DEVPATH": GPU}


@pytest.mark.parametrize(
    ("path", "group", "specs"),
    [
        (GPU, "7", (spec("/dev/dri/card0", "r"), spec("/dev/vfio/7"), spec("/dev/vfio/vfio"))),
        (GPU, None, (spec("/dev/dri/card0", "r"),)),
        (STICK, "7", (spec("/dev/dri/card0", "r"),)),
    ],
)
def test_a_pci_device_passed_through(path: str, group: str | None, specs: tuple[DeviceSpec, ...]) -> None:
    how = Presentation(permissions="r", vfio=True)
    (device,) = present([Found(path, "/dev/dri/card0")], how, {path: group}.__getitem__)
    assert device.device_specs == specs


def test_details_of_akris_documentation() -> None:
    details = read_details("groupRecursive: true\nudevRules:\n- 'KERNEL==\"video[0-9]*\"'\n", UdevDetails)
    assert [rule[0].value for rule in read_rules(details)] == ["video[0-9]*"]
    assert read_presentation(details, {}) == Presentation(group=True)


def test_properties() -> None:
    given = {"devicePluginResourceName": b" vendor.io/gpu\n", "vfioPassthrough": b"TRUE"}
    assert read_presentation(UdevDetails(), given) == Presentation(resource="vendor.io/gpu", vfio=True)
    unset = {"devicePluginResourceName": None, "vfioPassthrough": b"false"}
    assert read_presentation(UdevDetails(), unset) == Presentation()


def test_a_preset_beside_rules() -> None:
    details = read_details("{preset: virtual-cameras, udevRules: ['KERNEL==\"a\"']}", UdevDetails)
    assert [len(rule) for rule in read_rules(details)] == [1, 3]


@pytest.mark.parametrize(
    ("details", "properties", "told"),
    [
        ("", {}, "discoveryDetails has no rule"),
        ("udevRules: []", {}, "discoveryDetails has no rule"),
        ("udevRules: ['']", {}, "discoveryDetails.udevRules[0], column 1: expected a field"),
        (
            "udevRules: ['KERNEL==\"a\"', 'KERNEL=\"a\"']",
            {},
            "discoveryDetails.udevRules[1], column 7: = assigns something",
        ),
        ("{preset: cameras, permissions: ''}", {}, "discoveryDetails.permissions is ''"),
        ("{preset: cameras, permissions: rx}", {}, "discoveryDetails.permissions is 'rx'"),
        ("{preset: cameras, permissions: rr}", {}, "discoveryDetails.permissions is 'rr'"),
        ("{preset: webcams}", {}, "discoveryDetails.preset is the text 'webcams', not one of cameras, virtual-cameras"),
        ("preset: cameras", {"vfioPassthrough": b"yes"}, "discoveryProperties.vfioPassthrough is 'yes'"),
        ("preset: cameras", {"devicePluginResourceName": b"\xff"}, "devicePluginResourceName is not text in UTF-8"),
    ],
)
def test_what_cannot_be_used_is_named(details: str, properties: dict[str, bytes | None], told: str) -> None:
    with pytest.raises(InvalidDetailsError) as caught:
        _read(details, properties)
    assert told in str(caught.value)


def _read(details: str, properties: dict[str, bytes | None]) -> None:
    read = read_details(details, UdevDetails)
    read_rules(read)
    read_presentation(read, properties)


@pytest.mark.parametrize("permissions", ["r", "w", "m", "rw", "mr", "wm", "rwm", "mwr"])
def test_permissions(permissions: str) -> None:
    assert read_presentation(UdevDetails(permissions=permissions), {}).permissions == permissions
