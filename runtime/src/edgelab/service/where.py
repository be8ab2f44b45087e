"""Flags that say where: the lab that a command works on, by its run directory or its name; the address it serves at."""

import argparse
import os
from pathlib import Path
from urllib.parse import urlsplit

from edgelab.core.layout import layout


def add_lab(parser: argparse.ArgumentParser, *, required: bool = True, otherwise: str = "") -> None:
    """Add `--run DIR` and `--lab NAME`, of which one may be given; either sets `run`, a Path (None: neither was).

    `otherwise` says what holds when neither is given.
    """
    which = parser.add_mutually_exclusive_group(required=required)
    which.add_argument("--run", type=Path, metavar="DIR", help=f"the lab's run directory{otherwise}")
    which.add_argument("--lab", dest="run", type=_run_of, metavar="NAME", help="the lab, by its name instead")


def _run_of(lab: str) -> Path:
    try:
        run = layout(lab, os.environ, os.getuid()).run
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error
    if not run.is_dir():
        raise argparse.ArgumentTypeError(f"there is no lab {lab!r}: {run} does not exist (make demo builds one)")
    return run


def address_and_port(text: str) -> tuple[str, int]:
    """Read ADDRESS:PORT, an IPv6 address in brackets; the port may be 0. Raises argparse.ArgumentTypeError."""
    try:
        parts = urlsplit(f"//{text}")
        address, port = parts.hostname, parts.port
    except ValueError:
        address = port = None
    if not address or port is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not ADDRESS:PORT")
    return address, port
