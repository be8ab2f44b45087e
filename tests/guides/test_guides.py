"""The guides of docs/guides tell the truth: each is carried out as it stands, by a reader with a home of their own.

The home is new, so that the lab `default` of the guides is no other's; the cache of binaries is the user's.
"""

import subprocess
import sys
from collections.abc import Iterator

import pytest
from browser import Driver, chromium, lacking, picture
from guidekit import carry_out, read_sections
from httppage import Rows, switch, until
from labkit import ROOT
from reader import GUIDES, Reader, reader

pytestmark = pytest.mark.lab

SECTION_BY_SECTION = {"virtual-cameras": "tests/kind/test_demo_video.py"}
"""Guides that are carried out elsewhere, by a test for each of their sections."""


@pytest.fixture(name="reader")
def _reader() -> Iterator[Reader]:
    with reader() as made:
        yield made


@pytest.fixture
def browser() -> Iterator[Driver]:
    if reason := lacking():
        pytest.skip(reason)
    with chromium(height=820) as made:
        yield made


def test_every_guide_has_a_test() -> None:
    guides = {guide.stem for guide in GUIDES.glob("*.md")} - {"README"} - SECTION_BY_SECTION.keys()
    assert {f"test_{guide.replace('-', '_')}" for guide in guides} <= globals().keys()


@pytest.mark.parametrize(("guide", "file"), SECTION_BY_SECTION.items())
def test_every_section_of_such_a_guide_has_a_test(guide: str, file: str) -> None:
    command = [sys.executable, "-m", "pytest", "--collect-only", "--no-header", file]
    collected = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    for section, steps in read_sections(GUIDES / f"{guide}.md").items():
        assert not steps or any(test.endswith(f"[{section}]") for test in collected), section


def test_wasm_debug_echo(reader: Reader) -> None:
    carry_out(GUIDES / "wasm-debug-echo.md", reader.shell, {})


def test_write_a_handler(reader: Reader) -> None:
    carry_out(GUIDES / "write-a-handler.md", reader.shell, {})


def test_http_devices(reader: Reader, browser: Driver) -> None:
    def look() -> None:
        browser.get(f"http://127.0.0.1:{reader.lab.ports['http_page']}/")
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
    carry_out(GUIDES / "http-devices.md", reader.shell, deeds)


def as_the_guide_left_them(found: Rows) -> bool:
    """All nine are there and have been read; one has the value that was set, one fails."""
    return len(found) == 9 and found["Device 3"].value == "42.17" and "503" in found["Device 5"].said
