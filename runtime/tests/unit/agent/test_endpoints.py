"""Known discovery handlers, over restarts."""

from pathlib import Path

import pytest
from edgelab.agent.endpoints import Endpoint, Endpoints
from edgelab.core.errors import LabError

UDS = Endpoint("debugEcho", "/run/akri/debugEcho.sock", shared=True)
TCP = Endpoint("onvif", "http://10.0.0.7:10000", network=True)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "agent" / "handlers.json"


def test_what_registered_is_known_after_a_restart(file: Path) -> None:
    before = Endpoints(file)
    before.register(UDS)
    before.register(TCP)
    assert Endpoints(file).all() == [UDS, TCP]


def test_registering_again_changes_nothing_but_tells(file: Path) -> None:
    endpoints, told = Endpoints(file), list[str]()
    assert endpoints.register(UDS)
    endpoints.on_change = told.append
    assert not endpoints.register(UDS)
    assert told == ["debugEcho"]


def test_what_was_kept_stays_kept_when_it_registers_itself(file: Path) -> None:
    endpoints = Endpoints(file)
    endpoints.register(Endpoint("debugEcho", UDS.address, kept=True))
    endpoints.register(UDS)
    assert endpoints.of("debugEcho") == [Endpoint("debugEcho", UDS.address, shared=True, kept=True)]


def test_forgetting(file: Path) -> None:
    endpoints = Endpoints(file)
    endpoints.register(UDS)
    endpoints.forget(UDS)
    endpoints.forget(UDS)
    assert Endpoints(file).all() == []


@pytest.mark.parametrize("content", ["", "{", "[1]", '[{"name": "x", "unknown": 1}]', '{"name": 1}'])
def test_a_damaged_file_counts_as_empty(file: Path, content: str) -> None:
    file.parent.mkdir()
    file.write_text(content)
    endpoints = Endpoints(file)
    assert endpoints.all() == []
    assert endpoints.register(UDS)


def test_where_to_dial() -> None:
    assert UDS.target() == Path("/run/akri/debugEcho.sock")
    assert TCP.target() == ("10.0.0.7", 10000)
    assert Endpoint("v6", "http://[::1]:10000", network=True).target() == ("::1", 10000)


@pytest.mark.parametrize(
    "endpoint",
    [
        Endpoint("x", ""),
        Endpoint("x", "relative.sock"),
        Endpoint("x", "10.0.0.7:10000", network=True),
        Endpoint("x", "http://10.0.0.7", network=True),
        Endpoint("x", "http://10.0.0.7:many", network=True),
        Endpoint("x", "https://10.0.0.7:10000", network=True),
    ],
)
def test_an_address_that_cannot_be_dialled(endpoint: Endpoint) -> None:
    with pytest.raises(LabError, match="address is"):
        endpoint.target()
