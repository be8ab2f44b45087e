"""`edgelab agent`: discover devices on this node and offer them to its Pods."""

import argparse
from pathlib import Path

from edgelab.agent.agent import Agent, Settings
from edgelab.kube.client import connect
from edgelab.service.run import run_service


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's options."""
    parser.add_argument("--node", required=True, help="name of the Node whose kubelet gets the devices")
    parser.add_argument("--state", required=True, type=Path, metavar="DIR", help="where known handlers are remembered")
    parser.add_argument("--run", required=True, type=Path, metavar="DIR", help="the lab's run directory, for sockets")
    parser.add_argument(
        "--kubeconfig", type=Path, metavar="FILE", help="the agent's identity; default: the Pod's service account"
    )
    parser.add_argument(
        "--lost-handler-seconds",
        type=float,
        default=30.0,
        metavar="N",
        help="how long the devices of a lost handler stay (default: 30)",
    )
    parser.add_argument("--verbose", action="store_true", help="log debug messages too")


def run(arguments: argparse.Namespace) -> int:
    """Run the agent until a signal ends it; returns the exit status."""
    settings = Settings(arguments.node, arguments.state, arguments.run, arguments.lost_handler_seconds)

    async def main() -> None:
        client = connect(arguments.kubeconfig)
        try:
            await Agent(client, settings).run()
        finally:
            await client.close()

    return run_service(main, verbose=arguments.verbose)
