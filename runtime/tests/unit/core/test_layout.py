"""Where a lab lives: short, stable, apart from every other lab."""

from pathlib import Path

import pytest
from edgelab.core.layout import LONGEST_SOCKET_PATH, layout
from hypothesis import given
from hypothesis import strategies as st

HOME = {"HOME": "/home/me"}


def test_follows_the_xdg_directories() -> None:
    there = layout("default", {"XDG_STATE_HOME": "/s", "XDG_CACHE_HOME": "/c", **HOME}, 1000)
    assert there.state == Path("/s/edgelab/default")
    assert there.cache == Path("/c/edgelab")


def test_a_relative_xdg_directory_is_ignored_as_the_specification_says() -> None:
    assert layout("default", {"XDG_STATE_HOME": "s", **HOME}, 1).state == Path("/home/me/.local/state/edgelab/default")


@pytest.mark.parametrize("name", ["", "A", "-a", "a-", "a" * 33, "a/b", "..", "a b", "a\n"])
def test_refuses_what_is_not_a_lab_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not a lab name"):
        layout(name, HOME, 0)


@given(st.from_regex(r"[a-z0-9]([-a-z0-9]{0,30}[a-z0-9])?", fullmatch=True), st.integers(0, 2**32 - 2))
def test_the_run_directory_leaves_room_for_every_socket(name: str, uid: int) -> None:
    there = layout(name, {"HOME": "/home/" + "x" * 200}, uid)
    assert len(str(there.run)) <= 40
    longest_plugin = there.sockets.device_plugins / ("a" * 63 + ".sock")
    assert len(str(longest_plugin)) <= LONGEST_SOCKET_PATH


def test_two_labs_two_users_and_two_state_directories_never_meet() -> None:
    runs = {
        layout("a", HOME, 1).run,
        layout("b", HOME, 1).run,
        layout("a", HOME, 2).run,
        layout("a", {"XDG_STATE_HOME": "/s"}, 1).run,
    }
    assert len(runs) == 4
