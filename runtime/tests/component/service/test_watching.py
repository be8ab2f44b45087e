"""Watching a real directory."""

import asyncio
import socket
from pathlib import Path

import pytest
from edgelab.service.watching import watch_directory


async def test_a_renamed_file_is_told(tmp_path: Path) -> None:
    with watch_directory(tmp_path) as watch:
        (tmp_path / "draft").write_text("content")
        (tmp_path / "draft").rename(tmp_path / "final")
        assert await asyncio.wait_for(watch.changed(), 5) == {"draft", "final"}


async def test_what_happened_before_somebody_waits_is_not_missed(tmp_path: Path) -> None:
    with watch_directory(tmp_path) as watch:
        (tmp_path / "one").touch()
        assert await asyncio.wait_for(watch.changed(), 5) == {"one"}
        (tmp_path / "two").touch()
        assert await asyncio.wait_for(watch.changed(), 5) == {"two"}


async def test_a_socket_is_told(tmp_path: Path) -> None:
    with watch_directory(tmp_path) as watch, socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "s.sock"))
        assert await asyncio.wait_for(watch.changed(), 5) == {"s.sock"}


async def test_a_removed_directory_is_an_error(tmp_path: Path) -> None:
    directory = tmp_path / "directory"
    directory.mkdir()
    with watch_directory(directory) as watch:
        directory.rmdir()
        with pytest.raises(FileNotFoundError, match="is gone"):
            await asyncio.wait_for(watch.changed(), 5)
        with pytest.raises(FileNotFoundError):
            await asyncio.wait_for(watch.changed(), 5)


def test_needs_a_directory(tmp_path: Path) -> None:
    async def watch() -> None:
        with watch_directory(tmp_path / "absent"):
            pass

    with pytest.raises(FileNotFoundError):
        asyncio.run(watch())
