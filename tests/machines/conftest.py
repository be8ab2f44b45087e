"""Labs on other machines: Debian in systemd-nspawn, by ssh, and as the instances of a cloud. Budget: 6 minutes.

Half of that is pip, which installs the runtime on each machine anew. Needs root, as systemd-nspawn does.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from labkit import Lab, Result
from machines.machine import Machine, machine


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Whoever is not root gets to know why these tests are not run."""
    if os.getuid() != 0:
        for item in items:
            item.add_marker(pytest.mark.skip(reason="test machines need root"))


@dataclass(slots=True)
class RemoteLab:
    """A lab on a machine, with the controller's own state in a directory that has to stay empty."""

    machine: Machine
    lab: Lab
    user: str = "root"

    def playbook(self, name: str, *options: str, check: bool = True, **variables: object) -> Result:
        """Run one of the project's playbooks with the machine as the one that is given."""
        inventory = self.machine.inventory(self.user, **variables)
        return self.lab.playbook(name, "-i", str(inventory), *options, check=check, lab_host=self.machine.name)

    def recap(self, result: Result) -> dict[str, int]:
        """Ansible's numbers for the machine."""
        return recap(result, self.machine.name)


def recap(result: Result, host: str) -> dict[str, int]:
    """Ansible's numbers for a host."""
    line = next(
        line for line in reversed(result.output.splitlines()) if line.startswith(f"{host} ") and ": ok=" in line
    )
    return {key: int(value) for key, value in (word.split("=") for word in line.split(":", 1)[1].split())}


@pytest.fixture
def home() -> Iterator[Path]:
    """Where the controller would keep its state; short, since sockets are below it."""
    path = Path(tempfile.mkdtemp(prefix="edgelab-remote-"))
    yield path
    shutil.rmtree(path)


@pytest.fixture(scope="module")
def edge() -> Iterator[Machine]:
    """A machine for the tests of one file."""
    with machine("edge") as made:
        yield made


@pytest.fixture
def remote(edge: Machine, home: Path) -> RemoteLab:
    """A lab that is not there yet, on that machine."""
    return RemoteLab(edge, Lab(home, "far"))
