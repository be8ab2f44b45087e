"""`edgelab devices`: `http` runs mock HTTP devices, `cameras` virtual cameras, `set` changes one while they run."""

import argparse
import asyncio
import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import yaml

from edgelab.core.errors import LabError
from edgelab.lab.devices.device import Behaviour
from edgelab.lab.devices.fleet import Fleet, Wanted
from edgelab.lab.devices.model import is_port
from edgelab.lab.devices.sensor import Sensor
from edgelab.lab.devices.server import serve_discovery
from edgelab.service.run import run_service
from edgelab.service.status import ask, serve_status
from edgelab.service.web import in_url
from edgelab.service.where import add_lab


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `edgelab devices`."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    _add_http(kinds.add_parser("http", help="run HTTP devices that publish changing values"))
    _add_cameras(kinds.add_parser("cameras", help="run network cameras that show moving pictures"))
    _add_set(kinds.add_parser("set", help="plug, unplug or otherwise change a device that runs"))


def _add_http(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--path", type=_path, default="/", help="path of the value on each device (default: /)")
    _add_fleet(parser, "devices")


def _add_cameras(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--size", type=_size, default=(640, 480), metavar="WxH", help="of the pictures, in pixels (default: 640x480)")
    add("--fps", type=_rate, default=10, metavar="N", help="pictures a second (default: 10)")
    _add_fleet(parser, "cameras")


def _add_fleet(parser: argparse.ArgumentParser, name: str) -> None:
    add = parser.add_argument
    add("--state", type=Path, required=True, metavar="FILE", help="remembers what was set, and ports that were chosen")
    add("--discovery-port", type=_port_or_zero, required=True, metavar="PORT", help="where devices are listed and set")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--ports", type=_ports, metavar="PORT,...", help="one device on each of these ports")
    which.add_argument("--count", type=_count, metavar="N", help="that many devices, on free ports that are kept")
    add("--listen", default="127.0.0.1", metavar="ADDRESS", help="address to listen on (default: 127.0.0.1)")
    add("--advertise", metavar="HOST", help="host in the devices' URLs (default: the address)")
    add("--device", action="append", default=[], metavar="URL", help="list this device, too; may be repeated")
    _add_run(parser, name)
    add("--verbose", action="store_true", help="log more")


def _add_set(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("device", metavar="NAME", help="number of the device, 1 for the first")
    parser.add_argument(
        "changes",
        type=_change,
        nargs="+",
        metavar="KEY=VALUE",
        help="plugged=yes|no, failing=yes|no, delay_seconds=NUMBER, value=NUMBER|null (null: its own curve)",
    )
    _add_run(parser, "devices")


def _add_run(parser: argparse.ArgumentParser, name: str) -> None:
    add_lab(parser)
    parser.add_argument("--name", default=name, help=f"name of the status socket in it (default: {name})")


def run(arguments: argparse.Namespace) -> int:
    """Run the devices until told to end, or change one; returns the exit status."""
    if arguments.what == "set":
        return _set(arguments)
    behaviour = _camera(arguments) if arguments.what == "cameras" else partial(Sensor, path=arguments.path)
    return run_service(partial(_serve, arguments, behaviour), verbose=arguments.verbose)


def _camera(arguments: argparse.Namespace) -> Callable[[int], Behaviour]:
    # HTTP devices do without the memory that Pillow takes.
    from edgelab.lab.cameras.camera import camera  # noqa: PLC0415

    return partial(camera, size=arguments.size, frames_per_second=arguments.fps)


async def _serve(arguments: argparse.Namespace, behaviour: Callable[[int], Behaviour]) -> None:
    host = arguments.advertise or arguments.listen
    ports = arguments.ports or [0] * arguments.count
    fleet = Fleet(Wanted(ports, arguments.listen, host, arguments.device, behaviour), arguments.state)
    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(fleet)
        port = await stack.enter_async_context(serve_discovery(fleet, arguments.listen, arguments.discovery_port))
        base = f"http://{in_url(host)}:{port}"

        async def status(_request: Mapping[str, Any]) -> Mapping[str, Any]:
            urls = {"discovery": f"{base}/discovery", "control": f"{base}/devices"}
            return {"ready": True, **urls, "devices": fleet.told()}

        async def change(request: Mapping[str, Any]) -> Mapping[str, Any]:
            return {"device": await _changed(fleet, str(request.get("name")), request.get("changes"))}

        operations = {"status": status, "set": change}
        await stack.enter_async_context(serve_status(arguments.run / f"{arguments.name}.sock", operations))
        await asyncio.Event().wait()


async def _changed(fleet: Fleet, name: str, changes: object) -> dict[str, Any]:
    try:
        return await fleet.change(name, changes)
    except KeyError as error:
        raise LabError(f"Set device {name}", "There is no such device", remedy="Names are 1, 2, ...") from error
    except ValueError as error:
        raise LabError(f"Set device {name}", str(error)) from error


def _set(arguments: argparse.Namespace) -> int:
    socket = arguments.run / f"{arguments.name}.sock"
    try:
        answer = ask(socket, "set", timeout=30, name=arguments.device, changes=dict(arguments.changes))
    except (OSError, LabError) as error:
        print(f"{socket}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer["device"]))
    return 0


def _change(text: str) -> tuple[str, Any]:
    key, separator, value = text.partition("=")
    if not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE")
    try:
        return key, yaml.safe_load(value)
    except yaml.YAMLError as error:
        raise argparse.ArgumentTypeError(f"{value!r} is no value") from error


def _ports(text: str) -> list[int]:
    ports = [_port_or_zero(word) for word in text.split(",")]
    if 0 in ports or len(set(ports)) < len(ports):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of different ports")
    return ports


def _port_or_zero(text: str) -> int:
    if text != "0" and not (text.isdecimal() and is_port(int(text))):
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535 (or 0 for any)")
    return int(text)


def _count(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 1000:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 1000")
    return int(text)


def _path(text: str) -> str:
    if not text.startswith("/"):
        raise argparse.ArgumentTypeError(f"{text!r} does not begin with /")
    return text


def _size(text: str) -> tuple[int, int]:
    words = text.split("x")
    width, height = map(int, words) if len(words) == 2 and all(word.isdecimal() for word in words) else (0, 0)
    if width % 8 or height % 8 or not (320 <= width <= 1920 and 240 <= height <= 1080):
        raise argparse.ArgumentTypeError(f"{text!r} is no size from 320x240 to 1920x1080 in steps of 8")
    return width, height


def _rate(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1 to 60")
    return int(text)
