"""Which runtime crictl is told to talk to, and what becomes of a configuration of the user's."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _crictl
from ansible_collections.edgelab.akri.plugins.module_utils._crictl import Found
from ansible_collections.edgelab.akri.plugins.module_utils._crictl_places import Here, Node, Place
from edgelab.core.errors import LabError

ENDPOINT = "unix:///run/containerd/containerd.sock"
OURS = f"{_crictl.HEADER}runtime-endpoint: {ENDPOINT}\nimage-endpoint: {ENDPOINT}\n"
USERS = "timeout: 2\nruntime-endpoint: 'unix:///run/crio/crio.sock'\n# mine\n"

# `env` runs what follows it, as `podman exec NAME` does in a node.
PLACES = pytest.mark.parametrize("place", [Here(), Node(["env"])], ids=["here", "node"])


@pytest.fixture
def runtime(tmp_path: Path) -> Iterator[str]:
    """The path of a socket on which something listens."""
    path = str(tmp_path / "runtime.sock")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()
        yield path


@pytest.mark.parametrize(
    ("found", "text", "kept"),
    [
        (Found(None, None), OURS, None),
        (Found(OURS, None), OURS, None),
        (Found(OURS.replace("containerd.sock", "old.sock"), None), OURS, None),
        (
            Found(f"runtime-endpoint: {ENDPOINT}\ntimeout: 2\n", None),
            f"runtime-endpoint: {ENDPOINT}\ntimeout: 2\n",
            None,
        ),
        (Found(USERS, None), OURS + "timeout: 2\n# mine\n", USERS),
        (Found("timeout: 2\n", USERS), OURS + "timeout: 2\n", USERS),
    ],
    ids=["nothing", "as wanted", "another of ours", "the user's as wanted", "the user's", "the first one is kept"],
)
def test_present(found: Found, text: str, kept: str | None) -> None:
    plan = _crictl.plan_present(found, ENDPOINT)
    assert (plan.text, plan.kept) == (text, kept)
    assert plan.needed == ((text, kept) != (found.text, found.kept))
    again = _crictl.plan_present(Found(plan.text, plan.kept), ENDPOINT)
    assert not again.needed


@pytest.mark.parametrize(
    ("found", "text"),
    [
        (Found(None, None), None),
        (Found(OURS, None), None),
        (Found(USERS, None), USERS),
        (Found(OURS, USERS), USERS),
        (Found(None, USERS), USERS),
    ],
    ids=["nothing", "ours", "the user's", "the user's is put back", "though ours is gone"],
)
def test_absent(found: Found, text: str | None) -> None:
    plan = _crictl.plan_absent(found)
    assert (plan.text, plan.kept) == (text, None)


@PLACES
def test_the_users_configuration_comes_back(place: Place, tmp_path: Path) -> None:
    path = tmp_path / "crictl.yaml"
    path.write_text(USERS)
    _crictl.apply(place, str(path), _crictl.plan_present(_crictl.look(place, str(path)), ENDPOINT))
    assert _crictl.configured(path.read_text()) == {"runtime-endpoint": ENDPOINT, "image-endpoint": ENDPOINT}
    assert path.stat().st_mode & 0o777 == 0o644
    _crictl.apply(place, str(path), _crictl.plan_absent(_crictl.look(place, str(path))))
    assert path.read_text() == USERS
    assert list(tmp_path.iterdir()) == [path]


@PLACES
def test_what_was_not_there_is_gone_again(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "crictl.yaml")
    _crictl.apply(place, path, _crictl.plan_present(_crictl.look(place, path), ENDPOINT))
    _crictl.apply(place, path, _crictl.plan_absent(_crictl.look(place, path)))
    assert list(tmp_path.iterdir()) == []


@PLACES
def test_the_socket_is_found_by_looking(place: Place, runtime: str, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    sockets = {"absent": str(tmp_path / "absent"), "file": str(tmp_path / "file"), "here": runtime}
    assert _crictl.find_endpoint(place, Found(None, None), sockets) == f"unix://{runtime}"


@PLACES
def test_a_configured_socket_that_answers_wins(place: Place, runtime: str, tmp_path: Path) -> None:
    sockets = {"another": str(tmp_path / "another")}
    assert _crictl.find_endpoint(place, Found(f"runtime-endpoint: unix://{runtime}", None), sockets).endswith(runtime)


def test_a_dead_socket_does_not_count(tmp_path: Path) -> None:
    path = tmp_path / "dead.sock"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(path))
    with pytest.raises(LabError, match=rf"{path} \(containerd\).*crictl_endpoint"):
        _crictl.find_endpoint(Here(), Found(USERS, None), {"containerd": str(path)})


def test_a_node_that_is_not_there_is_told() -> None:
    with pytest.raises(LabError, match="The node does not run"):
        Node(["false-or-absent-command"]).read("/etc/crictl.yaml")
    with pytest.raises(LabError, match="ended with 125"):
        Node(["sh", "-c", "exit 125"]).read("/etc/crictl.yaml")
