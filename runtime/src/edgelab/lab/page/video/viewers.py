"""Those who look at cameras: each takes the newest frames when he can, and nothing is kept for him meanwhile."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator, Mapping

from edgelab.lab.page.video.record import Frame, Record

MOST_VIEWERS = 64
"""How many streams there are at once; a page needs one."""


class FullError(Exception):
    """There are as many viewers as there may be."""


class Viewer:
    """Somebody who looks at one camera, or at all (None)."""

    def __init__(self, camera: str | None, records: Mapping[str, Record]) -> None:
        self._camera, self._records = camera, records
        self._seen: dict[str, int] = {}
        self._news = asyncio.Event()

    def looks_at(self, camera: str) -> bool:
        """Whether it is this camera, too, that is looked at."""
        return self._camera in (None, camera)

    def tell(self) -> None:
        """There is something new."""
        self._news.set()

    async def news(self) -> None:
        """Wait until there was something new since the last call."""
        await self._news.wait()
        self._news.clear()

    def fresh(self) -> Iterator[tuple[str, Frame]]:
        """The newest frame of each camera, where this viewer has not had it; each is looked up when its turn comes."""
        for name in list(self._records):
            frame = self._records[name].frame if name in self._records and self.looks_at(name) else None
            if frame and self._seen.get(name) != frame.number:
                self._seen[name] = frame.number
                yield name, frame


class Viewers:
    """All who look now; `changed` is called when one comes or goes."""

    def __init__(self, records: Mapping[str, Record], changed: Callable[[], None]) -> None:
        self._records, self._changed = records, changed
        self._all: set[Viewer] = set()

    @contextlib.contextmanager
    def looking(self, camera: str | None) -> Iterator[Viewer]:
        """Look at a camera, or at all, while the block runs. Raises FullError."""
        if len(self._all) >= MOST_VIEWERS:
            raise FullError
        viewer = Viewer(camera, self._records)
        self._all.add(viewer)
        self._changed()
        try:
            yield viewer
        finally:
            self._all.discard(viewer)
            self._changed()

    def of(self, camera: str) -> int:
        """How many look at a camera."""
        return sum(viewer.looks_at(camera) for viewer in self._all)

    def tell(self, camera: str) -> None:
        """There is a new frame of this camera."""
        for viewer in self._all:
            if viewer.looks_at(camera):
                viewer.tell()
