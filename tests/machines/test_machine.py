"""Test machines are what the tests that use them take for granted."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from labkit import eventually
from machines.machine import Machine, machine
from machines.rootfs import USER


def traces(name: str, subnet: int) -> list[str]:
    """What a machine would leave behind: its directory, its cable, its groups of processes."""
    found = [*Path("/tmp").glob(f"edgelab-machine-{name}-*"), *Path("/sys/class/net").glob(f"edgelab{subnet}")]
    return [str(path) for path in (*found, *Path("/sys/fs/cgroup").glob(f"*/edgelab-{subnet}"))]


def test_a_machine_is_fresh_and_leaves_nothing() -> None:
    """Its systemd runs everything that it should; two at once do not meet; nothing is left of them."""
    with machine("first") as first, machine("second") as second:
        assert first.ssh("systemctl", "is-system-running", "--wait").strip() == "running"
        assert first.ssh("sudo", "id", "-un", user=USER).strip() == "root"
        first.ssh("touch", "/mark")
        assert second.ssh("ls", "/mark", check=False) != first.ssh("ls", "/mark")
        assert traces("first", first.subnet.number)
    assert not traces("first", first.subnet.number) + traces("second", second.subnet.number)


def test_a_machine_keeps_its_disk() -> None:
    """It comes back from a reboot and from being switched off, each time as a new boot of the same machine."""
    with machine("lasting") as lasting:
        boots = {boot_id(lasting)}
        lasting.ssh("touch", "/mark")
        lasting.ssh("systemctl", "reboot", check=False)
        eventually(lambda: boot_id(lasting) not in {"", *boots}, what="the reboot")
        boots.add(boot_id(lasting))
        lasting.stop()
        assert not boot_id(lasting)
        lasting.start()
        assert boot_id(lasting) not in boots
        assert lasting.ssh("ls", "/mark").strip() == "/mark"


def boot_id(of: Machine) -> str:
    """Which boot this is; empty while nobody is let in."""
    words = of.ssh("echo", "boot:$(cat /proc/sys/kernel/random/boot_id)", check=False)
    return words.partition("boot:")[2].strip()


def test_a_machine_ends_with_those_who_wanted_it(tmp_path: Path) -> None:
    """Also with a process that is killed."""
    program = Path(__file__).with_name("machine.py")
    command = [sys.executable, str(program), "run", "orphan", "--", "cat"]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write("It is there\n")
        process.stdin.flush()
        assert process.stdout.readline() == "It is there\n"
        inventory = json.loads(next(tmp_path.rglob("inventory-root.json")).read_text())
        cable = Path("/sys/class/net", f"edgelab{inventory['all']['hosts']['orphan']['ansible_host'].split('.')[2]}")
        assert cable.exists()
        process.kill()
    eventually(lambda: not cable.exists(), what="the end of the machine")


def test_only_root_gets_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is told why."""
    monkeypatch.setattr(os, "getuid", lambda: 1000)
    with pytest.raises(RuntimeError, match="needs root"), machine("none"):
        pass
