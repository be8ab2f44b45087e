"""`edgelab page video`: what it takes beside what all pages take, and serving the page and its status."""

import argparse
import asyncio
import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edgelab.kube.client import connect
from edgelab.lab.page.video.server import serve_page
from edgelab.lab.page.video.view import Head
from edgelab.lab.page.video.wall import Wall
from edgelab.service.status import serve_status
from edgelab.service.web import in_url


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments that this page alone has."""
    add = parser.add_argument
    add("--kubeconfig", type=Path, metavar="FILE", help="identity to work with; default: the Pod's service account")
    add(
        "--configuration",
        type=_names,
        required=True,
        metavar="NAME[,NAME]",
        dest="configurations",
        help="whose cameras to show",
    )


async def serve(arguments: argparse.Namespace) -> None:
    """Serve the page and its status until cancelled."""
    wall = Wall(connect(arguments.kubeconfig), Head(arguments.configurations, arguments.namespace))
    address, port = arguments.listen
    async with contextlib.AsyncExitStack() as stack:
        port = await stack.enter_async_context(serve_page(wall, address, port))
        url = f"http://{in_url(address)}:{port}/"

        async def status(request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"url": url, **await wall.status(request)}

        await stack.enter_async_context(serve_status(arguments.run / f"{arguments.name}.sock", {"status": status}))
        group = await stack.enter_async_context(asyncio.TaskGroup())
        group.create_task(wall.run())


def _names(text: str) -> tuple[str, ...]:
    given = tuple(dict.fromkeys(text.split(",")))
    if not all(given):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME or NAME,NAME")
    return given
