"""The command `edgelab`: one subcommand per process of a lab.

Each subcommand lives in the package it starts, as a module `command` with `add_arguments(parser)` and
`run(arguments) -> int`; it is imported only when it is asked for, so that `edgelab hold` stays small.
"""

import argparse
import importlib
import sys
from collections.abc import Sequence

_COMMANDS = {
    "agent": ("edgelab.agent.command", "discover devices on this node and offer them to its Pods"),
    "broker": ("edgelab.brokers.command", "tell or serve the values of a device, or call those that do"),
    "controller": ("edgelab.controller.command", "create brokers and Services for Instances"),
    "devices": ("edgelab.lab.devices.command", "run mock HTTP devices, or plug and unplug them"),
    "forward": ("edgelab.lab.forward", "have a port of a Pod at a port of this machine"),
    "handler": ("edgelab.discovery.handler_command", "serve, try or begin a discovery handler"),
    "hold": ("edgelab.lab.hold", "run a program so that a restarted supervisor takes it over"),
    "kubeconfig": ("edgelab.lab.kubeconfig", "print the path of a lab's kubeconfig"),
    "node": ("edgelab.node.command", "run a Kubernetes node for Wasm modules"),
    "page": ("edgelab.lab.page.command", "serve a live page of a demo's devices"),
    "proxy": ("edgelab.discovery.command", "serve a Wasm discovery handler to an Akri agent"),
    "ready": ("edgelab.service.command", "tell whether a process of a lab is ready"),
    "residue": ("edgelab.lab.residue", "list what is left of a lab"),
    "wasm": ("edgelab.node.wasm_command", "try a Wasm module on this machine, without a cluster"),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run the subcommand that argv names; returns its exit status."""
    words = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="edgelab", description="The processes of an edgelab.akri lab.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, (module, summary) in _COMMANDS.items():
        subparser = commands.add_parser(name, help=summary, description=summary)
        if name in words[:1]:
            importlib.import_module(module).add_arguments(subparser)
    arguments = parser.parse_args(words)
    command = importlib.import_module(_COMMANDS[arguments.command][0])
    status: int = command.run(arguments)
    return status
