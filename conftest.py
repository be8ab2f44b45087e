"""Skipped tests are failures unless tests/skips.yml allows them, so that nothing stops being tested unnoticed.

No property fails for being slow.
"""

import os
from collections.abc import Generator
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

SKIPS = yaml.safe_load((Path(__file__).parent / "tests/skips.yml").read_text())
ALLOWED: dict[str, str] = SKIPS["pytest"] | (SKIPS["not_root"]["pytest"] if os.getuid() else {})


def allowed(test: str) -> bool:
    """Whether a test may be skipped, by its id."""
    return any(fnmatch(test, pattern) for pattern in ALLOWED)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Turn a skip that is not allowed into a failure that names the skip's reason."""
    report = yield
    if report.skipped and not hasattr(report, "wasxfail") and not allowed(report.nodeid):
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
        report.outcome = "failed"
        report.longrepr = f"{reason}\nA skipped test has to be in tests/skips.yml, with its reason"
    return report
