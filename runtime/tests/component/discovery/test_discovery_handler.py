"""Serving a handler: what the agent sees on its sockets."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

import pytest
from edgelab.agent.testing import until
from edgelab.core.errors import LabError
from edgelab.core.model import Device, DeviceSpec, Mount
from edgelab.discovery.handler import DiscoverRequest, InvalidDetailsError, serve_handler
from edgelab.discovery.registration import Address, Registration
from edgelab.service.sockets import bind
from edgelab.wire import discovery_pb2 as wire
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


async def test_registers_exactly_once_when_an_agent_with_many_streams_is_lost(agent, run_dir: Path) -> None:
    async with serve_handler(registration(run_dir), nothing) as handler:
        async with contextlib.AsyncExitStack() as configurations, agent.up():
            endpoint = (await agent.registered()).endpoint
            for _configuration in range(5):
                answers = await configurations.enter_async_context(agent.discover(endpoint, ""))
                await answers.next()
            assert handler.streams == 5
        await until(lambda: handler.streams == 0)
        async with agent.up():
            await agent.registered()
            # Asked and dropped by the new agent, it registers once more: nothing of the old one's is left to come.
            await drop_a_stream(agent)
            await agent.registered()
            assert agent.registrations.empty()


async def test_a_stream_that_is_dropped_while_others_live_is_no_lost_agent(agent, run_dir: Path) -> None:
    async with agent.up(), serve_handler(registration(run_dir), nothing) as handler:
        endpoint = (await agent.registered()).endpoint
        async with agent.discover(endpoint, "") as other:
            await other.next()
            for _round in range(3):
                await drop_a_stream(agent)
                await until(lambda: handler.streams == 1)
            assert agent.registrations.empty()
        await agent.registered()
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
        for ids in ([], [], ["a"], ["a"], ["a", "b"], ["b", "a"], []):
            yield [Device(name) for name in ids]
        await asyncio.Event().wait()

    async with (
        serve_handler(registration(run_dir), discover),
        agent.discover(str(run_dir / "akri/test.sock"), "") as told,
    ):
        assert [await told.next_ids() for _round in range(4)] == [[], ["a"], ["a", "b"], []]


async def test_of_devices_with_one_id_the_first_is_told_and_a_warning_says_so(
    agent, run_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        for _round in range(3):
            yield [Device("a", {"N": "1"}), Device("b"), Device("a", {"N": "2"})]
        yield []
        await asyncio.Event().wait()

    async with (
        serve_handler(registration(run_dir), discover),
        agent.discover(str(run_dir / "akri/test.sock"), "") as told,
    ):
        devices = {device.id: dict(device.properties) for device in await told.next()}
        assert await told.next() == []
    assert devices == {"a": {"N": "1"}, "b": {}}
    warnings = [record.getMessage() for record in caplog.records if "reported" in record.getMessage()]
    assert warnings == ["reported more than once, of which the first counts: 'a'"]


async def test_more_than_an_agent_takes_is_refused_with_the_numbers(agent, run_dir: Path) -> None:
    async def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        yield [Device("a", {"K": "v" * 5_000_000})]

    async with serve_handler(registration(run_dir), discover):
        with pytest.raises(GRPCError, match=r"1 devices\. They take 50000[0-9]+ bytes, and an agent takes 4194304"):
            async with agent.discover(str(run_dir / "akri/test.sock"), "") as answers:
                await answers.next()


async def test_over_tcp_it_registers_with_the_address_that_agents_reach_it_by(agent, run_dir: Path) -> None:
    with bind("127.0.0.1", 0) as listener:
        address = Address("localhost", listener.getsockname()[1])
        told = Registration("test", address, True, agent.socket)
        async with agent.up(), serve_handler(told, nothing, listener=listener):
            request = await agent.registered()
            async with agent.discover(request.endpoint, "") as answers:
                assert await answers.next() == []
            await agent.registered()
    assert request.endpoint == f"http://localhost:{address.port}"
    assert request.endpoint_type == wire.RegisterDiscoveryHandlerRequest.NETWORK


async def test_its_status_counts_streams_and_devices(agent, run_dir: Path) -> None:
    async def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        if request.details:
            yield [Device(name) for name in request.details.split()]
        await asyncio.Event().wait()

    async with agent.up(), serve_handler(registration(run_dir), discover) as handler:
        endpoint = (await agent.registered()).endpoint
        await until(lambda: handler.registered)
        assert (handler.streams, handler.devices) == (0, None)
        async with agent.discover(endpoint, ""), agent.discover(endpoint, "a b") as one:
            await one.next()
            async with agent.discover(endpoint, "b c") as other:
                await other.next()
                await until(lambda: handler.devices == 3)
                assert handler.streams == 3
            await until(lambda: handler.devices == 2)


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
