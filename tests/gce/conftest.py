"""Compute Engine as the collection uses it, against the stand-in in tests/standins and a real sshd. Budget: 2 minutes.

No cloud can be reached from where tests run, and none should be paid for; the scheduled workflow has the real one.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute, credentials_for
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin
from ansible_collections.edgelab.akri.plugins.module_utils._gce_wait import Patience
from ansible_collections.edgelab.akri.plugins.module_utils._gce_work import Access
from ansible_collections.edgelab.akri.plugins.module_utils._ssh import Files
from ansible_collections.edgelab.akri.plugins.modules.gce_instance import SPEC
from gcekit import LAB, NAME, Lab
from standins.gce import GceStandin
from standins.sshd import SshMachines


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
