"""The guests for HTTP devices as the node runs them: in processes of their own, with the policy of their device."""

import asyncio
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from edgelab.node.containers.records import ContainerSpec, RunDirectory
from edgelab.node.containers.runtime import Containers
from edgelab.node.outbound.policy import NOWHERE, Policy, endpoints

WASM = Path(__file__).parents[4] / "wasm"
MEBI = 1024 * 1024
DEADLINE = 20.0


def device(url: str) -> Policy:
    return Policy(endpoints=endpoints({"E": url}))


class Brokers:
    """Committed modules in containers of their own, forked by a zygote as the node does."""

    def __init__(self, directory: Path, containers: Containers) -> None:
        self._directory, self._containers = directory, containers

    async def start(self, name: str, by: Policy, **environment: str) -> RunDirectory:
        engine = wasmtime.Engine()
        module, run = self._directory / f"{name}.module", self._directory / f"{name}{len(environment)}"
        module.write_bytes(wasmtime.Module.from_file(engine, str(WASM / f"{name}.wasm")).serialize())
        run.mkdir()
        await self._containers.start(ContainerSpec(str(run), str(module), (name,), MEBI, environment, outbound=by))
        return RunDirectory(run)

    async def stop(self, run: RunDirectory) -> int:
        self._containers.signal(run, signal.SIGTERM)
        return await self.ended(run)

    async def ended(self, run: RunDirectory) -> int:
        async with asyncio.timeout(DEADLINE):
            await self._containers.ended(run)
        end = run.exit()
        assert end is not None
        return end.exit_code


@pytest.fixture
async def brokers(tmp_path: Path) -> AsyncIterator[Brokers]:
    """Starts and stops brokers."""
    async with Containers(tmp_path, on_end=lambda _run: None) as containers:
        yield Brokers(tmp_path, containers)
    for path in tmp_path.glob("*/start.json"):
        path.unlink()


async def lines(run: RunDirectory, count: int) -> list[str]:
    """The first lines that a container said."""
    async with asyncio.timeout(DEADLINE):
        while len(found := run.log.read_text().splitlines() if run.log.exists() else []) < count:  # noqa: ASYNC110  it waits for another process
            await asyncio.sleep(0.02)
    return [line.split(" ", 3)[3] for line in found[:count]]


def gives(body: bytes, status: int = 200) -> bytes:
    return b"HTTP/1.1 %d Word\r\nContent-Length: %d\r\n\r\n%s" % (status, len(body), body)


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (gives(b"42.17\n"), "value 42.17"),
        (gives(b" \t-1.50 \r\n"), "value -1.50"),
        (gives(b"7" * 127), f"value {'7' * 127}"),
        (gives(b"7" * 128), "failed: the answer is no value"),
        (gives(b"x" * MEBI), "failed: the answer is no value"),
        (gives(b""), "failed: the answer is no value"),
        (gives(b" \n"), "failed: the answer is no value"),
        (gives(b"two words"), "failed: the answer is no value"),
        (gives(b"line\nhttp device forged value 1.00"), "failed: the answer is no value"),
        (gives("\u00fc".encode()), "failed: the answer is no value"),
        (gives(b"a\0b"), "failed: the answer is no value"),
        (gives(b"busy", 503), "failed: status 503"),
        (gives(b"", 204), "failed: status 204"),
        (b"garbage", "failed: there was no complete answer (error 11)"),
    ],
)
async def test_the_broker_says_what_its_device_says(brokers: Brokers, web: Any, answer: bytes, said: str) -> None:
    web.sends("/", answer)
    url = f"{web.url}/"
    run = await brokers.start("http_broker", device(url), AKRI_HTTP_DEVICE_ENDPOINT_AB12CD=url)
    assert await lines(run, 1) == [f"http device {url} {said}"]
    assert await brokers.stop(run) == 143


async def test_the_broker_reads_again_whatever_happened(brokers: Brokers, web: Any) -> None:
    answers = iter((b"garbage", gives(b"1.00")))
    web.answers["/"] = lambda asked: asked.wfile.write(next(answers, gives(b"2.00")))
    run = await brokers.start(
        "http_broker", device(web.url), AKRI_HTTP_DEVICE_ENDPOINT=f"{web.url}/", INTERVAL_SECONDS="1"
    )
    assert [line.split()[-1] for line in await lines(run, 3)][1:] == ["1.00", "2.00"]
    assert await brokers.stop(run) == 143


async def test_the_broker_asks_nobody_else(brokers: Brokers, new_web: Callable[[], Any]) -> None:
    own, other = new_web(), new_web()
    run = await brokers.start("http_broker", device(own.url), AKRI_HTTP_DEVICE_ENDPOINT=other.url)
    (said,) = await lines(run, 1)
    assert said == f"http device {other.url} failed: the node does not allow this destination (error 7)"
    assert other.asked == []
    assert await brokers.stop(run) == 143


async def test_a_container_is_ended_while_its_request_waits(brokers: Brokers, web: Any) -> None:
    web.answers["/"] = lambda _asked: web.ended.wait()
    run = await brokers.start("http_broker", device(web.url), AKRI_HTTP_DEVICE_ENDPOINT=f"{web.url}/")
    async with asyncio.timeout(DEADLINE):
        while not web.asked:  # noqa: ASYNC110  it waits for another process
            await asyncio.sleep(0.02)
    assert await brokers.stop(run) == 143


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({}, "AKRI_HTTP_DEVICE_ENDPOINT is not set: this Pod was given no HTTP device"),
        *(
            (
                {"AKRI_HTTP_DEVICE_ENDPOINT": "http://127.0.0.1:9/", "INTERVAL_SECONDS": seconds},
                "INTERVAL_SECONDS is no number of seconds from 1 to 86400",
            )
            for seconds in ("", "0", "-1", "1s", "86401", "99999999999999999999", "ten")
        ),
    ],
)
async def test_a_broker_that_cannot_work_says_why(brokers: Brokers, environment: dict[str, str], said: str) -> None:
    run = await brokers.start("http_broker", NOWHERE, **environment)
    assert await brokers.ended(run) == 1
    assert await lines(run, 1) == [said]


async def test_idle_is_idle_until_it_is_ended(brokers: Brokers) -> None:
    run = await brokers.start("idle", NOWHERE)
    assert run.exit() is None
    assert await brokers.stop(run) == 143
    assert run.log.read_text() == ""
