"""What was given to whom, on disk: a restarted node and a restarted container find the devices they had."""

import json
import logging
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from edgelab.core.model import DeviceSpec, Mount
from edgelab.node.seams import Allocation, ContainerRef
from edgelab.service.files import write_whole

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Grant:
    """Devices of one resource that a container has, and what their plugin wants it to get."""

    owner: ContainerRef
    resource: str
    ids: tuple[str, ...]
    allocation: Allocation


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The grants, and the resources that the Node object may still name."""

    grants: tuple[Grant, ...] = ()
    resources: tuple[str, ...] = ()


def save(path: Path, grants: Iterable[Grant], resources: Iterable[str]) -> None:
    """Write the checkpoint whole."""
    content = {"grants": [_as_dict(grant) for grant in grants], "resources": sorted(resources)}
    write_whole(path, json.dumps(content).encode())


def load(path: Path) -> Checkpoint:
    """Read the checkpoint; an unreadable one counts as none and is logged, as there is nobody to ask."""
    try:
        content = json.loads(path.read_text())
        return Checkpoint(tuple(_grant(each) for each in content["grants"]), tuple(content["resources"]))
    except FileNotFoundError:
        return Checkpoint()
    except (OSError, ValueError, KeyError, TypeError) as error:
        log.warning("the checkpoint of devices %s is unreadable and left out: %s", path, error)
        return Checkpoint()


def _as_dict(grant: Grant) -> dict[str, Any]:
    return asdict(grant)


def _grant(content: dict[str, Any]) -> Grant:
    allocation = content["allocation"]
    return Grant(
        owner=ContainerRef(**content["owner"]),
        resource=content["resource"],
        ids=tuple(content["ids"]),
        allocation=Allocation(
            environment=allocation["environment"],
            mounts=tuple(Mount(**each) for each in allocation["mounts"]),
            device_specs=tuple(DeviceSpec(**each) for each in allocation["device_specs"]),
        ),
    )
