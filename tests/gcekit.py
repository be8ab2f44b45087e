"""A lab whose machine is in the stand-in for Compute Engine, worked on by what its module calls."""

from dataclasses import dataclass, replace
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _gce_instance as subject
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import Wanted
from ansible_collections.edgelab.akri.plugins.module_utils._gce_wait import Patience
from ansible_collections.edgelab.akri.plugins.module_utils._gce_work import Access
from standins.gce import GceStandin
from standins.sshd import SshMachines

NAME, LAB = "edgelab-x", "x"


class Clock:
    """A clock that only sleeping moves, so that waiting in vain takes no time."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@dataclass
class Lab:
    """A lab whose machine is in the stand-in: what its module would do, called directly."""

    gce: GceStandin
    machines: SshMachines
    access: Access
    options: dict[str, Any]

    def wanted(self, **options: Any) -> Wanted:
        return Wanted.from_params({**self.options, **options})

    def present(self, *, recreate: bool = False, dry_run: bool = False, **options: Any) -> dict[str, Any]:
        self.access = replace(self.access, now=self.gce.cloud.now)
        return subject.present(self.wanted(**options), self.access, recreate=recreate, dry_run=dry_run)

    def absent(self, *, dry_run: bool = False, os_login: bool = False) -> dict[str, Any]:
        return subject.absent(NAME, LAB, self.access, os_login=os_login, dry_run=dry_run)

    def expired(self, *, dry_run: bool = False) -> dict[str, Any]:
        return subject.expired(self.access.compute, self.gce.cloud.now(), dry_run=dry_run)

    def impatient(self) -> None:
        """From now on waiting takes no time."""
        clock = Clock()
        self.access = replace(self.access, patience=Patience(30, monotonic=clock.monotonic, sleep=clock.sleep))

    def nothing_is_left(self) -> bool:
        cloud = self.gce.cloud
        there = (cloud.instances, cloud.disks, cloud.firewalls, cloud.login_keys)
        return not any(there) and not self.access.files.directory.exists()

    def changes(self) -> list[str]:
        """The calls so far that change something."""
        return [call for call in self.gce.cloud.calls if not call.endswith(("List", "list", "get", "Family", "wait"))]
