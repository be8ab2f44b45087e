"""Where a handler is served: what the flags say, and what the environment says for Akri's own handlers."""

import argparse
from pathlib import Path

import pytest
from edgelab.core.errors import LabError
from edgelab.discovery.program import Place, add_arguments, find_place
from edgelab.discovery.registration import Address

AKRI = {"DISCOVERY_HANDLERS_DIRECTORY": "/var/lib/akri"}
LAB, LAB_DIRECTORY, LAB_STATUS = "--run /run/lab", Path("/run/lab/akri"), Path("/run/lab/handler-x.sock")


def place(flags: str, environment: dict[str, str]) -> Place:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_arguments(parser)
    return find_place("x", parser.parse_args(flags.split()), environment)


@pytest.mark.parametrize(
    ("flags", "environment", "wanted"),
    [
        (LAB, {}, Place(LAB_DIRECTORY, status=LAB_STATUS)),
        (f"{LAB} --name mine", {}, Place(LAB_DIRECTORY, status=Path("/run/lab/mine.sock"))),
        (LAB, AKRI, Place(LAB_DIRECTORY, status=LAB_STATUS)),
        ("", AKRI, Place(Path("/var/lib/akri"))),
        ("", AKRI | {"POD_IP": ""}, Place(Path("/var/lib/akri"))),
        ("", AKRI | {"POD_IP": "192.0.2.1"}, Place(Path("/var/lib/akri"), Address("192.0.2.1", 10000), "192.0.2.1")),
        ("--listen 127.0.0.1:0", AKRI, Place(Path("/var/lib/akri"), Address("127.0.0.1", 0), "127.0.0.1")),
        (
            "--listen 0.0.0.0:7000",
            AKRI | {"POD_IP": "192.0.2.1"},
            Place(Path("/var/lib/akri"), Address("0.0.0.0", 7000), "192.0.2.1"),
        ),
        (
            "--listen [::]:7000 --advertise handler.example",
            AKRI,
            Place(Path("/var/lib/akri"), Address("::", 7000), "handler.example"),
        ),
        (
            "--listen handler.example:7000",
            AKRI | {"POD_IP": "192.0.2.1"},
            Place(Path("/var/lib/akri"), Address("handler.example", 7000), "handler.example"),
        ),
    ],
)
def test_flags_come_first_then_the_environment(flags: str, environment: dict[str, str], wanted: Place) -> None:
    assert place(flags, environment) == wanted


@pytest.mark.parametrize(
    ("flags", "environment", "told"),
    [
        ("", {}, "Neither --run nor DISCOVERY_HANDLERS_DIRECTORY says where the agent is. Give --run DIR"),
        ("--listen 0.0.0.0:7000", AKRI, "Give --advertise HOST, or set POD_IP"),
        ("--listen [::]:7000", AKRI, "Give --advertise HOST, or set POD_IP"),
    ],
)
def test_what_is_missing_is_told(flags: str, environment: dict[str, str], told: str) -> None:
    with pytest.raises(LabError, match=told):
        place(flags, environment)


@pytest.mark.parametrize(
    ("text", "address", "url"),
    [
        ("192.0.2.1:10000", Address("192.0.2.1", 10000), "http://192.0.2.1:10000"),
        ("[2001:db8::1]:1", Address("2001:db8::1", 1), "http://[2001:db8::1]:1"),
        ("localhost:0", Address("localhost", 0), "http://localhost:0"),
    ],
)
def test_an_address_is_told_to_agents_as_a_url(text: str, address: Address, url: str) -> None:
    assert Address.parse(text) == address
    assert str(address) == url


@pytest.mark.parametrize(
    "text", ["", "host", ":1", "host:", "host:65536", "::1:1", "http://host:1", "[host]:1", "h:1:2"]
)
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not HOST:PORT"):
        Address.parse(text)
    with pytest.raises(argparse.ArgumentError, match="is not HOST:PORT"):
        place(f"--run /r --listen={text}", {})
