"""`edgelab page`: reads its arguments, connects, serves the live page and its status until it is told to end."""

import argparse
import asyncio
import contextlib
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from edgelab.kube.client import connect
from edgelab.kube.transport import RenewableTransport
from edgelab.lab.page.board import Board
from edgelab.lab.page.control import Control
from edgelab.lab.page.server import serve_page
from edgelab.lab.page.video import command as video
from edgelab.lab.page.view import Head
from edgelab.service.run import run_service
from edgelab.service.status import serve_status
from edgelab.service.web import in_url
from edgelab.service.where import address_and_port

_ANSWER_SECONDS = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `edgelab page`."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    http = kinds.add_parser("http", help="HTTP devices and what their brokers read")
    _add_http(http)
    cameras = kinds.add_parser("video", help="cameras side by side, through their brokers")
    video.add_arguments(cameras)
    for each in (http, cameras):
        _add_serving(each)


def _add_http(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--kubeconfig", type=Path, required=True, metavar="FILE", help="identity to work with")
    add("--configuration", default="akri-http", metavar="NAME", help="whose devices to show (default: akri-http)")
    add("--devices", type=_url, metavar="URL", help="base URL of the mock devices' control; without it, no switches")
    add("--interval", type=_seconds, default=10.0, metavar="SECONDS", help="between a broker's readings (default: 10)")


def _add_serving(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--namespace", default="default", help="of the Configuration (default: default)")
    add(
        "--listen",
        type=address_and_port,
        required=True,
        metavar="ADDRESS:PORT",
        help="where to serve; port 0 is any free one",
    )
    add("--run", type=Path, required=True, metavar="DIR", help="the lab's run directory")
    add("--name", default="page", help="name of the status socket in it (default: page)")
    add("--verbose", action="store_true", help="log more")


def run(arguments: argparse.Namespace) -> int:
    """Serve the page; returns the exit status."""
    serve = {"http": _serve, "video": video.serve}[arguments.what]
    return run_service(partial(serve, arguments), verbose=arguments.verbose)


async def _serve(arguments: argparse.Namespace) -> None:
    # One connection for each broker's log, which the default limit of 100 would not leave room for.
    client = connect(arguments.kubeconfig, transport=RenewableTransport(arguments.kubeconfig))
    head = Head(arguments.configuration, arguments.namespace, arguments.interval)
    address, port = arguments.listen
    timeout = aiohttp.ClientTimeout(total=_ANSWER_SECONDS)
    async with contextlib.AsyncExitStack() as stack:
        session = await stack.enter_async_context(aiohttp.ClientSession(timeout=timeout))
        board = Board(client, head, Control(session, arguments.devices) if arguments.devices else None)
        port = await stack.enter_async_context(serve_page(board, address, port))
        url = f"http://{in_url(address)}:{port}/"

        async def status(request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"url": url, **await board.status(request)}

        await stack.enter_async_context(serve_status(arguments.run / f"{arguments.name}.sock", {"status": status}))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(board.run())


def _url(text: str) -> str:
    try:
        parts = urlsplit(text)
        usable = parts.scheme == "http" and parts.hostname and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise argparse.ArgumentTypeError(f"{text!r} is not a URL like http://127.0.0.1:8090")
    return text


def _seconds(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 1 <= seconds <= 3600:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 3600")
    return seconds
