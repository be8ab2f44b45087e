"""Which lab a command works on."""

import argparse
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from edgelab.core.layout import layout
from edgelab.service.where import add_lab


@pytest.fixture
def run_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """That of a lab `there`, as if one was running."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    run = layout("there", os.environ, os.getuid()).run
    run.mkdir(mode=0o700)
    yield run
    run.rmdir()


def parse(*words: str, required: bool = True) -> Path | None:
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_lab(parser, required=required)
    run: Path | None = parser.parse_args(words).run
    return run


def test_a_lab_is_named_or_its_directory_given(run_directory: Path) -> None:
    assert parse("--lab", "there") == run_directory
    assert parse("--run", "/somewhere") == Path("/somewhere")
    assert parse(required=False) is None


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--lab", "elsewhere"), "there is no lab 'elsewhere'"),
        (("--lab", "Not A Name"), "not a lab name"),
        (("--lab", "there", "--run", "/somewhere"), "not allowed with"),
    ],
)
@pytest.mark.usefixtures("run_directory")
def test_what_is_not_a_lab_is_refused(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(argparse.ArgumentError, match=said):
        parse(*words)
