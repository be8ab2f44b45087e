"""The handler debugEcho: which devices its file unplugs."""

import pytest
from edgelab.discovery.handlers.debug_echo import HANDLER, devices


@pytest.mark.parametrize(
    ("availability", "plugged"),
    [
        ("", ["foo0", "foo1"]),
        ("ONLINE\n", ["foo0", "foo1"]),
        ("OFFLINE", []),
        ("  OFFLINE \n", []),
        ("the devices are OFFLINE", []),
        ("OFFLINE foo1\n", ["foo0"]),
        ("OFFLINE foo1\r\n\nOFFLINE  foo0 \n", []),
        ("OFFLINE foo", ["foo0", "foo1"]),
        ("OFFLINE foo1\nOFFLINE\n", []),
        ("\ufffdOFFLINE", []),
    ],
)
def test_a_line_unplugs_one_device_or_all(availability: str, plugged: list[str]) -> None:
    assert [device.id for device in devices(["foo0", "foo1"], availability)] == plugged


def test_a_description_of_several_words_is_unplugged_alone() -> None:
    assert [device.id for device in devices(["a b", "a"], "OFFLINE a b")] == ["a"]


def test_it_is_akris_handler_by_name_and_property() -> None:
    assert (HANDLER.name, HANDLER.shared) == ("debugEcho", True)
    assert devices(["foo0"], "")[0].properties == {"DEBUG_ECHO_DESCRIPTION": "foo0"}
