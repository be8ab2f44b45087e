"""What a page shows at a moment, how its readers learn of changes, and numbers for Prometheus."""

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Generic, Protocol, TypeVar

_STILL_HERE_SECONDS = 15.0


class _Data(Protocol):
    __dataclass_fields__: ClassVar[dict[str, Any]]


class _Row(_Data, Protocol):
    @property
    def id(self) -> str: ...


H = TypeVar("H", bound=_Data)
R = TypeVar("R", bound=_Row)


@dataclass(frozen=True, slots=True)
class View(Generic[H, R]):
    """All that a page shows: `head` concerns all rows, and rows are known by their `id`."""

    head: H
    rows: tuple[R, ...] = ()


def changes(before: View[H, R] | None, after: View[H, R], now: float) -> dict[str, Any]:
    """What a page that shows `before` needs to show `after`: the order of all rows, and those that are different."""
    known = {row.id: row for row in before.rows} if before else {}
    return {
        "now": now,
        "head": asdict(after.head),
        "order": [row.id for row in after.rows],
        "rows": [asdict(row) for row in after.rows if known.get(row.id) != row],
    }


class Live(Generic[H, R]):
    """The newest view. A reader gets what changed since the view that it has, however many there were in between."""

    def __init__(self, view: View[H, R]) -> None:
        self.view = view
        self.readers = 0
        self._news = asyncio.Event()

    def show(self, view: View[H, R]) -> None:
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
        seen: View[H, R] | None = None
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
        # Not wait_for, which in Python 3.11 loses a cancellation that comes together with what is waited for.
        async with asyncio.timeout(seconds):
            await waiting
    except TimeoutError:
        return False
    return True


def _event(name: str, data: dict[str, Any]) -> bytes:
    return f"event: {name}\ndata: {json.dumps(data, allow_nan=False)}\n\n".encode()


def metric(name: str, text: str, samples: Mapping[str, float], kind: str = "gauge") -> str:
    """One metric in Prometheus' text format; samples: values by their labels, as in `state="live"`, or by none."""
    name = f"edgelab_page_{name}"
    lines = [f"{name}{{{labels}}} {value}" if labels else f"{name} {value}" for labels, value in samples.items()]
    return "\n".join([f"# HELP {name} {text}", f"# TYPE {name} {kind}", *lines, ""])
