"""Compute Engine as the collection uses it, against the stand-in in tests/standins and a real sshd. Budget: 2 minutes.

No cloud can be reached from where tests run, and none should be paid for; the scheduled workflow has the real one.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _gce_instance as subject
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute, credentials_for
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import Wanted
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin
from ansible_collections.edgelab.akri.plugins.module_utils._gce_wait import Patience
from ansible_collections.edgelab.akri.plugins.module_utils._gce_work import Access
from ansible_collections.edgelab.akri.plugins.module_utils._ssh import Files
from ansible_collections.edgelab.akri.plugins.modules.gce_instance import SPEC
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


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Lab]:
    """A lab that has nothing yet."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    machines = SshMachines(tmp_path / "machines")
    with GceStandin(machines) as gce:
        credentials, _ = credentials_for(str(gce.credentials_file))
        access = Access(
            Compute(gce.project, credentials, gce.url),
            OsLogin(credentials, gce.url),
            Files(tmp_path / "state/machines/x"),
            Patience(60, first=0.1),
        )
        defaults = {name: option.get("default") for name, option in SPEC.items()}
        given = {"name": NAME, "lab": LAB, "ssh_user": machines.user, "ssh_port": machines.port}
        yield Lab(gce, machines, access, {**defaults, **given, "ssh_ranges": ["127.0.0.0/8"]})
    os.environ.pop("GOOGLE_APPLICATION_CREDENTIALS", None)
