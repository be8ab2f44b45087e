"""The status socket: a process of the runtime answers questions about itself.

The protocol is one JSON object on one line each way: `{"op": "status"}` is answered with `{"ok": true, ...}`, an
operation that fails with `{"ok": false, "error": "..."}`. Anybody who may open the socket (its directory is 0700)
may ask.
"""

import asyncio
import contextlib
import json
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

from edgelab.core.errors import LabError
from edgelab.service.sockets import listens, prepare

Answer = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, Any]]]
"""Takes a request, returns what is to be told beside `ok`; raises LabError to refuse it."""

log = logging.getLogger(__name__)

_LONGEST_LINE = 4 * 1024 * 1024


@contextlib.asynccontextmanager
async def serve_status(path: Path, operations: Mapping[str, Answer]) -> AsyncIterator[None]:
    """Answer the named operations on a Unix socket while the block runs. Raises LabError when another process does."""
    if listens(path):
        raise LabError(
            attempted=f"Answer questions at {path}",
            seen="Another process answers there",
            cause="A process of this name runs already",
            remedy="End it, or give this one another --name or --run",
        )
    prepare(path)

    async def converse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            reply = await _reply(operations, await reader.readline())
            writer.write(json.dumps(reply).encode() + b"\n")
            await writer.drain()
        except OSError as error:
            log.debug("status client left: %s", error)
        finally:
            writer.close()

    server = await asyncio.start_unix_server(converse, path=str(path), limit=_LONGEST_LINE)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)


async def _reply(operations: Mapping[str, Answer], line: bytes) -> dict[str, Any]:
    try:
        request = json.loads(line)
        operation = operations[request["op"]]
    except (ValueError, KeyError, TypeError):
        return {"ok": False, "error": f"Not a request. Known operations: {', '.join(sorted(operations))}."}
    try:
        return {"ok": True, **await operation(request)}
    except LabError as error:
        return {"ok": False, "error": str(error)}


def ask(path: Path, operation: str = "status", /, *, timeout: float = 5.0, **details: Any) -> dict[str, Any]:
    """Ask a process one question; blocking. Raises OSError when nobody answers, LabError when it refuses."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(timeout)
        connection.connect(str(path))
        connection.sendall(json.dumps({"op": operation, **details}).encode() + b"\n")
        with connection.makefile("rb") as replies:
            reply: dict[str, Any] = json.loads(replies.readline() or b'{"ok": false, "error": "no answer"}')
    if not reply.pop("ok"):
        raise LabError(attempted=f"Ask {path.name} for {operation}", seen=reply["error"])
    return reply
