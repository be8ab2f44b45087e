"""Errors read as sentences."""

from edgelab.core.errors import LabError


def test_the_known_parts_become_sentences() -> None:
    error = LabError("Open /x", "Permission denied.", remedy="Run it as its owner")
    assert str(error) == "Open /x. Permission denied. Run it as its owner."
