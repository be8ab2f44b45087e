"""What needs a kernel of its own, on a machine that has one: upgrade, kernel module, cameras, reboot, and back.

The tests are one story and run in this order; each one finds what those before it left. Where one fails, those after it
say what that broke.
"""

import json
import time

import pytest
from edge_host import EdgeHost
from edge_scenario import Scenario

Scenarios = dict[str, Scenario]
ROLES = ["linux_host", "v4l2loopback", "virtual_cameras"]
CAMERAS = ["video10", "video11"]


def boot_id(edge: EdgeHost) -> str:
    return edge.run("cat /proc/sys/kernel/random/boot_id").strip()


def kernels(edge: EdgeHost) -> tuple[str, str]:
    """The kernel that runs and the newest one installed."""
    running = edge.run("uname -r").strip()
    newest = edge.run("ls -v /boot/vmlinuz-* | tail -n 1").strip().removeprefix("/boot/vmlinuz-")
    return running, newest


def capture(edge: EdgeHost, camera: str) -> bytes:
    """One frame, captured by a program that has nothing to do with us."""
    return edge.read(f"sudo v4l2-ctl --device=/dev/{camera} --stream-mmap --stream-count=1 --stream-to=- 2>/dev/null")


def captured(edge: EdgeHost, camera: str) -> tuple[bytes, bytes]:
    """Two frames of a camera that may just be starting."""
    deadline = time.monotonic() + 600
    while True:
        frames = capture(edge, camera), capture(edge, camera)
        if all(frames) or time.monotonic() > deadline:
            return frames
        time.sleep(5)


def assert_streams(edge: EdgeHost) -> None:
    for camera in CAMERAS:
        first, second = captured(edge, camera)
        assert first.startswith(b"\xff\xd8"), camera
        assert second.startswith(b"\xff\xd8"), camera
        assert first != second, f"the picture of {camera} stands still"


@pytest.mark.parametrize("role", ROLES)
def test_check_mode_says_what_the_role_then_does_and_a_second_run_nothing(
    role: str, edge: EdgeHost, scenarios: Scenarios
) -> None:
    said = scenarios[role].step("check").changed_tasks()
    did = scenarios[role].step("converge").changed_tasks()
    assert said == did
    assert did
    scenarios[role].step("idempotence")
    scenarios[role].step("verify")


def test_the_newest_kernel_runs(edge: EdgeHost) -> None:
    running, newest = kernels(edge)
    assert running == newest


def test_the_cameras_stream(edge: EdgeHost) -> None:
    assert_streams(edge)


def test_other_devices_are_refused_while_these_are_used(edge: EdgeHost, scenarios: Scenarios) -> None:
    fewer = json.dumps({"v4l2loopback_devices": [{"label": "door", "number": 20}]})
    failed = scenarios["v4l2loopback"].step("converge", "--extra-vars", fewer, check=False)
    assert failed.status != 0
    assert "its devices are in use by gst-launch-1.0 (" in failed.output
    assert "edgelab-camera-video10.service" in failed.output
    assert_streams(edge)


def test_a_camera_that_is_killed_comes_back(edge: EdgeHost) -> None:
    pid = edge.run("systemctl show --property=MainPID --value edgelab-camera-video10").strip()
    edge.run(f"sudo kill -9 {pid}")
    assert_streams(edge)
    assert edge.run("systemctl show --property=MainPID --value edgelab-camera-video10").strip() not in ("0", pid)


def test_after_a_reboot_all_is_as_before(edge: EdgeHost, scenarios: Scenarios) -> None:
    before = boot_id(edge)
    edge.run("sudo systemctl reboot", check=False)
    deadline = time.monotonic() + 900
    while (now := edge.run("cat /proc/sys/kernel/random/boot_id", check=False).strip()) == before or len(now) != 36:
        assert time.monotonic() < deadline, f"the edge host did not come back: {now}"
        time.sleep(2)
    scenarios["v4l2loopback"].step("verify")
    assert_streams(edge)


def test_devices_that_nobody_uses_are_made_anew(edge: EdgeHost, scenarios: Scenarios) -> None:
    edge.run("sudo systemctl stop 'edgelab-camera-*'")
    other = json.dumps({"v4l2loopback_devices": [{"label": "door", "number": 20}]})
    done = scenarios["v4l2loopback"].step("converge", "--extra-vars", other)
    assert done.changed_tasks() == ["edgelab.akri.v4l2loopback : Have the devices, now and after each boot"]
    assert edge.run("ls /dev/video*").split() == ["/dev/video20"]
    assert edge.run("cat /sys/class/video4linux/video20/name").strip() == "door"


def test_nothing_is_left(edge: EdgeHost, scenarios: Scenarios) -> None:
    scenarios["virtual_cameras"].step("cleanup")
    scenarios["v4l2loopback"].step("cleanup")
    assert edge.run("ls /dev/video*", check=False).startswith("ls: cannot access")
