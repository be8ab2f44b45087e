"""What readers of the page are sent: everything once, then what changed, and never a queue."""

import asyncio
import json
from dataclasses import replace
from typing import Any

from edgelab.lab.page.live import Live, View, changes
from edgelab.lab.page.rows import Row
from edgelab.lab.page.view import Head, metrics

HEAD = Head("akri-http", "default", 10)


def row(name: str, value: float = 1.0, state: Any = "live") -> Row:
    return Row(name, name, name, True, state, "Live", value=value, at=5.0, history=((5.0, value),))


def view(*rows: Row, api: str = "") -> View:
    return View(replace(HEAD, api=api), rows)


def test_a_new_page_is_told_everything() -> None:
    told = changes(None, view(row("a"), row("b")), 9.0)
    assert (told["now"], told["order"], [one["id"] for one in told["rows"]]) == (9.0, ["a", "b"], ["a", "b"])
    assert told["head"] == {
        "configuration": "akri-http",
        "namespace": "default",
        "interval": 10,
        "api": "",
        "control": "",
        "limit": "",
    }


def test_later_it_is_told_what_is_different_and_the_order_of_all() -> None:
    told = changes(view(row("a"), row("b"), row("c")), view(row("c"), row("b", 2.0), row("d"), api="away"), 9.0)
    assert told["order"] == ["c", "b", "d"]
    assert [(one["id"], one["value"]) for one in told["rows"]] == [("b", 2.0), ("d", 1.0)]
    assert told["head"]["api"] == "away"


class Reader:
    """Takes one event for each `permit()`."""

    def __init__(self) -> None:
        self.events: list[tuple[str, Any]] = []
        self._permits = asyncio.Semaphore(0)
        self.asked = asyncio.Event()

    async def write(self, event: bytes) -> None:
        name, data = event.decode().removesuffix("\n\n").split("\n")
        self.events.append((name.removeprefix("event: "), json.loads(data.removeprefix("data: "))))
        self.asked.set()
        await self._permits.acquire()

    async def permit(self) -> None:
        self.asked.clear()
        self._permits.release()
        await self.asked.wait()


async def test_a_slow_reader_gets_the_newest_state_and_nothing_in_between() -> None:
    live, reader = Live(view(row("a", 0.0), row("b"))), Reader()
    feeding = asyncio.create_task(live.feed(reader.write, lambda: 9.0))
    await reader.asked.wait()
    assert live.readers == 1
    for value in range(1, 1000):
        live.show(view(row("a", value), row("b")))
        await asyncio.sleep(0)
    await reader.permit()
    feeding.cancel()
    await asyncio.gather(feeding, return_exceptions=True)
    assert [(name, [one["value"] for one in told["rows"]]) for name, told in reader.events] == [
        ("snapshot", [0.0, 1.0]),
        ("change", [999]),
    ]
    assert live.readers == 0


async def test_a_reader_hears_of_each_change_that_it_has_time_for_and_of_nothing_else() -> None:
    live, reader = Live(view(row("a", 0.0))), Reader()
    feeding = asyncio.create_task(live.feed(reader.write, lambda: 9.0))
    await reader.asked.wait()
    for value in (1.0, 2.0):
        live.show(view(row("a", value)))
        live.show(view(row("a", value)))
        await reader.permit()
    feeding.cancel()
    assert [told["rows"][0]["value"] for _at, told in reader.events] == [0.0, 1.0, 2.0]


def test_numbers_for_prometheus() -> None:
    shown = view(row("a"), row("b"), row("c", state="stale"), api="away")
    lines = metrics(shown, 2).splitlines()
    assert [line for line in lines if not line.startswith("#")] == [
        'edgelab_page_devices{state="live"} 2',
        'edgelab_page_devices{state="failing"} 0',
        'edgelab_page_devices{state="stale"} 1',
        'edgelab_page_devices{state="waiting"} 0',
        'edgelab_page_devices{state="unplugged"} 0',
        "edgelab_page_stale 1",
        "edgelab_page_readers 2",
        "edgelab_page_api_server_up 0",
    ]
    assert "# TYPE edgelab_page_stale gauge" in lines
