"""MicroK8s as a cluster, on a machine with the stand-in for snapd and MicroK8s (tests/standins/microk8s). Needs root.

Budget of the whole directory: 6 minutes. One machine serves all tests; each leaves it without MicroK8s.
"""

from collections.abc import Iterator

import pytest
from standins.microk8s.machine import microk8s_machine
from standins.microk8s.target import Target


@pytest.fixture(scope="module")
def microk8s() -> Iterator[Target]:
    """A machine where MicroK8s can be installed."""
    with microk8s_machine("machine") as made:
        yield Target(made)
