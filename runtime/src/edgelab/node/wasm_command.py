"""`edgelab wasm run`: tries a Wasm module on this machine, as the node would run it, without a cluster.

It sees the directories and variables that it is given and nothing else, and its requests (Krustlet's HTTP) may go to
the URLs among the variables, as those of a broker to its device. With `--details` it is a discovery handler: it is
asked as the proxy would ask it, and its devices are shown like those of `edgelab handler run`, with what it writes. The
status is the module's, or 0 when Ctrl-C ended both. What cannot be done is told in one line with status 1.
"""

import argparse
import contextlib
import functools
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from edgelab.core.errors import LabError
from edgelab.discovery.display import View, open_display
from edgelab.discovery.file_protocol import render_input
from edgelab.discovery.handler import InvalidDetailsError
from edgelab.discovery.handler_command import read_details_file, show_devices
from edgelab.node.containers.records import ContainerSpec, Exit, Preopen
from edgelab.node.outbound.policy import Policy, endpoints
from edgelab.node.wasm_trial import Trial, prepare

HANDLER_DIRECTORY = "/tmp/wde-dir"
"""Where a Wasm discovery handler looks for its directory; akri-on-krustlet's name for it."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The subcommand of `edgelab wasm` and its flags."""
    commands = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    run_ = commands.add_parser("run", help="run a module; with --details, a discovery handler")
    run_.add_argument("module", type=Path, metavar="MODULE", help="a .wasm file: a command for WASI preview 1")
    _add_surroundings(run_)
    run_.add_argument(
        "--details", metavar="FILE", help="discoveryDetails of a Configuration, - for standard input: it is a handler"
    )
    run_.add_argument("--properties", action="store_true", help="show what the handler says about each device")
    run_.add_argument("--once", action="store_true", help="show the first set of devices and end")


def _add_surroundings(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--dir",
        action="append",
        default=[],
        type=_directory,
        metavar="HOST[::GUEST]",
        help="a directory that the module may use, and its name there; default: the same. A handler's is "
        f"{HANDLER_DIRECTORY}, or the only one given; without any it has one that is removed in the end",
    )
    parser.add_argument("--env", action="append", default=[], type=_variable, metavar="NAME=VALUE", help="a variable")
    parser.add_argument("--arg", action="append", default=[], metavar="TEXT", help="an argument; --arg=-x for -x")
    parser.add_argument(
        "--memory-limit", type=int, default=256 * 1024**2, metavar="BYTES", help="most memory it may have (256 MiB)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the module; returns the exit status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends it as Ctrl-C does, and leaves nothing either
    try:
        return _run(arguments)
    except (LabError, InvalidDetailsError) as error:
        sys.stderr.write(f"edgelab wasm: {error}\n")
        return 1


def _run(arguments: argparse.Namespace) -> int:
    with contextlib.ExitStack() as stack:
        preopens = list(arguments.dir)
        if arguments.details is not None and not preopens:
            own = stack.enter_context(TemporaryDirectory(prefix="edgelab-handler-"))
            preopens.append(Preopen(own, HANDLER_DIRECTORY))
        make_spec = functools.partial(_spec, arguments, preopens)
        trial = stack.enter_context(prepare(arguments.module, make_spec))
        if arguments.details is None:
            with contextlib.suppress(KeyboardInterrupt):
                trial.run()
        else:
            _show(trial, _handler_directory(preopens), arguments)
        return 0 if trial.end is None else _tell(arguments.module, trial.end)


def _show(trial: Trial, directory: Path, arguments: argparse.Namespace) -> None:
    question = render_input(read_details_file(arguments.details))
    display = open_display(sys.stdout, sys.stderr, View(arguments.properties))
    answers = functools.partial(trial.answers, directory, question, display.say)
    show_devices(answers, display, once=arguments.once)


def _tell(module: Path, end: Exit) -> int:
    cause = f": {end.message}" if end.message else ""
    sys.stderr.write(f"{module.name} ended with status {end.exit_code}{cause}\n")
    return end.exit_code


def _spec(arguments: argparse.Namespace, preopens: Sequence[Preopen], directory: str, module: str) -> ContainerSpec:
    environment = dict(arguments.env)
    return ContainerSpec(
        directory=directory,
        module=module,
        arguments=(arguments.module.name, *arguments.arg),
        memory_limit=arguments.memory_limit,
        environment=environment,
        preopens=tuple(preopens),
        outbound=Policy(endpoints=endpoints(environment)),
    )


def _handler_directory(preopens: Sequence[Preopen]) -> Path:
    """The directory by whose files a handler is asked. Raises LabError when that cannot be told."""
    named = [each for each in preopens if each.guest == HANDLER_DIRECTORY] or preopens
    if len(named) != 1:
        raise LabError(
            attempted="Find the directory by whose files the handler is asked",
            seen=f"It is none of {', '.join(each.guest for each in preopens)} for sure",
            remedy=f"Name one of them {HANDLER_DIRECTORY}: --dir HOST::{HANDLER_DIRECTORY}",
        )
    return Path(named[0].host)


def _directory(text: str) -> Preopen:
    host, _given, guest = text.partition("::")
    if not Path(host).is_dir():
        raise argparse.ArgumentTypeError(f"there is no directory {host!r}")
    return Preopen(str(Path(host).absolute()), guest or host)


def _variable(text: str) -> tuple[str, str]:
    name, given, value = text.partition("=")
    if not name or not given:
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value
