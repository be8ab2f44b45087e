"""`edgelab proxy`: makes a Wasm discovery handler, which can only read and write files, known to an Akri agent."""

import argparse
import functools
from collections.abc import AsyncGenerator, Mapping, Sequence
from pathlib import Path
from typing import Any

from edgelab.core.layout import Sockets
from edgelab.core.model import Device
from edgelab.discovery.exchange import Exchange
from edgelab.discovery.file_protocol import read_details, read_output
from edgelab.discovery.handler import DiscoverRequest, serve_handler
from edgelab.discovery.registration import Registration
from edgelab.service.run import run_service
from edgelab.service.status import serve_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags of `edgelab proxy`."""
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the lab's run directory")
    parser.add_argument(
        "--handler", type=_file_name, required=True, metavar="NAME", help="name that Configurations use"
    )
    parser.add_argument("--directory", type=Path, required=True, metavar="DIR", help="shared with the Wasm handler")
    parser.add_argument(
        "--name", type=_file_name, default="proxy", help="name of the status socket; default: %(default)s"
    )
    parser.add_argument("--local", action="store_true", help="the devices are seen by this node alone")
    parser.add_argument(
        "--quoted-ids", action="store_true", help="ids and property values as JSON text, as akri-on-krustlet has them"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the proxy until a signal ends it; returns the exit status."""
    return run_service(functools.partial(proxy, arguments))


async def proxy(arguments: argparse.Namespace) -> None:
    """Serve, register and answer questions about itself until cancelled."""
    sockets = Sockets(arguments.run)
    registration = Registration(
        name=arguments.handler,
        endpoint=sockets.handlers / f"{arguments.handler}.sock",
        shared=not arguments.local,
        agent=sockets.registration,
    )
    exchange = Exchange(arguments.directory, functools.partial(read_output, quoted=arguments.quoted_ids))

    def discover(request: DiscoverRequest) -> AsyncGenerator[Sequence[Device], None]:
        return exchange.answers(read_details(request.details))

    async with serve_handler(registration, discover) as registrar:

        async def status(_request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {
                "ready": registrar.registered,
                "handler": arguments.handler,
                "streams": exchange.listeners,
                "devices": None if exchange.latest is None else len(exchange.latest),
            }

        async with serve_status(arguments.run / f"{arguments.name}.sock", {"status": status}):
            await exchange.run()


def _file_name(text: str) -> str:
    if not text or "/" in text:
        raise argparse.ArgumentTypeError(f"{text!r} cannot be part of a file name")
    return text
