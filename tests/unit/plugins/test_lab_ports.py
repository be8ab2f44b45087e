"""The ports of a lab: chosen, kept, forced."""

import socket
from collections.abc import Collection, Mapping
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _lab_ports as subject

LAB = Path("/state/edgelab/x")


def choose(
    kept: Mapping[str, int] | None = None, forced: Mapping[str, int] | None = None, taken: Collection[int] = ()
) -> dict[str, int]:
    return subject.choose(LAB, kept or {}, forced or {}, lambda port: port not in taken)


def test_each_name_gets_a_port_of_its_own_below_the_ephemeral_range() -> None:
    ports = choose()
    assert list(ports) == list(subject.NAMES)
    assert len(set(ports.values())) == len(subject.NAMES)
    assert all(20000 <= port < 30000 for port in ports.values())


def test_taken_ports_are_passed_over() -> None:
    taken = set(choose().values())
    assert not taken & set(choose(taken=taken).values())


def test_kept_ports_stay_even_when_occupied() -> None:
    ports = choose()
    assert choose(kept=ports, taken=set(ports.values())) == ports


def test_forced_port_wins_and_drives_another_process_off_it() -> None:
    ports = choose()
    forced = choose(kept=ports, forced={"registry": ports["node"]})
    assert forced["registry"] == ports["node"]
    assert len(set(forced.values())) == len(subject.NAMES)


def test_new_name_gets_a_port_beside_those_kept() -> None:
    ports = choose()
    older = {name: port for name, port in ports.items() if name != "registry"}
    assert {name: choose(kept=older)[name] for name in older} == older


@pytest.mark.parametrize(
    ("forced", "said"),
    [
        ({"etcd": 1}, "No port is called etcd; there are kube_apiserver"),
        ({"node": 0}, "Port 0 of node"),
        ({"node": 65536}, "Port 65536 of node"),
        ({"node": 5, "registry": 5}, "a port of its own"),
    ],
)
def test_nonsense_is_refused(forced: dict[str, int], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        choose(forced=forced)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
def test_port_that_somebody_listens_on_is_not_free(address: str) -> None:
    with socket.create_server((address, 0)) as server:
        port = server.getsockname()[1]
        assert not subject.is_free(port)
    assert subject.is_free(port)
