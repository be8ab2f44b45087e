"""The names that Akri gives to things, computed before they exist.

Everything here is a total function of its arguments. The rules are those of Akri 0.13.26: see each function.
"""

import hashlib

RESOURCE_DOMAIN = "akri.sh"
"""Domain of the extended resources, of the custom resources' API group and of the controller's labels."""

CONTROLLER_LABEL = "controller"
"""Label of everything that the controller makes; its value is `akri.sh`."""

CONFIGURATION_LABEL = f"{RESOURCE_DOMAIN}/configuration"
"""Label of brokers and of Configuration Services: the name of the Configuration."""

INSTANCE_LABEL = f"{RESOURCE_DOMAIN}/instance"
"""Label of brokers and of Instance Services: the name of the Instance."""

NODE_LABEL = f"{RESOURCE_DOMAIN}/target-node"
"""Label of broker Pods: the node that they are for."""

LONGEST_RESOURCE_NAME = 63
"""Longest part after `akri.sh/` that Kubernetes accepts as an extended resource."""

LONGEST_LABEL_VALUE = 63
"""Longest value of a label that Kubernetes accepts."""


def digest(device_id: str, *, node: str = "", shared: bool) -> str:
    """Six hexadecimal digits that stand for a device: BLAKE2b with a 3-byte output, as Akri's agent computes it.

    A shared device has the same digest on every node; a local one has its node's name appended before hashing.
    """
    text = device_id if shared else device_id + node
    return hashlib.blake2b(text.encode(), digest_size=3).hexdigest()


def instance(configuration: str, device_digest: str) -> str:
    """Name of the Instance of a device, e.g. `akri-debug-echo-aae70c`."""
    return f"{configuration}-{device_digest}"


def cdi(configuration: str, device_digest: str) -> str:
    """The Instance's `cdiName`, e.g. `akri.sh/akri-debug-echo=aae70c`."""
    return f"{RESOURCE_DOMAIN}/{configuration}={device_digest}"


def resource(name: str) -> str:
    """Extended resource of an Instance or of a Configuration, e.g. `akri.sh/akri-debug-echo-aae70c`."""
    return f"{RESOURCE_DOMAIN}/{name}"


def slot(instance_name: str, index: int) -> str:
    """Key of a slot in `deviceUsage`, which is also the device id that the kubelet sees."""
    return f"{instance_name}-{index}"


def broker_pod(instance_name: str, node: str, *, shared: bool) -> str:
    """Name of the broker Pod of an Instance on a node; dots of the Instance's name become dashes."""
    plain = instance_name.replace(".", "-")
    return f"{node}-{plain}-pod" if shared else f"{plain}-pod"


def app_label(name: str) -> str:
    """The `app` label of something: its name, as Akri has it; of one that is too long the beginning and a digest.

    Akri's controller takes the name whatever its length, and the API server refuses the broker of a node whose name is
    long, as those of Kind are.
    """
    if len(name) <= LONGEST_LABEL_VALUE:
        return name
    mark = hashlib.blake2b(name.encode(), digest_size=3).hexdigest()
    return f"{name[: LONGEST_LABEL_VALUE - len(mark) - 1]}-{mark}"


def broker_job(instance_name: str, configuration_generation: int) -> str:
    """Name of the broker Job of an Instance for one generation of its Configuration."""
    return f"{instance_name}-{configuration_generation}-job"


def service(owner: str) -> str:
    """Name of the Service of an Instance or of a Configuration."""
    return owner.replace(".", "-") + "-svc"
