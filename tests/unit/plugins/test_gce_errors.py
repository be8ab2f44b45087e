"""Failures of Compute Engine, told by their causes; waiting; and what is written about servers for ssh."""

import subprocess
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils._gce_errors import CloudError, Failure
from ansible_collections.edgelab.akri.plugins.module_utils._gce_wait import Patience
from ansible_collections.edgelab.akri.plugins.module_utils._gce_work import _cause_of, _no_use_to_wait
from ansible_collections.edgelab.akri.plugins.module_utils._ssh import Files, Server


@pytest.mark.parametrize(
    ("status", "reason", "message", "cause"),
    [
        (403, "accessNotConfigured", "not been used", "The API is off"),
        (403, "SERVICE_DISABLED", "not been used", "The API is off"),
        (401, "authError", "invalid credentials", "have expired"),
        (403, "quotaExceeded", "Quota 'CPUS' exceeded", "quota does not allow"),
        (403, "QUOTA_EXCEEDED", "Quota 'CPUS' exceeded", "quota does not allow"),
        (403, "forbidden", "Required 'compute.instances.create' permission", "may not do this"),
        (403, "rateLimitExceeded", "Rate Limit Exceeded", "Asked more often"),
        (429, "", "Too many requests", "Asked more often"),
        (503, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "not enough resources", "No zone of the list has room"),
        (503, "backendError", "Backend Error", "trouble of its own"),
        (412, "conditionNotMet", "Constraint constraints/compute.requireOsLogin violated", "but by OS Login"),
        (412, "conditionNotMet", "Constraint constraints/compute.vmExternalIpAccess violated", "no public addresses"),
        (404, "notFound", "images/family/x was not found", "A name is wrong"),
    ],
)
def test_a_failure_is_told_by_its_cause(status: int, reason: str, message: str, cause: str) -> None:
    told = str(CloudError("Create edgelab-x", Failure(status, (reason,), message)))
    assert told.startswith(f"Create edgelab-x. Compute Engine says: {message} ({status}).")
    assert cause in told


@pytest.mark.parametrize(
    ("status", "reason", "passing"),
    [
        (429, "", True),
        (403, "rateLimitExceeded", True),
        (503, "backendError", True),
        (500, "", True),
        (503, "ZONE_RESOURCE_POOL_EXHAUSTED", False),
        (403, "forbidden", False),
        (400, "invalid", False),
        (404, "notFound", False),
    ],
)
def test_only_what_passes_is_asked_again(status: int, reason: str, passing: bool) -> None:
    assert Failure(status, (reason,), "").is_passing is passing


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_waiting_ends_with_the_first_value_that_will_do() -> None:
    clock = Clock()
    values = iter([1, 2, 3, 4])
    patience = Patience(60, monotonic=clock.monotonic, sleep=clock.sleep)
    assert patience.wait(lambda: next(values), until=lambda value: value == 3) == 3
    assert clock.slept == [1, 2]


def test_waiting_ends_in_time_with_what_was_seen_last() -> None:
    clock = Clock()
    patience = Patience(20, ceiling=8, monotonic=clock.monotonic, sleep=clock.sleep)
    assert patience.wait(lambda: clock.now, until=lambda _: False) == 23
    assert clock.slept == [1, 2, 4, 8, 8]


def test_a_key_pair_is_private_and_openssh_reads_it(tmp_path: Path) -> None:
    files = Files(tmp_path / "machines/x")
    assert files.public_key() is None
    public = files.make_key("edgelab-x")
    assert files.public_key() == public
    assert files.private_key.stat().st_mode & 0o777 == 0o600
    assert files.directory.stat().st_mode & 0o777 == 0o700
    read = subprocess.run(["ssh-keygen", "-y", "-f", files.private_key], capture_output=True, text=True, check=True)
    assert read.stdout.split()[:2] == public.split()[:2]


def test_a_private_key_without_its_public_half_is_no_pair(tmp_path: Path) -> None:
    files = Files(tmp_path / "x")
    files.make_key("x")
    files.private_key.unlink()
    assert files.public_key() is None


@pytest.mark.parametrize(("port", "named"), [(22, "203.0.113.80"), (2222, "[203.0.113.80]:2222")])
def test_noted_host_keys_are_those_that_ssh_finds(tmp_path: Path, port: int, named: str) -> None:
    files, server = Files(tmp_path / "x"), Server("203.0.113.80", port, "edgelab")
    assert not files.knows(server)
    key = files.make_key("host").split()
    files.note(server, {key[0]: key[1]})
    assert files.knows(server)
    assert not files.knows(Server("203.0.113.81", port, "edgelab"))
    found = subprocess.run(
        ["ssh-keygen", "-F", named, "-f", files.known_hosts], capture_output=True, text=True, check=True
    )
    assert key[1] in found.stdout


def test_forgetting_leaves_other_labs_alone_and_nothing_else(tmp_path: Path) -> None:
    one, two = Files(tmp_path / "machines/one"), Files(tmp_path / "machines/two")
    one.make_key("one")
    two.make_key("two")
    one.forget()
    assert [path.name for path in (tmp_path / "machines").iterdir()] == ["two"]
    two.forget()
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("said", "cause", "final"),
    [
        ("Host key verification failed.", "is not the machine", True),
        ("ada@x: Permission denied (publickey).", "account or its key", False),
        ("connect to host x port 22: Connection refused", "firewall", False),
        ("connect to host x port 22: Connection timed out", "firewall", False),
    ],
)
def test_what_ssh_says_is_told_by_its_cause(said: str, cause: str, final: bool) -> None:
    assert cause in _cause_of(said)[0]
    assert _no_use_to_wait(said) is final
