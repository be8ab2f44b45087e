"""What the page shows at a moment, how readers learn of changes, and the numbers for Prometheus."""

import asyncio
import json
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import asdict, dataclass
from typing import Any, get_args

from edgelab.lab.page.rows import Row, State

_STILL_HERE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class Head:
    """What concerns all rows; api, control and limit say in words what is amiss with them, and are empty otherwise.

    interval: seconds between two readings of a broker; api: the API server; control: what plugs devices.
    """

    configuration: str
    namespace: str
    interval: float
    api: str = ""
    control: str = ""
    limit: str = ""


@dataclass(frozen=True, slots=True)
class View:
    """All that the page shows."""

    head: Head
    rows: tuple[Row, ...] = ()


def changes(before: View | None, after: View, now: float) -> dict[str, Any]:
    """What a page that shows `before` needs to show `after`: the order of all rows, and those that are different."""
    known = {row.id: row for row in before.rows} if before else {}
    return {
        "now": now,
        "head": asdict(after.head),
        "order": [row.id for row in after.rows],
        "rows": [asdict(row) for row in after.rows if known.get(row.id) != row],
    }


class Live:
    """The newest view. A reader gets what changed since the view that it has, however many there were in between."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.readers = 0
        self._news = asyncio.Event()

    def show(self, view: View) -> None:
        """Replace the view; readers hear of it if it is different."""
        if view != self.view:
            self.view = view
            self._news.set()
            self._news = asyncio.Event()

    async def feed(self, write: Callable[[bytes], Awaitable[None]], clock: Callable[[], float]) -> None:
        """Write server-sent events, one `snapshot` and then each `change`, until cancelled or write raises.

        While write waits for a slow reader nothing is kept for it: its next event tells what is newest then.
        """
        self.readers += 1
        seen: View | None = None
        try:
            while True:
                view, news = self.view, self._news
                if view is not seen:
                    await write(_event("change" if seen else "snapshot", changes(seen, view, clock())))
                    seen = view
                elif not await _within(news.wait(), _STILL_HERE_SECONDS):
                    await write(b": still here\n\n")
        finally:
            self.readers -= 1


async def _within(waiting: Awaitable[Any], seconds: float) -> bool:
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimeoutError:
        return False
    return True


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()


def metrics(view: View, readers: int) -> str:
    """The view in numbers, in Prometheus' text format."""
    states = Counter(row.state for row in view.rows)
    return "".join(
        (
            _metric(
                "devices", "Devices on the page by state.", {f'state="{one}"': states[one] for one in get_args(State)}
            ),
            _metric("stale", "Devices whose value is old: the broker is silent or gone.", {"": states["stale"]}),
            _metric("readers", "Open pages.", {"": readers}),
            _metric("api_server_up", "Whether the API server can be followed.", {"": int(not view.head.api)}),
        )
    )


def _metric(name: str, text: str, samples: dict[str, int]) -> str:
    name = f"edgelab_page_{name}"
    lines = [f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in samples.items()]
    return "\n".join([f"# HELP {name} {text}", f"# TYPE {name} gauge", *lines, ""])
