"""One task per key, again when touched meanwhile, with back-off on failure."""

import asyncio

from edgelab.core.backoff import Backoff
from edgelab.kube.workers import Workers

AT_ONCE = Backoff(0.0001, 0.0001)


async def test_a_key_touched_while_it_is_handled_is_handled_once_more() -> None:
    handled: list[str] = []
    started, go_on, again = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def handle(key: str) -> None:
        handled.append(key)
        (again if started.is_set() else started).set()
        await go_on.wait()

    async with Workers(handle) as workers:
        workers.add("a")
        await started.wait()
        workers.add("a")
        workers.add("a")
        assert handled == ["a"]
        go_on.set()
        await asyncio.wait_for(again.wait(), 5)
        await asyncio.sleep(0)
    assert handled == ["a", "a"]


async def test_keys_do_not_wait_for_each_other() -> None:
    both = asyncio.Barrier(3)

    async def handle(key: str) -> None:
        await both.wait()

    async with Workers(handle) as workers:
        workers.add("a")
        workers.add("b")
        await asyncio.wait_for(both.wait(), 5)


async def test_a_failed_key_is_tried_again_until_it_succeeds() -> None:
    tries = 0
    done = asyncio.Event()

    async def handle(key: str) -> None:
        nonlocal tries
        tries += 1
        if tries < 3:
            raise RuntimeError("not yet")
        done.set()

    async with Workers(handle, backoff=AT_ONCE) as workers:
        workers.add("a")
        await asyncio.wait_for(done.wait(), 5)
    assert tries == 3


async def test_an_appointment_gives_way_to_an_earlier_one() -> None:
    done = asyncio.Event()

    async def handle(key: str) -> None:
        done.set()

    async with Workers(handle) as workers:
        workers.add("a", after=3600)
        workers.add("a", after=0.0001)
        await asyncio.wait_for(done.wait(), 5)


async def test_leaving_cancels_what_runs() -> None:
    cancelled = asyncio.Event()
    started = asyncio.Event()

    async def handle(key: str) -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        finally:
            cancelled.set()

    async with Workers(handle) as workers:
        workers.add("a")
        await started.wait()
    assert cancelled.is_set()
