"""`edgelab broker`: `http` is the broker of an HTTP device, `http-client` calls such brokers through their Services,
`video` is the broker of a camera.

The first two print one line for each reading, at once:

    http device URL value 42.17            http client INSTANCE value 42.17
    http device URL failed: CAUSE          http client INSTANCE failed: CAUSE

They end on SIGTERM. A broker that was given no device says so and ends with status 1.
"""

import argparse
import asyncio
import os
from functools import partial
from pathlib import Path

from edgelab.brokers.http_broker import serve_values, tell_values
from edgelab.brokers.http_device import client, given_device, read_device
from edgelab.service.run import run_service
from edgelab.service.sockets import bind

_LONGEST_INTERVAL = 86400


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `edgelab broker`."""
    kinds = parser.add_subparsers(dest="what", required=True, metavar="WHAT")
    _add_broker(kinds.add_parser("http", help="tell the values of the HTTP device in the environment"))
    _add_client(kinds.add_parser("http-client", help="call the HTTP brokers of a Configuration"))
    _add_video(kinds.add_parser("video", help="serve the frames of the camera in the environment"))


def _add_broker(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--grpc", type=_port, metavar="PORT", help="serve the values on this port, and read the device when called"
    )
    _add_listen(parser)
    _add_interval(parser, "between readings without --grpc")


def _add_client(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--configuration", required=True, metavar="NAME", help="whose Instances' brokers to call")
    parser.add_argument("--namespace", default="default", help="where the Configuration is (default: default)")
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="identity to work with; default: the Pod's service account"
    )
    _add_interval(parser, "between calls of one broker")


def _add_video(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--grpc", type=_port, default=8083, metavar="PORT", help="of the frames (default: 8083)")
    _add_listen(parser)


def _add_listen(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--listen", default="0.0.0.0", metavar="ADDRESS", help="of that port (default: all, of a Pod)")  # noqa: S104


def _add_interval(parser: argparse.ArgumentParser, what: str) -> None:
    parser.add_argument(
        "--interval",
        type=_seconds,
        default=os.environ.get("INTERVAL_SECONDS", "10"),
        metavar="SECONDS",
        help=f"{what}; default: INTERVAL_SECONDS, or 10",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the broker or the client until told to end; returns the exit status."""
    kinds = {"http": _run_broker, "http-client": _run_client, "video": _run_video}
    return run_service(partial(kinds[arguments.what], arguments))


async def _run_broker(arguments: argparse.Namespace) -> None:
    url = given_device(os.environ)
    async with client() as session:
        read = partial(read_device, session, url)
        if arguments.grpc is None:
            await tell_values(read, _say, arguments.interval)
        async with serve_values(read, _say, bind(arguments.listen, arguments.grpc)):
            await asyncio.Event().wait()


# There is a process of the first for each device, so what only the others need is imported by these.


async def _run_client(arguments: argparse.Namespace) -> None:
    from edgelab.brokers.http_client import HttpClient  # noqa: PLC0415
    from edgelab.kube.client import connect  # noqa: PLC0415

    caller = HttpClient(
        connect(arguments.kubeconfig),
        arguments.configuration,
        namespace=arguments.namespace,
        interval=arguments.interval,
        say=_say,
    )
    await caller.run()


async def _run_video(arguments: argparse.Namespace) -> None:
    from edgelab.brokers.video.broker import serve_video  # noqa: PLC0415

    await serve_video(os.environ, arguments.listen, arguments.grpc)


def _say(line: object) -> None:
    print(line, flush=True)


def _port(text: str) -> int:
    if not text.isdecimal() or int(text) > 65535:
        raise argparse.ArgumentTypeError(f"{text!r} is not a port, 1 to 65535 (or 0 for any)")
    return int(text)


def _seconds(text: str) -> int:
    if not text.isdecimal() or not 0 < int(text) <= _LONGEST_INTERVAL:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from 1 to {_LONGEST_INTERVAL}")
    return int(text)
