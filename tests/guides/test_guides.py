"""The guides of docs/guides tell the truth: each is carried out as it stands, by a reader with a home of their own.

The home is new, so that the lab `default` of the guides is no other's; the cache of binaries is the user's.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Driver, chromium, lacking, picture
from guidekit import Shell, carry_out, open_shell
from httppage import Rows, switch, until
from labkit import ROOT, Lab, kubectl

pytestmark = pytest.mark.lab

GUIDES = ROOT / "docs/guides"


@pytest.fixture
def home() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="edgelab-guide-"))
    yield made
    shutil.rmtree(made)


@pytest.fixture
def lab(home: Path) -> Iterator[Lab]:
    """The reader's lab, which the guide makes, and takes away unless it fails before."""
    reader = Lab(home / ".local", "default")
    yield reader
    if reader.layout.marker.exists():
        reader.playbook("down.yml")


@pytest.fixture
def shell(home: Path, lab: Lab) -> Iterator[Shell]:
    """The reader's terminal, in the checkout, as one has it who has not activated anything."""
    (home / "bin").mkdir()
    (home / "bin/kubectl").symlink_to(kubectl())
    with open_shell(ROOT, environment(home)) as made:
        yield made


def environment(home: Path) -> dict[str, str]:
    """That of the tests, with another home and without what they or `make` were told; caches are the user's."""
    dropped = {"XDG_STATE_HOME", "KUBECONFIG", "MAKEFLAGS", "MFLAGS", "MAKELEVEL"}
    ours = {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "GOPATH": os.environ.get("GOPATH", str(Path.home() / "go")),
        # The environment is there, and is made anew for another Python than its own.
        "PYTHON": sys.executable,
    }
    return {name: value for name, value in os.environ.items() if name not in dropped} | ours


@pytest.fixture
def browser() -> Iterator[Driver]:
    if reason := lacking():
        pytest.skip(reason)
    with chromium(height=820) as made:
        yield made


def test_every_guide_has_a_test() -> None:
    guides = {f"test_{guide.stem.replace('-', '_')}" for guide in GUIDES.glob("*.md") if guide.stem != "README"}
    assert guides <= globals().keys()


def test_wasm_debug_echo(shell: Shell) -> None:
    carry_out(GUIDES / "wasm-debug-echo.md", shell, {})


def test_write_a_handler(shell: Shell) -> None:
    carry_out(GUIDES / "write-a-handler.md", shell, {})


def test_http_devices(shell: Shell, lab: Lab, browser: Driver) -> None:
    def look() -> None:
        browser.get(f"http://127.0.0.1:{lab.ports['http_page']}/")
        until(browser, as_the_guide_left_them, within=60)
        picture(browser, "http-devices")

    def press(state: str) -> None:
        switch(browser, "Device 7").click()
        until(browser, lambda found: found["Device 7"].state == state, within=60)

    deeds = {
        "look at the page": look,
        "unplug device 7 on the page": lambda: press("unplugged"),
        "plug in device 7 on the page": lambda: press("live"),
    }
    carry_out(GUIDES / "http-devices.md", shell, deeds)


def as_the_guide_left_them(found: Rows) -> bool:
    """All nine are there and have been read; one has the value that was set, one fails."""
    return len(found) == 9 and found["Device 3"].value == "42.17" and "503" in found["Device 5"].said
