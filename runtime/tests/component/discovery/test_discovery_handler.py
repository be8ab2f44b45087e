"""Serving a handler: what the agent sees on its sockets."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from edgelab.core.errors import LabError
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.handler import DiscoverRequest, InvalidDetailsError, serve_handler
from edgelab.discovery.registration import Registration
from grpclib.const import Status
from grpclib.exceptions import GRPCError


def registration(run_dir: Path, *, shared: bool = True) -> Registration:
    return Registration("test", run_dir / "akri" / "test.sock", shared, run_dir / "akri" / "agent-registration.sock")


async def nothing(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
    yield []
    await asyncio.Event().wait()


@pytest.mark.parametrize("shared", [True, False])
async def test_registers_with_what_it_is(agent, run_dir: Path, shared: bool) -> None:
    async with agent.up(), serve_handler(registration(run_dir, shared=shared), nothing):
        told = await agent.registered()
    assert (told.name, told.endpoint, told.shared) == ("test", str(run_dir / "akri" / "test.sock"), shared)


async def test_waits_for_an_agent_that_comes_later(agent, run_dir: Path) -> None:
    async with serve_handler(registration(run_dir), nothing) as registrar:
        assert not registrar.registered
        async with agent.up():
            assert (await agent.registered()).name == "test"


async def drop_a_stream(agent) -> None:
    async with agent.discover(str(agent.socket.with_name("test.sock")), "") as answers:
        assert await answers.next() == []


async def test_registers_exactly_once_for_each_dropped_stream(agent, run_dir: Path) -> None:
    async with agent.up(), serve_handler(registration(run_dir), nothing):
        await agent.registered()
        for _round in range(4):
            await drop_a_stream(agent)
            await agent.registered()
        # A second registration for any but the last of them would be waiting here.
        assert agent.registrations.empty()


async def test_registers_exactly_once_with_each_new_agent(agent, run_dir: Path) -> None:
    async with serve_handler(registration(run_dir), nothing):
        for _round in range(4):
            async with agent.up():
                await agent.registered()
            # The handler learns of the old agent's end by its stream as well as by the new agent's socket.
            await drop_a_stream(agent)
        assert agent.registrations.empty()


async def test_equal_lists_are_sent_once(agent, run_dir: Path) -> None:
    async def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        for ids in ([], [], ["a"], ["a"], ["a", "b"], []):
            yield [Device(name) for name in ids]
        await asyncio.Event().wait()

    async with (
        serve_handler(registration(run_dir), discover),
        agent.discover(str(run_dir / "akri/test.sock"), "") as told,
    ):
        assert [await told.next_ids() for _round in range(4)] == [[], ["a"], ["a", "b"], []]


async def test_a_device_arrives_as_it_was_found(agent, run_dir: Path) -> None:
    device = Device("a", {"KEY": "value"}, (Mount("/c", "/h", True),), (DeviceSpec("/dev/c", "/dev/h", "rw"),))
    asked: list[DiscoverRequest] = []

    async def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        asked.append(request)
        yield [device]
        await asyncio.Event().wait()

    async with (
        serve_handler(registration(run_dir), discover),
        agent.discover(str(run_dir / "akri/test.sock"), "details") as told,
    ):
        (seen,) = await told.next()
    assert (seen.id, dict(seen.properties)) == ("a", {"KEY": "value"})
    assert [(m.container_path, m.host_path, m.read_only) for m in seen.mounts] == [("/c", "/h", True)]
    assert [(s.container_path, s.host_path, s.permissions) for s in seen.device_specs] == [("/dev/c", "/dev/h", "rw")]
    assert asked == [DiscoverRequest("details", {})]


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (InvalidDetailsError("discoveryDetails.x is wrong"), Status.INVALID_ARGUMENT),
        (LabError(attempted="Ask", seen="discoveryDetails.x is wrong"), Status.FAILED_PRECONDITION),
    ],
)
async def test_errors_have_their_status_and_cause_no_registration(agent, run_dir: Path, error, status: Status) -> None:
    async def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        for devices in ():
            yield devices
        raise error

    async with agent.up(), serve_handler(registration(run_dir), discover):
        endpoint = (await agent.registered()).endpoint
        with pytest.raises(GRPCError, match=r"discoveryDetails\.x is wrong") as caught:
            async with agent.discover(endpoint, "") as answers:
                await answers.next()
        assert caught.value.status is status
        assert agent.registrations.empty()
