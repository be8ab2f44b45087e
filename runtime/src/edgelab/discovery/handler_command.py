"""`edgelab handler`: serves a discovery handler to an agent, tries it on a terminal, or begins a new one.

`run` needs neither cluster nor agent: it asks the handler with the details of a file and shows the devices until
Ctrl-C, which ends it with status 0. What it cannot do is told in one line with status 1.
"""

import argparse
import asyncio
import contextlib
import functools
import logging
import os
import sys
from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path

from edgelab.core import names
from edgelab.core.errors import LabError
from edgelab.core.model import Device
from edgelab.discovery import program
from edgelab.discovery.display import Display, View, open_display
from edgelab.discovery.handler import DiscoverRequest, InvalidDetailsError
from edgelab.discovery.loading import BUILT_IN, find_handler
from edgelab.discovery.scaffold import make_project


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommands of `edgelab handler` and their flags."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    serve = commands.add_parser("serve", help="serve a handler and keep it registered with an agent")
    _add_handler(serve)
    program.add_arguments(serve)
    run_ = commands.add_parser("run", help="show on the terminal which devices a handler finds")
    _add_handler(run_)
    _add_run_arguments(run_)
    new = commands.add_parser("new", help="write a project for a new handler: code, tests, image, Configuration")
    new.add_argument("name", metavar="NAME", help="what Configurations will call the handler")
    new.add_argument("--directory", type=Path, metavar="DIR", help="where to make it; default: NAME")


def _add_handler(parser: argparse.ArgumentParser) -> None:
    built_in = ", ".join(BUILT_IN)
    parser.add_argument("handler", metavar="NAME|FILE.py", help=f"a built-in one ({built_in}), or a file")


def _add_run_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--details", default="", metavar="FILE", help="discoveryDetails of a Configuration, - for standard input"
    )
    parser.add_argument(
        "--property", action="append", default=[], metavar="NAME=VALUE", help="one of its discoveryProperties"
    )
    parser.add_argument("--properties", action="store_true", help="show what the handler says about each device")
    parser.add_argument("--configuration", default="", metavar="NAME", help="show the names of that one's Instances")
    parser.add_argument(
        "--node",
        default=os.environ.get("AGENT_NODE_NAME", ""),
        help="the node, which Instances of local devices are named by; default: AGENT_NODE_NAME",
    )
    parser.add_argument("--once", action="store_true", help="show the first set and end")


def run(arguments: argparse.Namespace) -> int:
    """Do what the subcommand says; returns the exit status."""
    try:
        return _ACTIONS[arguments.action](arguments)
    except (LabError, InvalidDetailsError) as error:
        sys.stderr.write(f"edgelab handler: {error}\n")
        return 1


def _serve(arguments: argparse.Namespace) -> int:
    return program.serve(find_handler(arguments.handler), arguments)


def _new(arguments: argparse.Namespace) -> int:
    project = make_project(arguments.name, arguments.directory or Path(arguments.name))
    sys.stdout.write(f"{project.directory} is made; its README.md says what to do with it.\n")
    return 0


def _run(arguments: argparse.Namespace) -> int:
    handler = find_handler(arguments.handler)
    view = View(arguments.properties, _naming(arguments.configuration, arguments.node, shared=handler.shared))
    request = DiscoverRequest(read_details_file(arguments.details), dict(map(_property, arguments.property)))
    display = open_display(sys.stdout, sys.stderr, view)
    show_devices(functools.partial(handler.answer, request), display, once=arguments.once)
    return 0


def show_devices(
    answers: Callable[[], AsyncGenerator[Sequence[Device], None]], display: Display, *, once: bool = False
) -> None:
    """Show sets of devices as they come, and what is logged meanwhile, until they end or Ctrl-C is pressed."""
    logging.basicConfig(level=logging.WARNING, handlers=[_Messages(display)], format="%(message)s")

    async def show() -> None:
        display.show(None)
        async with contextlib.aclosing(answers()) as sets:
            async for devices in sets:
                display.show(devices)
                if once:
                    return

    try:
        asyncio.run(show())
    except KeyboardInterrupt:
        pass
    except BrokenPipeError:
        # Whoever read the lines has seen enough; nothing may be left to write when Python ends.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def read_details_file(details: str) -> str:
    """The discovery details in a file, `-` for standard input, empty for none. Raises LabError."""
    try:
        if details == "-":
            return sys.stdin.read()
        return Path(details).read_text() if details else ""
    except (OSError, UnicodeDecodeError) as error:
        raise LabError(attempted=f"Read the discovery details in {details}", seen=str(error)) from error


class _Messages(logging.Handler):
    def __init__(self, display: Display) -> None:
        super().__init__()
        self._display = display

    def emit(self, record: logging.LogRecord) -> None:
        self._display.say(self.format(record))


def _naming(configuration: str, node: str, *, shared: bool) -> Callable[[Device], str] | None:
    if not configuration:
        return None
    if not shared and not node:
        raise LabError(
            attempted=f"Name the Instances of {configuration}",
            seen="Devices of this handler are local to a node, and their Instances are named by it",
            remedy="Give --node NAME",
        )
    return lambda device: names.instance(configuration, names.digest(device.id, node=node, shared=shared))


def _property(text: str) -> tuple[str, bytes | None]:
    name, given, value = text.partition("=")
    return name, value.encode() if given else None


_ACTIONS = {"serve": _serve, "run": _run, "new": _new}
