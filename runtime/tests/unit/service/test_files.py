"""Files are written whole or not at all."""

from pathlib import Path

import pytest
from edgelab.service.files import write_whole


def test_replaces_the_content_and_keeps_others_out(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_text("old and longer")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert list(tmp_path.iterdir()) == [path]


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "taken"
    (target / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="taken"):
        write_whole(target, b"new")
    assert list(tmp_path.iterdir()) == [target]
