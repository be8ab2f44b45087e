"""The page's server in the process of a test, and a client of it that folds the events as the page's script does."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

import aiohttp
from edgelab.kube.client import connect
from edgelab.kube.transport import RenewableTransport
from edgelab.lab.page.board import Board
from edgelab.lab.page.control import Control
from edgelab.lab.page.server import serve_page
from edgelab.lab.page.view import Head
from standins.api_server import FakeApi, Json, write_kubeconfig
from standins.http_lab import broker, instance

URL = "http://127.0.0.1:4003/"
UID = broker(instance(URL))["metadata"]["uid"]
"""A device and its broker."""


class Page:
    """A page that is served; `head` and `rows` are what the events so far come to."""

    def __init__(self, base: str, board: Board, client: aiohttp.ClientSession) -> None:
        self.base, self.board, self.client = base, board, client
        self.head: Json = {}
        self.rows: dict[str, Json] = {}
        self.names: list[str] = []

    async def until(self, seen: Callable[["Page"], bool]) -> "Page":
        """Read events until what they come to is as wanted; fails with that after 10 seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(10), self.client.get(f"{self.base}/events") as answer:
                async for line in answer.content:
                    self._take(line.decode().rstrip("\n"))
                    if self.head and seen(self):
                        return self
        raise AssertionError(f"last seen: {self.head} {self.rows}")

    def _take(self, line: str) -> None:
        key, _, text = line.partition(": ")
        if key == "event":
            self.names.append(text)
        if key != "data":
            return
        told = json.loads(text)
        self.head = told["head"]
        changed = {row["id"]: row for row in told["rows"]}
        self.rows = {name: changed.get(name) or self.rows[name] for name in told["order"]}

    async def plug(self, device: str, body: Any, **headers: str) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body)
        given = {"Content-Type": "application/json"} | {key.replace("_", "-"): one for key, one in headers.items()}
        async with self.client.post(f"{self.base}/devices/{device}", data=data, headers=given) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def serving(api: FakeApi, directory: Path, control: str = "") -> AsyncIterator[Page]:
    """Serve the page of an API server, for the block; control: base URL of the mock devices."""
    kubeconfig = write_kubeconfig(directory / "kubeconfig", api.port)
    client = connect(kubeconfig, transport=RenewableTransport(kubeconfig))
    async with aiohttp.ClientSession() as session:
        board = Board(client, Head("akri-http", "default", 10), Control(session, control) if control else None)
        running = asyncio.create_task(board.run())
        async with serve_page(board, "127.0.0.1", 0) as port:
            yield Page(f"http://127.0.0.1:{port}", board, session)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def shows(**fields: Any) -> Callable[[Page], bool]:
    """Whether that device's row has these fields."""
    return lambda page: bool(page.rows) and all(page.rows[URL][key] == value for key, value in fields.items())
