"""Files and commands of the modules that prepare a machine."""

import sys
from pathlib import Path

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _host as host


def test_what_differs_is_written_and_nothing_else(tmp_path: Path) -> None:
    same, other, new, gone = (tmp_path / name for name in ("same", "other", "deep/new", "gone"))
    for path in (same, other, gone):
        path.write_text("before\n")
    wanted = {same: "before\n", other: "after\n", new: "after\n", gone: None, tmp_path / "never": None}
    changes = host.differing(wanted)
    assert changes == {other: "after\n", new: "after\n", gone: None}
    assert [(told["before"], told["after"]) for told in host.difference(changes)] == [
        ("before\n", "after\n"),
        ("", "after\n"),
        ("before\n", ""),
    ]
    host.write(changes)
    assert host.differing(wanted) == {}
    assert new.stat().st_mode & 0o777 == 0o644
    assert sorted(path.name for path in tmp_path.iterdir()) == ["deep", "other", "same"]


def test_a_file_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(host.HostError, match=r"^Write .*/file/below: .*It takes root"):
        host.write({tmp_path / "file/below": "text"})


def test_a_command_that_fails_is_told_with_what_it_said() -> None:
    program = "import sys; print('fine'); print('no such module', file=sys.stderr); sys.exit(3)"
    with pytest.raises(host.HostError, match=r"it ended with 3 and said: no such module\."):
        host.command([sys.executable, "-c", program])
    assert host.command([sys.executable, "-c", program], codes=(3,)) == "fine\n"


def test_a_program_that_is_not_there_is_told() -> None:
    with pytest.raises(host.HostError, match="Run no-such-program: No such file or directory"):
        host.command(["no-such-program"])
