"""The brokers of HTTP devices as processes, beside real devices, real gRPC and an API that lists and watches."""

import asyncio
import contextlib
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from aiohttp import web
from edgelab.brokers.http_broker import serve_values
from edgelab.brokers.http_client import call
from edgelab.brokers.http_device import Reading, client, read_device
from edgelab.brokers.target import Target
from edgelab.service.sockets import bind
from edgelab.wire import http_pb2 as wire
from edgelab.wire.http_grpc import DeviceServiceStub
from grpclib.client import Channel
from grpclib.const import Status
from grpclib.exceptions import GRPCError

Answer = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


@contextlib.asynccontextmanager
async def served(answer: Answer) -> AsyncIterator[int]:
    """An HTTP server on a free port of loopback."""
    runner = web.ServerRunner(web.Server(answer, access_log=None), shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield site.port
    finally:
        await runner.cleanup()


async def well(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="42.17\n")


@contextlib.asynccontextmanager
async def started(*words: str, **environment: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """`edgelab broker` as a process, which has ended when the block has."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "edgelab", "broker", *words),
        env={"PATH": os.environ["PATH"], **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def line(stream: asyncio.StreamReader | None) -> str:
    assert stream
    return (await asyncio.wait_for(stream.readline(), 20)).decode().rstrip("\n")


async def until(stream: asyncio.StreamReader | None, wanted: str) -> str:
    while wanted not in (found := await line(stream)):
        assert found, f"the process ended before it said {wanted!r}"
    return found


async def test_a_broker_tells_its_device_until_it_is_ended() -> None:
    async with (
        served(well) as port,
        started("http", AKRI_HTTP_DEVICE_ENDPOINT_AAE70C=f"http://127.0.0.1:{port}/", INTERVAL_SECONDS="1") as broker,
    ):
        for _turn in range(2):
            assert await line(broker.stdout) == f"http device http://127.0.0.1:{port}/ value 42.17"
        broker.terminate()
        assert await asyncio.wait_for(broker.wait(), 20) == 0


async def test_a_device_that_is_away_is_told_and_asked_again() -> None:
    async with served(well) as port:
        pass
    url = f"http://127.0.0.1:{port}/"
    async with started("http", AKRI_HTTP_DEVICE_ENDPOINT=url, INTERVAL_SECONDS="1") as broker:
        for _turn in range(2):
            assert await line(broker.stdout) == f"http device {url} failed: connection refused"


async def test_a_broker_without_a_device_ends_with_the_reason() -> None:
    async with started("http") as broker:
        _output, errors = await asyncio.wait_for(broker.communicate(), 20)
        assert broker.returncode == 1
        assert "AKRI_HTTP_DEVICE_ENDPOINT" in errors.decode()
        assert "Traceback" not in errors.decode()


@pytest.mark.parametrize("seconds", ["0", "1.5", "86401"])
async def test_an_interval_is_a_number_of_seconds(seconds: str) -> None:
    async with started("http", AKRI_HTTP_DEVICE_ENDPOINT="http://127.0.0.1/", INTERVAL_SECONDS=seconds) as broker:
        _output, errors = await asyncio.wait_for(broker.communicate(), 20)
        assert broker.returncode == 2
        assert "from 1 to 86400" in errors.decode()


async def read(answer: Answer) -> Reading:
    async with served(answer) as port, client() as session:
        return await read_device(session, f"http://127.0.0.1:{port}/")


async def failing(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=503, text="42.17\n")


async def elsewhere(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(status=302, headers={"Location": "http://192.0.2.1/"})


async def a_page(_request: web.BaseRequest) -> web.StreamResponse:
    return web.Response(text="<html><body>Hello, this is no value</body></html>")


async def no_http(request: web.BaseRequest) -> web.StreamResponse:
    assert request.transport
    request.transport.write(b"\x00\x01garbage\r\n\r\n")
    request.transport.close()
    return web.Response()


@pytest.mark.parametrize(
    ("answer", "failure"),
    [
        (failing, "status 503"),
        (elsewhere, "status 302"),
        (a_page, "the answer is no value"),
    ],
)
async def test_what_is_no_value_is_told(answer: Answer, failure: str) -> None:
    assert (await read(answer)).failure == failure


async def test_garbage_is_told_on_one_line() -> None:
    reading = await read(no_http)
    assert reading.failure
    assert len(str(reading).splitlines()) == 1


async def test_an_endless_answer_is_left_after_its_beginning() -> None:
    left = asyncio.Event()

    async def endless(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        try:
            while True:
                await response.write(b"4" * 65536)
        except ConnectionError:
            left.set()
            raise

    async with served(endless) as port, client() as session:
        reading = await read_device(session, f"http://127.0.0.1:{port}/")
        assert reading.failure == "the answer is no value"
        await asyncio.wait_for(left.wait(), 20)


async def test_a_silent_device_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgelab.brokers.http_device.ANSWER_SECONDS", 0.2)

    async def silent(_request: web.BaseRequest) -> web.StreamResponse:
        await asyncio.Event().wait()
        return web.Response()

    assert (await read(silent)).failure == "no answer within 0.2 s"


async def test_a_grpc_broker_reads_its_device_on_each_call() -> None:
    values = iter("123")

    async def counting(_request: web.BaseRequest) -> web.StreamResponse:
        return web.Response(text=next(values))

    async with (
        served(counting) as port,
        started(
            *("http", "--grpc", "0", "--listen", "127.0.0.1"),
            AKRI_HTTP_DEVICE_ENDPOINT=f"http://127.0.0.1:{port}/",
        ) as broker,
    ):
        at = int((await until(broker.stderr, "on port ")).rpartition(" ")[2])
        for value in "12":
            assert str(await call(Target("akri-http-aae70c", "127.0.0.1", at))) == (
                f"http client akri-http-aae70c value {value}"
            )
            assert await line(broker.stdout) == f"http device http://127.0.0.1:{port}/ value {value}"
        broker.terminate()
        assert await asyncio.wait_for(broker.wait(), 20) == 0


async def test_the_call_fails_when_the_device_does() -> None:
    said: list[object] = []

    async def failed() -> Reading:
        return Reading("http://192.0.2.1/", failure="status 503")

    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    async with serve_values(failed, said.append, listener):
        channel = Channel("127.0.0.1", port)
        with pytest.raises(GRPCError) as refused:
            await DeviceServiceStub(channel).ReadSensor(wire.ReadSensorRequest(name="/"), timeout=20)
        channel.close()
        assert refused.value.status is Status.UNAVAILABLE
        answer = await call(Target("i", "127.0.0.1", port))
    assert str(answer) == "http client i failed: status 503"
    assert [str(one) for one in said] == ["http device http://192.0.2.1/ failed: status 503"] * 2


async def test_a_silent_broker_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edgelab.brokers.http_client.CALL_SECONDS", 0.2)
    with contextlib.closing(bind("127.0.0.1", 0)) as silent:
        answer = await call(Target("i", "127.0.0.1", silent.getsockname()[1]))
    assert answer.failure == "no answer within 0.2 s"


async def test_a_broker_that_is_away_is_told() -> None:
    with contextlib.closing(bind("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert (await call(Target("i", "127.0.0.1", port))).failure == "connection refused"


async def test_a_peer_that_speaks_no_grpc_is_told_on_one_line() -> None:
    async with served(well) as port:
        answer = await call(Target("i", "127.0.0.1", port))
    assert answer.failure
    assert len(str(answer).splitlines()) == 1


class Services:
    """The part of an API server that lists and watches Services, each on a line as `kubectl get --watch` has it."""

    def __init__(self) -> None:
        self.version = 1
        self.found: dict[str, dict[str, Any]] = {}
        self._watches: list[asyncio.Queue[dict[str, Any]]] = []
        self.asked: list[str] = []

    def set(self, instance: str, address: str, port: int) -> None:
        verb = "MODIFIED" if instance in self.found else "ADDED"
        self.version += 1
        meta = {"name": f"{instance}-svc", "namespace": "default", "uid": instance}
        meta |= {"resourceVersion": str(self.version), "labels": {"akri.sh/instance": instance}}
        self.found[instance] = {"metadata": meta, "spec": {"clusterIP": address, "ports": [{"port": port}]}}
        self._tell(verb, self.found[instance])

    def remove(self, instance: str) -> None:
        self._tell("DELETED", self.found.pop(instance))

    def _tell(self, verb: str, body: dict[str, Any]) -> None:
        for watch in self._watches:
            watch.put_nowait({"type": verb, "object": body})

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request.path)
        assert request.query["labelSelector"] == "akri.sh/instance"
        if "watch" not in request.query:
            meta = {"resourceVersion": str(self.version)}
            return web.json_response({"kind": "ServiceList", "metadata": meta, "items": list(self.found.values())})
        self._watches.append(news := asyncio.Queue())
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(json.dumps(await news.get()).encode() + b"\n")


def kubeconfig(directory: Path, port: int) -> Path:
    clusters = [{"name": "lab", "cluster": {"server": f"http://127.0.0.1:{port}"}}]
    contexts = [{"name": "lab", "context": {"cluster": "lab", "user": "me"}}]
    users = [{"name": "me", "user": {}}]
    config = {"clusters": clusters, "contexts": contexts, "users": users, "current-context": "lab"}
    path = directory / "kubeconfig"
    path.write_text(yaml.safe_dump(config))
    return path


async def test_the_client_calls_services_as_they_come_and_go(tmp_path: Path) -> None:
    async def reads() -> Reading:
        return Reading("http://192.0.2.1/", "42.17")

    services = Services()
    with contextlib.closing(bind("127.0.0.1", 0)) as closed:
        nobody = closed.getsockname()[1]
    listener = bind("127.0.0.1", 0)
    port = listener.getsockname()[1]
    services.set("akri-http-aaaaaa", "127.0.0.1", port)
    services.set("others-aaaaaa", "127.0.0.1", port)
    async with (
        serve_values(reads, lambda _line: None, listener),
        served(services.answer) as api,
        started(
            *("http-client", "--configuration", "akri-http", "--kubeconfig", str(kubeconfig(tmp_path, api))),
            INTERVAL_SECONDS="1",
        ) as process,
    ):
        assert await line(process.stdout) == "http client akri-http-aaaaaa value 42.17"
        services.set("akri-http-bbbbbb", "127.0.0.1", nobody)
        await until(process.stdout, "http client akri-http-bbbbbb failed: connection refused")
        services.set("akri-http-bbbbbb", "127.0.0.1", port)
        await until(process.stdout, "http client akri-http-bbbbbb value 42.17")
        services.remove("akri-http-bbbbbb")
        await until(process.stdout, "aaaaaa")
        said = [await line(process.stdout) for _turn in range(2)]
        assert said == ["http client akri-http-aaaaaa value 42.17"] * 2
        assert set(services.asked) == {"/api/v1/namespaces/default/services"}
        process.terminate()
        assert await asyncio.wait_for(process.wait(), 20) == 0
