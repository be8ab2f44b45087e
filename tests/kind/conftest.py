"""Labs on a real Kind cluster, made with the tests' own node image. Needs root.

Budget of the whole directory: 13 minutes with the node image in the cache, 16 without. One lab serves all tests but
those that make and delete clusters themselves; in two processes (`--numprocesses 2`), these run beside the others.
"""

from collections.abc import Iterator
from typing import Any

import image
import machine
import pytest
import variables
from labkit import Lab, new_lab
from xdist.scheduler import LoadScopeScheduling


class _ByLab(LoadScopeScheduling):
    """Keeps tests of one lab in one process."""

    def _split_scope(self, nodeid: str) -> str:
        own = ("/test_kind_cluster.py::", "/test_demo_video.py::")
        return "clusters of their own" if any(file in nodeid for file in own) else "one lab"


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """How tests are dealt out to processes."""
    return _ByLab(config, log)


@pytest.fixture(scope="session")
def kind_variables() -> Iterator[dict[str, Any]]:
    """Variables of a lab on Kind here; while they are used, Podman works as it does here."""
    machine.prepare()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in machine.environment().items():
            patch.setenv(name, value)
        yield variables.lab(image.ensure())


@pytest.fixture(scope="session")
def kind_lab(kind_variables: dict[str, Any]) -> Iterator[Lab]:
    """A running lab on Kind, without a demo."""
    made = new_lab("kind", **kind_variables)
    try:
        made.playbook("up.yml")
        yield made
    finally:
        made.remove()
