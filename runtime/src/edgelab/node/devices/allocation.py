"""Which devices a container gets, and what the answers of several plugins make together. Pure.

Other than Krustlet 1.0.0-alpha.1: the last free device is given too, released ones are free again, and the environments
of all resources of a container are kept.
"""

import re
from collections.abc import Collection, Iterable, Mapping

from edgelab.core.errors import LabError
from edgelab.core.model import DeviceSpec, Mount
from edgelab.node.seams import Allocation
from edgelab.wire.deviceplugin_pb2 import ContainerAllocateResponse

_RESOURCE = re.compile(
    r"(?P<domain>[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*)"
    r"/[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
)


def is_extended_resource(name: str) -> bool:
    """A name that Kubernetes lets a device plugin offer: a domain that is not its own, and a name of 63 at most."""
    match = _RESOURCE.fullmatch(name)
    if not match or name.startswith("requests."):
        return False
    return not f".{match['domain']}".endswith(".kubernetes.io")


def choose(resource: str, devices: Mapping[str, bool], in_use: Collection[str], count: int) -> tuple[str, ...]:
    """The first free healthy devices by name; devices: id → healthy. Raises LabError when there are too few."""
    free = sorted(name for name, healthy in devices.items() if healthy and name not in in_use)
    if len(free) < count:
        raise LabError(
            attempted=f"Give {count} of {resource} to a container",
            seen=f"{len(free)} free and healthy of {len(devices)}",
            cause="Other Pods use the rest, or a device was unplugged a moment ago",
        )
    return tuple(free[:count])


def as_allocation(responses: Iterable[ContainerAllocateResponse]) -> Allocation:
    """What a plugin answered for one container.

    Akri 0.13.26 sends one response for each device of a Configuration's resource, where a kubelet takes the first only;
    all of them are taken here.
    """
    return combine(_one(response) for response in responses)[0]


def _one(response: ContainerAllocateResponse) -> Allocation:
    return Allocation(
        environment=dict(response.envs),
        mounts=tuple(Mount(m.container_path, m.host_path, m.read_only) for m in response.mounts),
        device_specs=tuple(DeviceSpec(d.container_path, d.host_path, d.permissions) for d in response.devices),
    )


def combine(parts: Iterable[Allocation]) -> tuple[Allocation, list[str]]:
    """All parts as one, and the names of variables that later parts set to another value (the later one wins)."""
    environment: dict[str, str] = {}
    mounts: dict[Mount, None] = {}
    specs: dict[DeviceSpec, None] = {}
    conflicts = []
    for part in parts:
        conflicts += [name for name, value in part.environment.items() if environment.get(name, value) != value]
        environment |= part.environment
        mounts |= dict.fromkeys(part.mounts)
        specs |= dict.fromkeys(part.device_specs)
    return Allocation(environment, tuple(mounts), tuple(specs)), conflicts
