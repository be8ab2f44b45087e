"""Mock HTTP devices on real ports: read, listed, plugged and unplugged, remembered over restarts."""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from edgelab.cli.main import main
from edgelab.core.errors import LabError
from edgelab.lab.devices.fleet import Fleet, Wanted
from edgelab.lab.devices.sensor import Sensor
from edgelab.lab.devices.server import serve_discovery
from processes import until_ready

Json = dict[str, Any]


class Mock:
    """A running fleet and a client of it."""

    def __init__(self, base: str, client: aiohttp.ClientSession) -> None:
        self.base, self.client = base, client

    async def text(self, url: str) -> tuple[int, str]:
        async with self.client.get(url) as answer:
            return answer.status, await answer.text()

    async def listed(self) -> list[str]:
        return (await self.text(f"{self.base}/discovery"))[1].splitlines()

    async def devices(self) -> list[Json]:
        async with self.client.get(f"{self.base}/devices") as answer:
            told: list[Json] = await answer.json()
            return told

    async def patch(self, name: str, body: Any, **headers: str) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body)
        given = {"Content-Type": "application/json", **{key.replace("_", "-"): value for key, value in headers.items()}}
        async with self.client.patch(f"{self.base}/devices/{name}", data=data, headers=given) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def running(state: Path, ports: list[int], **wanted: Any) -> AsyncIterator[Mock]:
    async with AsyncExitStack() as stack:
        fleet = await stack.enter_async_context(Fleet(Wanted(ports, **wanted), state))
        port = await stack.enter_async_context(serve_discovery(fleet, "127.0.0.1", 0))
        client = await stack.enter_async_context(aiohttp.ClientSession())
        yield Mock(f"http://127.0.0.1:{port}", client)


@pytest.fixture
async def mock(tmp_path: Path) -> AsyncIterator[Mock]:
    async with running(tmp_path / "devices.json", [0] * 9) as made:
        yield made


async def test_each_device_has_a_port_of_its_own_and_says_what_the_control_tells(mock: Mock) -> None:
    urls = await mock.listed()
    assert len(set(urls)) == 9
    await asyncio.gather(*(mock.patch(str(number), {"value": number + 0.5}) for number in range(1, 10)))
    assert [await mock.text(url) for url in urls] == [(200, f"{number}.50\n") for number in range(1, 10)]
    told = await mock.devices()
    assert [one["url"] for one in told] == urls
    assert [(one["name"], one["value"], one["fixed"]) for one in told][2] == ("3", 3.5, True)


async def test_values_change_by_themselves_until_one_is_fixed_and_again_afterwards(mock: Mock) -> None:
    assert [one["fixed"] for one in await mock.devices()] == [False] * 9
    assert (await mock.patch("3", {"value": 42.17}))[0] == 200
    url = (await mock.listed())[2]
    assert await mock.text(url) == (200, "42.17\n")
    status, told = await mock.patch("3", {"value": None})
    assert (status, json.loads(told)["fixed"]) == (200, False)
    assert await mock.text(url) != (200, "42.17\n")


async def test_an_unplugged_device_is_not_listed_and_refuses_connections(mock: Mock) -> None:
    urls = await mock.listed()
    assert (await mock.patch("3", {"plugged": False}))[0] == 200
    assert await mock.listed() == urls[:2] + urls[3:]
    with pytest.raises(aiohttp.ClientConnectorError):
        await mock.text(urls[2])
    assert [one["plugged"] for one in await mock.devices()].count(False) == 1
    assert (await mock.patch("3", {"plugged": True}))[0] == 200
    assert await mock.listed() == urls
    assert (await mock.text(urls[2]))[0] == 200


async def test_unplugging_ends_a_connection_that_is_open(mock: Mock) -> None:
    url = (await mock.listed())[0]
    await mock.patch("1", {"delay_seconds": 3600})
    reading = asyncio.create_task(mock.text(url))
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2].strip("/")))
    assert (await mock.patch("1", {"plugged": False}))[0] == 200
    assert await reader.read() == b""
    writer.close()
    with pytest.raises(aiohttp.ClientError):
        await reading


async def test_a_failing_device_answers_503(mock: Mock) -> None:
    url = (await mock.listed())[0]
    await mock.patch("1", {"failing": True})
    assert await mock.text(url) == (503, "The device is failing\n")


async def test_a_slow_device_answers_later_than_its_neighbour(mock: Mock) -> None:
    urls = await mock.listed()
    await mock.patch("1", {"delay_seconds": 0.2})
    slow = asyncio.create_task(mock.text(urls[0]))
    await mock.text(urls[1])
    assert not slow.done()
    assert (await slow)[0] == 200


async def test_only_the_path_and_only_reading(mock: Mock) -> None:
    url = (await mock.listed())[0]
    assert (await mock.text(f"{url}other"))[0] == 404
    async with mock.client.post(url) as answer:
        assert answer.status == 405


@pytest.mark.parametrize(
    ("name", "body", "status", "reason"),
    [
        ("3", {"value": "high"}, 400, "value: 'high' is neither null nor a number"),
        ("3", {"colour": "red"}, 400, "colour: not one of"),
        ("3", b"plugged=no", 400, "Expecting value"),
        ("3", b"\xff\xfe\xff", 400, ""),
        ("3", b"[" * 4000, 400, ""),
        ("3", b'{"value": NaN}', 400, "value: nan"),
        ("10", {"plugged": False}, 404, "There is no device 10"),
        ("3", b" " * 5000, 413, ""),
    ],
)
async def test_what_cannot_be_set_is_refused(mock: Mock, name: str, body: Any, status: int, reason: str) -> None:
    before = [one["plugged"] for one in await mock.devices()]
    seen, text = await mock.patch(name, body)
    assert (seen, text[: len(reason)]) == (status, reason)
    assert [one["plugged"] for one in await mock.devices()] == before


@pytest.mark.parametrize(
    "headers",
    [
        {"Content_Type": "text/plain"},
        {"Origin": "http://evil.example"},
        {"Sec_Fetch_Site": "cross-site"},
        {"Host": "evil.example"},
    ],
)
async def test_pages_of_other_sites_cannot_unplug(mock: Mock, headers: dict[str, str]) -> None:
    assert (await mock.patch("3", {"plugged": False}, **headers))[0] in (403, 415)
    assert len(await mock.listed()) == 9


async def test_other_machines_cannot_unplug(mock: Mock, monkeypatch: pytest.MonkeyPatch) -> None:
    theirs = {"peername": ("10.89.0.7", 1), "sockname": ("10.89.0.1", 2)}
    monkeypatch.setattr("aiohttp.web.BaseRequest.get_extra_info", lambda _, name, default=None: theirs[name])
    assert (await mock.patch("3", {"plugged": False}))[0] == 403
    assert len(await mock.listed()) == 9


async def test_what_was_set_and_the_ports_survive_a_restart(tmp_path: Path) -> None:
    state = tmp_path / "state" / "devices.json"
    async with running(state, [0] * 3) as first:
        await first.patch("2", {"plugged": False, "value": 42.17})
        before = await first.devices()
    async with running(state, [0] * 4) as second:
        after = await second.devices()
        assert [one["url"] for one in after[:3]] == [one["url"] for one in before]
        assert after[1] == before[1]
        assert len(await second.listed()) == 3
        await second.patch("2", {"plugged": True})
        assert await second.text(before[1]["url"]) == (200, "42.17\n")


async def test_foreign_devices_are_listed_with_path_and_host_of_ours_as_asked(tmp_path: Path) -> None:
    wanted = {"behaviour": partial(Sensor, path="/value"), "advertise": "localhost", "foreign": ["http://10.0.0.7/"]}
    async with running(tmp_path / "devices.json", [0], **wanted) as made:
        ours, foreign = await made.listed()
        assert ours.startswith("http://localhost:")
        assert ours.endswith("/value")
        assert foreign == "http://10.0.0.7/"
        assert len(await made.devices()) == 1


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


async def test_a_taken_port_is_named_and_nothing_stays_open(tmp_path: Path, taken: int) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        first = free.getsockname()[1]
    with pytest.raises(LabError, match=rf"127.0.0.1:{taken} for device 2.*[Aa]ddress already in use.*Another program"):
        await Fleet(Wanted([first, taken]), tmp_path / "devices.json").__aenter__()
    socket.create_server(("127.0.0.1", first)).close()


async def test_a_port_taken_meanwhile_keeps_the_device_unplugged(mock: Mock) -> None:
    url = (await mock.listed())[0]
    await mock.patch("1", {"plugged": False})
    with socket.create_server(("127.0.0.1", int(url.split(":")[2].strip("/")))):
        status, reason = await mock.patch("1", {"plugged": True, "value": 1})
        assert (status, "in use" in reason) == (409, True)
        assert not (await mock.devices())[0]["plugged"]
    assert (await mock.patch("1", {"plugged": True}))[0] == 200


async def test_a_taken_discovery_port_is_named(tmp_path: Path, taken: int) -> None:
    async with Fleet(Wanted([0]), tmp_path / "devices.json") as fleet:
        with pytest.raises(LabError, match=f"127.0.0.1:{taken} for the discovery"):
            await serve_discovery(fleet, "127.0.0.1", taken).__aenter__()


async def test_a_damaged_state_file_is_named(tmp_path: Path) -> None:
    state = tmp_path / "devices.json"
    state.write_text('{"format": 1')
    with pytest.raises(LabError, match=r"devices\.json.*Remove the file"):
        Fleet(Wanted([0]), state)


async def test_what_cannot_be_remembered_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "state"
    async with running(directory / "devices.json", [0]) as made:
        (directory / "devices.json").unlink()
        (directory / "devices.json").mkdir()
        status, reason = await made.patch("1", {"plugged": False})
        assert (status, "forgotten by a restart" in reason) == (409, True)
        assert await made.listed() == []


def test_the_command_runs_devices_and_changes_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["devices", "http", "--state", str(tmp_path / "d.json"), "--discovery-port", "0", "--count", "2"]
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(
        [sys.executable, "-m", "edgelab", *words, "--run", str(tmp_path)], env=environment
    ) as process:
        try:
            status = until_ready(tmp_path / "devices.sock", process)
            assert [one["name"] for one in status["devices"]] == ["1", "2"]
            assert main(["devices", "set", "2", "plugged=no", "value=42.17", "--run", str(tmp_path)]) == 0
            told = json.loads(capsys.readouterr().out)
            assert (told["plugged"], told["value"]) == (False, 42.17)
            for name, change, reason in (
                ("7", "plugged=no", "no such device"),
                ("2", "plugged=5", "not true or false"),
            ):
                assert main(["devices", "set", name, change, "--run", str(tmp_path)]) == 1
                assert reason in capsys.readouterr().err
        finally:
            process.send_signal(signal.SIGTERM)
        assert process.wait(20) == 0
    assert main(["devices", "set", "2", "plugged=no", "--run", str(tmp_path)]) == 1
    assert "No such file" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--ports", "1,1"], "different ports"),
        (["--ports", "0"], "different ports"),
        (["--ports", "4001,x"], "'x' is not a port"),
        (["--count", "0"], "from 1 to 1000"),
        (["--ports", "4001", "--count", "1"], "not allowed with"),
        (["--count", "1", "--path", "value"], "does not begin with /"),
        ([], "one of the arguments --ports --count is required"),
    ],
)
def test_wrong_arguments_are_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["devices", "http", "--state", "d", "--discovery-port", "0", "--run", "r", *words])
    assert reason in capsys.readouterr().err
