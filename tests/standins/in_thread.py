"""An event loop in a thread of its own, for stand-ins of tests that wait for a browser meanwhile."""

import asyncio
import threading
from typing import Any, Self


class InThread:
    """The loop runs while the block does."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self.loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        self.loop.close()

    def do(self, work: Any) -> Any:
        """Await something in that thread."""
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(20)
