"""`edgelab node`: run a Kubernetes node for Wasm modules."""

import argparse
import re
import resource
from pathlib import Path

from lightkube import AsyncClient

from edgelab.kube.client import server_url
from edgelab.node.app import NodeOptions, Pods, run_node
from edgelab.node.images.registry import Registries
from edgelab.node.images.store import Images
from edgelab.node.outbound import urls
from edgelab.node.outbound.policy import Socket
from edgelab.node.pods.manager import PodManager
from edgelab.node.record_wanted import NodeSettings
from edgelab.node.seams import Devices
from edgelab.node.volumes.fields import NodeFacts
from edgelab.service.run import run_service

_HOST_AND_PORT = re.compile(r"[^/?#]+:[0-9]+")
_LABEL = re.compile(r"(?P<key>[^=]{1,317})=(?P<value>([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?)")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `edgelab node`."""
    parser.add_argument("--name", required=True, help="name of the Node object")
    parser.add_argument("--address", required=True, help="IP address of the node and of its HTTPS server")
    parser.add_argument("--port", required=True, type=int, help="port of the HTTPS server that serves logs")
    parser.add_argument("--state", required=True, type=Path, help="the node's own directory")
    parser.add_argument("--run", required=True, type=Path, help="the lab's directory of sockets")
    parser.add_argument("--bootstrap-kubeconfig", required=True, type=Path, help="kubeconfig with a bootstrap token")
    parser.add_argument("--kubeconfig", required=True, type=Path, help="where to write the node's own kubeconfig")
    parser.add_argument("--client-ca", required=True, type=Path, help="CA of those who may ask for logs")
    _add_registries(parser)
    parser.add_argument(
        "--device-plugins-dir", type=Path, metavar="DIR", help="where device plugins listen (dp in the run directory)"
    )
    parser.add_argument("--max-pods", type=int, default=110, help="how many Pods may run (110)")
    parser.add_argument(
        "--memory-limit", type=int, default=256 * 1024**2, help="bytes of a container that sets no limit (256 MiB)"
    )
    parser.add_argument(
        "--node-label", action="append", default=[], type=_label, metavar="KEY=VALUE", help="a label of the Node"
    )
    parser.add_argument(
        "--refuse",
        action="append",
        default=[],
        type=_socket,
        metavar="HOST:PORT",
        help="where no request of a module may go; this node's own server and the API server are known",
    )
    parser.add_argument("--verbose", action="store_true", help="tell more")


def _add_registries(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--registry-ca",
        action="append",
        default=[],
        type=_registry_ca,
        metavar="HOST:PORT=FILE",
        help="CA of a registry",
    )
    parser.add_argument(
        "--registry-client",
        action="append",
        default=[],
        type=_registry_client,
        metavar="HOST:PORT=FILE,FILE",
        help="certificate and key that a registry asks of its clients",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the node until it is told to end; returns the exit status."""
    _allow_many_files()
    options = _options(arguments)

    def pods(client: AsyncClient, devices: Devices) -> Pods:
        node = options.settings
        refused = (*arguments.refuse, Socket(node.address, node.port), _api_server(options.kubeconfig))
        facts = NodeFacts(node.name, (node.address,), arguments.memory_limit, refused)
        images = Images(options.state, _registries(arguments))
        return PodManager(client, facts, state=options.state, devices=devices, images=images)

    return run_service(lambda: run_node(options, pods), verbose=arguments.verbose)


def _options(arguments: argparse.Namespace) -> NodeOptions:
    labels = dict(arguments.node_label)
    return NodeOptions(
        settings=NodeSettings(arguments.name, arguments.address, arguments.port, arguments.max_pods, labels),
        state=arguments.state.absolute(),
        run=arguments.run.absolute(),
        bootstrap=arguments.bootstrap_kubeconfig.absolute(),
        kubeconfig=arguments.kubeconfig.absolute(),
        client_ca=arguments.client_ca.absolute(),
        device_plugins=arguments.device_plugins_dir and arguments.device_plugins_dir.absolute(),
    )


def _registries(arguments: argparse.Namespace) -> Registries:
    return Registries(dict(arguments.registry_ca), dict(arguments.registry_client))


def _registry_ca(text: str) -> tuple[str, Path]:
    registry, equals, file = text.partition("=")
    if not (registry and equals and file):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT=FILE")
    return registry, Path(file).absolute()


def _registry_client(text: str) -> tuple[str, tuple[Path, Path]]:
    registry, _equals, files = text.partition("=")
    certificate, comma, key = files.partition(",")
    if not (registry and certificate and comma and key):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT=FILE,FILE")
    return registry, (Path(certificate).absolute(), Path(key).absolute())


def _socket(text: str) -> Socket:
    try:
        endpoint = urls.parse(f"http://{text}/").endpoint
    except ValueError:
        endpoint = None
    if endpoint is None or not _HOST_AND_PORT.fullmatch(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return Socket(endpoint.host, endpoint.port)


def _api_server(kubeconfig: Path) -> Socket:
    endpoint = urls.parse(server_url(kubeconfig)).endpoint
    return Socket(endpoint.host, endpoint.port)


def _label(text: str) -> tuple[str, str]:
    match = _LABEL.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r} is not KEY=VALUE with a value of 63 letters, digits, - _ . at most")
    return match["key"], match["value"]


def _allow_many_files() -> None:
    """Each device plugin holds a connection: let the process have as many files as it may."""
    _soft, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
