"""A discovery handler as a process: where it listens, whom it registers with, and what it says about itself.

Flags say where; what they leave open, the environment says as for Akri's own handlers: DISCOVERY_HANDLERS_DIRECTORY is
the directory with the agent's registration socket, and POD_IP makes the handler listen on that address, port 10000, and
register with it (`useNetworkConnection` of Akri's chart). Without either the handler has a Unix socket beside the
agent's.
"""

import argparse
import asyncio
import contextlib
import functools
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from edgelab.core.errors import LabError
from edgelab.core.layout import Sockets
from edgelab.discovery.definition import Handler, check_name
from edgelab.discovery.handler import ServedHandler, serve_handler
from edgelab.discovery.registration import Address, Registration
from edgelab.service.run import run_service
from edgelab.service.sockets import bind
from edgelab.service.status import serve_status
from edgelab.service.where import add_lab

AKRI_PORT = 10000
"""Where Akri's handlers listen when they have an address; the chart cannot change it."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a handler meets an agent: its directory, and an address to listen on instead of a Unix socket there.

    `reached_by` is the host by which agents reach that address. `status` is the status socket, if there is one.
    """

    directory: Path
    listen: Address | None = None
    reached_by: str = ""
    status: Path | None = None


def main(handler: Handler[Any], argv: Sequence[str] | None = None) -> int:
    """Serve a handler as a program of its own, until a signal ends it; returns the exit status."""
    parser = argparse.ArgumentParser(description=f"Serve the discovery handler {handler.name} to an Akri agent.")
    add_arguments(parser)
    return serve(handler, parser.parse_args(argv))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The flags that say where a handler is served."""
    add_lab(parser, required=False, otherwise="; default: see DISCOVERY_HANDLERS_DIRECTORY")
    parser.add_argument("--name", default="", help="name of the status socket in DIR; default: handler-NAME")
    parser.add_argument(
        "--as", type=_name, dest="known_as", metavar="NAME", help="what Configurations call it; default: its own name"
    )
    parser.add_argument("--local", action="store_true", help="the devices are seen by this node alone")
    parser.add_argument(
        "--listen", type=_address, metavar="HOST:PORT", help="serve over TCP; default: POD_IP, port 10000, if it is set"
    )
    parser.add_argument(
        "--advertise", default="", metavar="HOST", help="how agents reach HOST; default: HOST or POD_IP"
    )


def serve(handler: Handler[Any], arguments: argparse.Namespace) -> int:
    """Serve a handler as the flags say, until a signal ends it; returns the exit status."""

    async def served() -> None:
        known = replace(handler, name=arguments.known_as or handler.name)
        shared = handler.shared and not arguments.local
        await _serve(known, shared, find_place(known.name, arguments, os.environ))

    return run_service(served)


def find_place(name: str, arguments: argparse.Namespace, environment: Mapping[str, str]) -> Place:
    """Where the handler of that name is served. Raises LabError when that is not said."""
    listen, pod = arguments.listen, environment.get("POD_IP", "")
    if listen is None and pod:
        listen = Address(pod, AKRI_PORT)
    reached_by = arguments.advertise or ("" if listen is None else _reached_by(listen, pod))
    if arguments.run:
        status = arguments.run / f"{arguments.name or f'handler-{name}'}.sock"
        return Place(Sockets(arguments.run).handlers, listen, reached_by, status)
    directory = environment.get("DISCOVERY_HANDLERS_DIRECTORY", "")
    if not directory:
        raise LabError(
            attempted=f"Serve the discovery handler {name}",
            seen="Neither --run nor DISCOVERY_HANDLERS_DIRECTORY says where the agent is",
            remedy="Give --run DIR, the run directory of a lab",
        )
    return Place(Path(directory), listen, reached_by)


def _reached_by(listen: Address, pod: str) -> str:
    try:
        everywhere = ip_address(listen.host).is_unspecified
    except ValueError:
        everywhere = False
    if not everywhere:
        return listen.host
    if pod:
        return pod
    raise LabError(
        attempted=f"Serve a discovery handler on all addresses, port {listen.port}",
        seen="Nothing says by which of them agents reach it",
        remedy="Give --advertise HOST, or set POD_IP",
    )


async def _serve(handler: Handler[Any], shared: bool, place: Place) -> None:
    _make(place.directory)
    listener = bind(place.listen.host, place.listen.port) if place.listen else None
    endpoint = (
        Address(place.reached_by, listener.getsockname()[1]) if listener else place.directory / f"{handler.name}.sock"
    )
    registration = Registration(handler.name, endpoint, shared, place.directory / "agent-registration.sock")
    async with contextlib.AsyncExitStack() as stack:
        served = await stack.enter_async_context(serve_handler(registration, handler.answer, listener=listener))
        if place.status:
            answer = functools.partial(_status, handler.name, served)
            await stack.enter_async_context(serve_status(place.status, {"status": answer}))
        await asyncio.Event().wait()


def _make(directory: Path) -> None:
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LabError(
            attempted=f"Make the directory {directory}, in which handlers and the agent meet",
            seen=str(error),
            remedy="Give the run directory of a lab of yours by --run DIR",
        ) from error


async def _status(name: str, served: ServedHandler, _request: Mapping[str, Any]) -> Mapping[str, Any]:
    return {"ready": served.registered, "handler": name, "streams": served.streams, "devices": served.devices}


def _name(text: str) -> str:
    try:
        return check_name(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _address(text: str) -> Address:
    try:
        return Address.parse(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
