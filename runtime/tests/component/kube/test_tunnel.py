"""A port of a Pod at a port of ours, against a stand-in for API server and kubelet (tests/kind has real ones)."""

import asyncio
import logging
from collections.abc import AsyncIterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import WSMsgType, web
from edgelab.kube.tunnel import PodPort
from edgelab.lab.forward import Forward
from standins.api_server import write_kubeconfig

POD = PodPort("default", "page-0", 8080)
PORT = (8080).to_bytes(2, "little")


class Kubelet:
    """Answers in capitals what comes for the one Pod that runs; says `ended` once a connection to it has ended."""

    def __init__(self) -> None:
        self.pod = POD.pod
        self.broken = ""
        self.token = ""
        self.ended = asyncio.Event()

    async def portforward(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["pod"] != self.pod:
            return web.Response(status=404)
        self.token = request.headers["Authorization"]
        assert request.query["ports"] == "8080"
        tunnel = web.WebSocketResponse(protocols=["v4.channel.k8s.io"])
        await tunnel.prepare(request)
        assert tunnel.ws_protocol
        for channel in (b"\0", b"\1"):
            await tunnel.send_bytes(channel + PORT)
        async for message in tunnel:
            assert message.type is WSMsgType.BINARY
            if message.data == b"\0bye":
                break
            answer = b"\1" + self.broken.encode() if self.broken else b"\0" + message.data[1:].upper()
            await tunnel.send_bytes(answer)
        self.ended.set()
        return tunnel


@pytest.fixture
async def kubelet() -> Kubelet:
    return Kubelet()


@pytest.fixture
async def port(kubelet: Kubelet, tmp_path: Path) -> AsyncIterator[int]:
    """Where the Pod's port is had."""
    app = web.Application()
    app.router.add_get("/api/v1/namespaces/default/pods/{pod}/portforward", kubelet.portforward)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    kubeconfig = write_kubeconfig(tmp_path / "kubeconfig", runner.addresses[0][1])
    async with aiohttp.ClientSession() as session:
        forward = Forward(session, kubeconfig, POD)
        server = await asyncio.start_server(forward.connected, "127.0.0.1", 0)
        async with server:
            yield server.sockets[0].getsockname()[1]
    await runner.cleanup()


async def test_bytes_go_both_ways_on_many_connections(port: int, kubelet: Kubelet) -> None:
    connections = [await asyncio.open_connection("127.0.0.1", port) for _number in range(20)]
    for number, (_reader, writer) in enumerate(connections):
        writer.write(b"number %d" % number)
    for number, (reader, _writer) in enumerate(connections):
        expected = b"NUMBER %d" % number
        assert await reader.readexactly(len(expected)) == expected
    assert kubelet.token.startswith("Bearer ")
    for _reader, writer in connections:
        writer.close()


async def test_much_comes_whole(port: int) -> None:
    much = b"some words " * 500_000
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    async def say() -> None:
        writer.write(much)
        await writer.drain()

    _none, answer = await asyncio.gather(say(), reader.readexactly(len(much)))
    assert answer == much.upper()
    writer.close()


async def test_when_the_pod_ends_a_connection_ours_ends(port: int) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"bye")
    assert await reader.read() == b""
    writer.close()


async def test_when_we_end_a_connection_the_pods_ends(port: int, kubelet: Kubelet) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"hello")
    assert await reader.readexactly(5) == b"HELLO"
    writer.close()
    async with asyncio.timeout(30):
        await kubelet.ended.wait()


async def test_a_pod_that_is_away_is_reached_once_it_is_back(
    port: int, kubelet: Kubelet, caplog: pytest.LogCaptureFixture
) -> None:
    kubelet.pod = "another"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    assert await reader.read() == b""
    writer.close()
    assert "cannot reach port 8080 of the Pod page-0: the API server answered 404" in caplog.text
    kubelet.pod = POD.pod
    await test_when_we_end_a_connection_the_pods_ends(port, kubelet)


async def test_what_the_kubelet_says_is_told(port: int, kubelet: Kubelet, caplog: pytest.LogCaptureFixture) -> None:
    kubelet.broken = "connect: connection refused"
    with caplog.at_level(logging.WARNING):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"hello")
        assert await reader.read() == b""
    assert "of the Pod page-0: connect: connection refused" in caplog.text
    writer.close()
