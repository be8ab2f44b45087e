"""`edgelab kubeconfig`: where the administrator's kubeconfig of a lab is."""

import argparse
import os
import sys

from edgelab.core.layout import layout


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `edgelab kubeconfig`."""
    parser.add_argument("--lab", default="default", metavar="NAME", help="the lab (default: default)")


def run(arguments: argparse.Namespace) -> int:
    """Print the path; status 1 with the next step when there is no such lab."""
    try:
        path = layout(arguments.lab, os.environ, os.getuid()).kubeconfig
    except ValueError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    if not path.exists():
        sys.stderr.write(f"There is no lab {arguments.lab!r} ({path} does not exist). Build it with: make demo\n")
        return 1
    sys.stdout.write(f"{path}\n")
    return 0
