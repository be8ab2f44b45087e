"""What people are told when a machine is not as it has to be; nothing is changed on it."""

import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from machines.conftest import RemoteLab
from machines.machine import Machine
from machines.rootfs import USER


@contextmanager
def moved_away(of: Machine, path: str) -> Iterator[None]:
    """The machine lacks something until the block ends."""
    aside = f"{path}.aside"
    of.ssh("mv", path, aside)
    yield
    of.ssh("mv", aside, path)


def refused(lab: RemoteLab, **variables: object) -> str:
    """What a run says, its words in one line."""
    result = lab.playbook("up.yml", check=False, **variables)
    assert result.status
    assert not lab.machine.ssh("find", "/root", f"/home/{USER}", "-name", "lab.json")
    return " ".join(result.output.split())


def test_no_python(remote: RemoteLab) -> None:
    with moved_away(remote.machine, "/usr/bin/python3"), moved_away(remote.machine, "/usr/bin/python3.11"):
        assert "install it (Debian, Ubuntu: apt-get install python3 python3-venv)" in refused(remote)


def test_old_python(remote: RemoteLab) -> None:
    """There is no old Python to be had here: Debian's own says that it is one."""
    code = (
        "import sys; sys.version_info = (3, 9, 2, 'final', 0); sys.version = '3.9.2 ' + sys.version.partition(' ')[2]"
    )
    remote.machine.ssh(f"echo {shlex.quote(code)} > /etc/python3.11/sitecustomize.py")
    told = refused(remote)
    remote.machine.ssh("rm", "/etc/python3.11/sitecustomize.py")
    assert "There is 3.9.2, and it takes 3.11 or newer. Install one beside it" in told


def test_no_venv(remote: RemoteLab) -> None:
    remote.user = USER
    with moved_away(remote.machine, "/usr/lib/python3.11/ensurepip"):
        result = remote.playbook("up.yml", check=False)
    assert "apt-get install python3-venv" in result.output
    remote.playbook("down.yml")


def test_stranger_at_the_address(remote: RemoteLab, tmp_path: Path) -> None:
    """A host key that is not the known one ends it before anything is sent."""
    another = remote.machine.key.with_suffix(".pub").read_text()
    (tmp_path / "known").write_text(f"{remote.machine.address} {another}")
    told = refused(remote, ansible_ssh_common_args=f"-o UserKnownHostsFile={tmp_path}/known -o ControlPath=none")
    assert "Host key verification failed" in told


@pytest.mark.parametrize("variable", ["ansible_ssh_private_key_file", "ansible_user"])
def test_nobody_lets_us_in(remote: RemoteLab, variable: str) -> None:
    told = refused(remote, **{variable: "/dev/null", "ansible_ssh_common_args": common(remote)})
    assert "Permission denied (publickey" in told


def common(of: RemoteLab) -> str:
    """How ssh knows the machine, without a connection that is kept from before."""
    return f"{of.machine.variables()['ansible_ssh_common_args']} -o ControlPath=none"


def test_host_that_no_inventory_has(remote: RemoteLab) -> None:
    result = remote.lab.playbook("up.yml", check=False, lab_host="nowhere")
    assert "lab_host is nowhere, which is in no inventory. Nothing was changed." in " ".join(result.output.split())
