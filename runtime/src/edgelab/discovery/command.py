"""`edgelab proxy`: makes Wasm discovery handlers, which can only read and write files, known to an Akri agent.

Each has a directory of its own. The process is ready when the agent knows all of them, and ends when it loses one.
"""

import argparse
import asyncio
import contextlib
import functools
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgelab.core.errors import LabError
from edgelab.core.layout import Sockets
from edgelab.core.model import Device
from edgelab.discovery.exchange import Exchange
from edgelab.discovery.file_protocol import read_output, render_input
from edgelab.discovery.handler import DiscoverRequest, ServedHandler, serve_handler
from edgelab.discovery.registration import Registration
from edgelab.service.run import run_service
from edgelab.service.status import serve_status


@dataclass(frozen=True, slots=True)
class WasmHandler:
    """A handler's name and directory; whether its devices are local to a node, and its ids passed on as JSON text."""

    name: str
    directory: Path
    local: bool
    quoted_ids: bool


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edgelab proxy`."""
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the lab's run directory")
    parser.add_argument(
        "--handler",
        type=_named_directory,
        required=True,
        action="append",
        metavar="NAME=DIR",
        help="a name that Configurations use, and the directory shared with that Wasm handler; may be repeated",
    )
    parser.add_argument(
        "--name", type=_file_name, default="proxy", help="name of the status socket; default: %(default)s"
    )
    parser.add_argument(
        "--local", action="append", default=[], metavar="NAME", help="a handler whose devices this node alone sees"
    )
    parser.add_argument(
        "--quoted-ids",
        action="append",
        default=[],
        metavar="NAME",
        help="a handler whose ids and property values are told as JSON text, as akri-on-krustlet tells them",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the proxy until a signal ends it; returns the exit status."""
    return run_service(functools.partial(proxy, arguments))


async def proxy(arguments: argparse.Namespace) -> None:
    """Serve, register and answer questions about itself until cancelled."""
    sockets, known = Sockets(arguments.run), list[_Known]()

    async def status(_request: Mapping[str, Any]) -> Mapping[str, Any]:
        handlers = [each.status() for each in known]
        return {"ready": all(each["registered"] for each in handlers), "handlers": handlers}

    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as tasks:
        for handler in read_handlers(arguments):
            exchange = Exchange(handler.directory, functools.partial(read_output, quoted=handler.quoted_ids))
            discover = functools.partial(_discover, exchange)
            served = await stack.enter_async_context(serve_handler(_registration(handler, sockets), discover))
            known.append(_Known(handler.name, exchange, served))
            tasks.create_task(exchange.run())
        await stack.enter_async_context(serve_status(arguments.run / f"{arguments.name}.sock", {"status": status}))


def read_handlers(arguments: argparse.Namespace) -> list[WasmHandler]:
    """The handlers that the flags name. Raises LabError when the flags contradict each other."""
    handlers = [
        WasmHandler(name, directory, name in arguments.local, name in arguments.quoted_ids)
        for name, directory in arguments.handler
    ]
    names, directories = {each.name for each in handlers}, {each.directory for each in handlers}
    unknown = sorted({*arguments.local, *arguments.quoted_ids} - names)
    if len(names) < len(handlers) or len(directories) < len(handlers):
        raise _contradiction("Two of them have the same name or the same directory")
    if unknown:
        raise _contradiction(f"--local or --quoted-ids name {', '.join(unknown)}, which no --handler does")
    return handlers


@dataclass(frozen=True, slots=True)
class _Known:
    name: str
    exchange: Exchange
    served: ServedHandler

    def status(self) -> dict[str, Any]:
        latest = self.exchange.latest
        return {
            "handler": self.name,
            "registered": self.served.registered,
            "streams": self.exchange.listeners,
            "devices": None if latest is None else len(latest),
        }


def _discover(exchange: Exchange, request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
    return exchange.answers(render_input(request.details))


def _registration(handler: WasmHandler, sockets: Sockets) -> Registration:
    endpoint = sockets.handlers / f"{handler.name}.sock"
    return Registration(handler.name, endpoint, not handler.local, sockets.registration)


def _contradiction(seen: str) -> LabError:
    return LabError(attempted="Serve the Wasm handlers that the flags name", seen=seen)


def _named_directory(text: str) -> tuple[str, Path]:
    name, given, directory = text.partition("=")
    if not given or not directory:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=DIR")
    return _file_name(name), Path(directory)


def _file_name(text: str) -> str:
    if not text or "/" in text:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be part of a file name")
    return text
