"""The status socket over a real Unix socket."""

import asyncio
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from edgelab.cli.main import main
from edgelab.core.errors import LabError
from edgelab.service.status import ask, serve_status


async def status(request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ready": True, "echo": request.get("text")}


async def refuse(request: Mapping[str, Any]) -> Mapping[str, Any]:
    raise LabError("Keep a handler", "It has no name")


async def test_questions_are_answered(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.sock"
    async with serve_status(path, {"status": status}):
        assert await asyncio.to_thread(ask, path, text="hallo") == {"ready": True, "echo": "hallo"}
    assert not path.exists()


@pytest.mark.parametrize(("ready", "exit_status"), [(True, 0), (False, 1)])
async def test_the_command_for_probes_tells_whether_it_is_ready(tmp_path: Path, ready: bool, exit_status: int) -> None:
    async def answer(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"ready": ready}

    async with serve_status(tmp_path / "x.sock", {"status": answer}):
        assert await asyncio.to_thread(main, ["ready", str(tmp_path / "x.sock")]) == exit_status


async def test_a_refusal_says_why(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    async with serve_status(path, {"keep": refuse}):
        with pytest.raises(LabError, match="It has no name"):
            await asyncio.to_thread(ask, path, "keep")


async def test_an_unknown_operation_lists_the_known_ones(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    async with serve_status(path, {"keep": refuse, "status": status}):
        with pytest.raises(LabError, match="keep, status"):
            await asyncio.to_thread(ask, path, "reboot")


async def test_the_socket_of_a_process_that_lives_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    async with serve_status(path, {"status": status}):
        with pytest.raises(LabError, match="Another process answers there"):
            async with serve_status(path, {"status": refuse}):
                pytest.fail("it went on")
        assert await asyncio.to_thread(ask, path, text="still") == {"ready": True, "echo": "still"}


async def test_the_socket_of_a_process_that_was_killed_gives_way(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    with socket.socket(socket.AF_UNIX) as killed:
        killed.bind(str(path))
        killed.listen()
    async with serve_status(path, {"status": status}):
        assert (await asyncio.to_thread(ask, path))["ready"]


async def test_noise_is_answered_not_fatal(tmp_path: Path) -> None:
    path = tmp_path / "x.sock"
    async with serve_status(path, {"status": status}):
        reader, writer = await asyncio.open_unix_connection(str(path))
        writer.write(b"\xff\x00not json\n")
        assert b'"ok": false' in await reader.readline()
        writer.close()
        assert await asyncio.to_thread(ask, path) == {"ready": True, "echo": None}


def test_nobody_there_is_an_os_error(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        ask(tmp_path / "x.sock")
