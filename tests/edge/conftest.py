"""One edge host for the whole run, and the scenarios on it."""

import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parent))

from edge_host import EdgeHost, booted
from edge_scenario import Scenario

NAMES = ("linux_host", "v4l2loopback", "virtual_cameras", "linux_node")


@pytest.fixture(scope="session")
def edge() -> Iterator[EdgeHost]:
    """The machine."""
    with booted() as host:
        yield host


@pytest.fixture(scope="session")
def scenarios(edge: EdgeHost) -> Iterator[dict[str, Scenario]]:
    """The scenarios by their names."""
    with tempfile.TemporaryDirectory(prefix="edgelab-edge-molecule-") as scratch:
        yield {name: Scenario(name, edge, scratch) for name in NAMES}
