"""`edgelab ready`: asks a process on its status socket whether it is ready, for probes of a Pod.

Status 0 means ready, 1 that it is not (or that nobody answers). Prints the answer as JSON, or what was seen instead.
"""

import argparse
import json
import sys
from pathlib import Path

from edgelab.core.errors import LabError
from edgelab.service.status import ask


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The command's argument."""
    parser.add_argument("socket", type=Path, help="status socket of the process, RUN/NAME.sock")


def run(arguments: argparse.Namespace) -> int:
    """Ask once; returns the exit status."""
    try:
        answer = ask(arguments.socket)
    except (OSError, LabError) as error:
        print(f"{arguments.socket}: {error}", file=sys.stderr)
        return 1
    print(json.dumps(answer))
    return 0 if answer["ready"] else 1
