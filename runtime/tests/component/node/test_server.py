"""The node's HTTPS server with real TLS: who may ask, and logs that are followed to their end."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from edgelab.core.errors import LabError
from edgelab.node.authn import Authorizer, User
from edgelab.node.server import NodeServer

MakeCa = Callable[[str], Any]

LINE = "2026-11-21T09:01:31.123456789Z stdout F {}\n"


class Rbac(Authorizer):
    """Lets a group read and nobody else anything; counts how often it is asked."""

    def __init__(self) -> None:
        self.now, self.asked, self.answers = 0.0, 0, True
        super().__init__(None, "krustlet-wasi", lambda: self.now)  # type: ignore[arg-type]

    async def _review(self, user: User, verb: str) -> bool:
        self.asked += 1
        if not self.answers:
            raise LabError("Ask the API server", "It does not answer")
        return "readers" in user.groups and verb == "get"


class Logs:
    """The logs of one container, `default/p/c`."""

    def __init__(self, directory: Path) -> None:
        self.files = [directory / "0.log"]
        self.over = asyncio.Event()

    def log_files(self, namespace: str, pod: str, container: str) -> Sequence[Path]:
        if (namespace, pod, container) != ("default", "p", "c"):
            raise LabError("Read the log", "No such container")
        return self.files

    async def ended(self, namespace: str, pod: str, container: str) -> None:
        await self.over.wait()

    def say(self, text: str) -> None:
        with self.files[-1].open("a") as file:
            file.write(LINE.format(text))


class House:
    """A server that listens, and clients of it."""

    def __init__(self, directory: Path, make_ca: MakeCa) -> None:
        (directory / "log").mkdir()
        self.ca, self.rbac, self.logs = make_ca("lab-ca"), Rbac(), Logs(directory / "log")
        self.foreign = make_ca("foreign-ca")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]
        self.serving = self.ca.issue("system:node:krustlet-wasi", "system:nodes")
        self.reader = self.ca.issue("kube-apiserver-kubelet-client", "readers")
        self.server = NodeServer("127.0.0.1", self.port, self.ca.path, self.rbac, self.logs)

    @contextlib.asynccontextmanager
    async def get(self, path: str, pair: Path | None = None, method: str = "GET") -> AsyncIterator[Any]:
        context = ssl.create_default_context(cafile=str(self.ca.path))
        if pair:
            context.load_cert_chain(pair)
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, f"https://127.0.0.1:{self.port}{path}", ssl=context) as response,
        ):
            yield response

    async def text(self, path: str, pair: Path | None = None, method: str = "GET") -> tuple[int, str]:
        async with self.get(path, pair, method) as response:
            return response.status, await response.text()


@pytest.fixture
async def house(tmp_path: Path, make_ca: MakeCa) -> AsyncIterator[House]:
    house = House(tmp_path, make_ca)
    async with house.server:
        await house.server.use(house.serving)
        yield house


LOG = "/containerLogs/default/p/c"


async def test_health_is_open_and_everything_else_wants_a_certificate(house: House) -> None:
    assert await house.text("/healthz") == (200, "ok\n")
    status, text = await house.text(LOG)
    assert status == 401
    assert "client certificate" in text
    assert (await house.text("/nothing"))[0] == 401
    assert house.rbac.asked == 0


async def test_not_every_certificate_of_the_ca_may_read_logs(house: House) -> None:
    house.logs.say("secret")
    nobody = house.ca.issue("nobody", "nogroup")
    status, text = await house.text(LOG, nobody)
    assert status == 403
    assert "user nobody may not get nodes/proxy" in text
    assert await house.text(LOG, house.reader) == (200, "secret\n")


async def test_a_certificate_of_another_ca_does_not_connect(house: House) -> None:
    stranger = house.foreign.issue("kube-apiserver-kubelet-client", "readers")
    with pytest.raises(aiohttp.ClientError):
        await house.text(LOG, stranger)


async def test_answers_are_remembered_as_long_as_a_kubelet_does(house: House) -> None:
    house.logs.say("x")
    nobody = house.ca.issue("nobody", "nogroup")
    for now, pair, asked in ((0, nobody, 1), (29, nobody, 1), (31, nobody, 2), (31, house.reader, 3)):
        house.rbac.now = now
        await house.text(LOG, pair)
        assert house.rbac.asked == asked
    for now, asked in ((330, 3), (332, 4)):
        house.rbac.now = now
        await house.text(LOG, house.reader)
        assert house.rbac.asked == asked


async def test_when_the_api_server_does_not_answer_nobody_is_let_in_and_that_is_not_remembered(house: House) -> None:
    house.logs.say("x")
    house.rbac.answers = False
    assert (await house.text(LOG, house.reader))[0] == 503
    house.rbac.answers = True
    assert (await house.text(LOG, house.reader))[0] == 200


async def test_previous_and_missing_logs(house: House) -> None:
    house.logs.say("first run")
    status, text = await house.text(f"{LOG}?previous=true", house.reader)
    assert (status, "previous terminated container" in text) == (400, True)
    house.logs.files.append(house.logs.files[0].with_name("1.log"))
    house.logs.say("second run")
    assert await house.text(f"{LOG}?previous=true", house.reader) == (200, "first run\n")
    assert await house.text(LOG, house.reader) == (200, "second run\n")
    status, text = await house.text("/containerLogs/default/p/other", house.reader)
    assert (status, "No such container" in text) == (400, True)
    assert (await house.text(f"{LOG}?tailLines=x", house.reader))[0] == 400


async def test_commands_are_refused_with_the_reason(house: House) -> None:
    house.rbac._answers.clear()
    for path in ("/exec/default/p/c", "/attach/default/p/c", "/portForward/default/p"):
        status, text = await house.text(f"{path}?command=ls", house.reader)
        assert status == 501
        assert "WebAssembly" in text
    assert (await house.text("/exec/default/p/c", house.reader, "POST"))[0] == 403


async def test_a_follow_tells_what_comes_and_ends_with_the_container(house: House) -> None:
    house.logs.say("before")
    async with asyncio.timeout(20), house.get(f"{LOG}?follow=true&tailLines=1", house.reader) as response:
        assert await response.content.readline() == b"before\n"
        house.logs.say("during")
        assert await response.content.readline() == b"during\n"
        house.logs.files[0].rename(house.logs.files[0].with_name("0.log.1"))
        house.logs.say("after rotation")
        assert await response.content.readline() == b"after rotation\n"
        house.logs.say("last words")
        house.logs.over.set()
        assert await response.content.read() == b"last words\n"


async def test_a_follow_of_a_container_that_has_ended_ends_at_once(house: House) -> None:
    house.logs.say("all")
    house.logs.over.set()
    async with asyncio.timeout(20):
        assert await house.text(f"{LOG}?follow=true", house.reader) == (200, "all\n")


async def test_a_follow_ends_at_the_limit(house: House) -> None:
    house.logs.say("12345678")
    async with asyncio.timeout(20):
        assert await house.text(f"{LOG}?follow=true&limitBytes=4", house.reader) == (200, "1234")


async def test_the_server_ends_although_somebody_follows(tmp_path: Path, make_ca: MakeCa) -> None:
    house = House(tmp_path, make_ca)
    house.logs.say("x")
    async with asyncio.timeout(20), contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(contextlib.AsyncExitStack())
        await server.enter_async_context(house.server)
        await house.server.use(house.serving)
        response = await stack.enter_async_context(house.get(f"{LOG}?follow=true", house.reader))
        assert await response.content.readline() == b"x\n"
        await server.aclose()
        with contextlib.suppress(aiohttp.ClientError):
            assert await response.content.read() == b""


async def test_a_renewed_certificate_is_used_for_new_connections(house: House) -> None:
    renewed = house.ca.issue("renewed", "system:nodes")
    await house.server.use(renewed)
    context = ssl.create_default_context(cafile=str(house.ca.path))
    _reader, writer = await asyncio.open_connection("127.0.0.1", house.port, ssl=context)
    subject = writer.get_extra_info("peercert")["subject"]
    writer.close()
    assert (("commonName", "renewed"),) in subject


async def test_a_taken_port_is_told_with_its_number(house: House, tmp_path: Path) -> None:
    other = NodeServer("127.0.0.1", house.port, house.ca.path, house.rbac, house.logs)
    async with other:
        with pytest.raises(LabError, match=str(house.port)):
            await other.use(house.serving)
        assert not other.listens
