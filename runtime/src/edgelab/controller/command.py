"""`edgelab controller`: reads its arguments, connects, serves its status and works until it is told to end."""

import argparse
from functools import partial
from pathlib import Path

from edgelab.controller.controller import Controller
from edgelab.kube.client import connect
from edgelab.service.run import run_service
from edgelab.service.status import serve_status


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The arguments of `edgelab controller`."""
    parser.add_argument("--run", type=Path, required=True, metavar="DIR", help="the lab's run directory")
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="identity to work with; default: the Pod's service account"
    )
    parser.add_argument("--verbose", action="store_true", help="log decisions that lead to nothing, too")


def run(arguments: argparse.Namespace) -> int:
    """Run the controller; returns the exit status."""
    return run_service(partial(_serve, arguments.run, arguments.kubeconfig), verbose=arguments.verbose)


async def _serve(run_directory: Path, kubeconfig: Path | None) -> None:
    controller = Controller(connect(kubeconfig))
    async with serve_status(run_directory / "controller.sock", {"status": controller.status}):
        await controller.run()
