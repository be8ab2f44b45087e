"""The tasks of `site.yml` that change something, in the order in which they are run."""

from enum import StrEnum

from labkit import Result


class Task(StrEnum):
    """A task by its name, without the collection's."""

    DIRECTORIES = "lab : Make the lab's directories, lock it, choose its ports"
    PROGRAMS = "binaries : Have the programs at hand"
    CERTIFICATES = "control_plane : Make the keys and certificates"
    CONTROL_PLANE = "control_plane : Run the control plane"
    BOOTSTRAP = "control_plane : Let nodes join, the API server read their logs, and Pods be made"
    REGISTRY_CERTIFICATE = "registry : Make its keys and certificates"
    REGISTRY_CONFIGURATION = "registry : Write its configuration"
    REGISTRY = "registry : Run the registry"
    JOIN = "krustlet : Let the node join the cluster"
    NODE = "krustlet : Run the node"
    APPROVAL = "krustlet : Approve the certificate of the node's HTTPS server"
    KINDS = "akri : Define Akri's kinds and settle what the controller may do"
    CONTROLLER_IDENTITY = "akri : Give the controller its identity"
    CONTROLLER = "akri : Run the controller"
    AGENT_RIGHTS = "akri_agent : Settle what the agent may do"
    AGENT_IDENTITY = "akri_agent : Give the agent its identity"
    AGENT = "akri_agent : Run the agent"
    MODULES = "demo_wasm_debug_echo : Push the Wasm modules"
    HANDLER_DIRECTORY = "discovery_proxy : Make the directory that the handler and its proxy share"
    PROXY = "discovery_proxy : Run the proxy beside the agent of the Wasm node"
    HANDLER = "demo_wasm_debug_echo : Run the handler"
    CONFIGURATION = "demo_wasm_debug_echo : Ask for the devices, and for a broker for each"


def changed(result: Result) -> list[Task]:
    """The tasks of a run that reported a change, in order."""
    return [Task(name.removeprefix("edgelab.akri.")) for name in result.changed_tasks()]
