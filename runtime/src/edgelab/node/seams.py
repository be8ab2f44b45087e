"""What the parts of the node know of each other: devices for containers, and the log files of Pods.

The Pod manager uses `Devices` and implements `PodLogs`; the device manager implements the one, the HTTPS server uses
the other. Neither imports the other's package.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from edgelab.core.model import DeviceSpec, Mount


@dataclass(frozen=True, slots=True)
class ContainerRef:
    """A container of a Pod; the uid tells two Pods apart that had the same name one after the other."""

    namespace: str
    pod: str
    pod_uid: str
    container: str


@dataclass(frozen=True, slots=True)
class Allocation:
    """What the device plugins want a container to get."""

    environment: Mapping[str, str] = field(default_factory=dict)
    mounts: tuple[Mount, ...] = ()
    device_specs: tuple[DeviceSpec, ...] = ()


class Devices(Protocol):
    """Gives devices of device plugins to containers."""

    async def allocate(self, owner: ContainerRef, requests: Mapping[str, int]) -> Allocation:
        """Devices for a container, by resource name; the same answer for the same owner, over restarts of both.

        Raises LabError when a resource is not known, has too few free healthy devices, or its plugin refuses.
        """

    def release(self, pod_uid: str) -> None:
        """Take back every device of a Pod; nothing happens when it had none."""

    def knows(self, resource: str) -> bool:
        """The resource is offered by a device plugin, now or until a moment ago."""


class PodLogs(Protocol):
    """Finds the log files of containers.

    The files have the format of the Container Runtime Interface, `2026-11-21T09:01:31.123456789Z stdout F text\\n`:
    time, stream, F for a full line or P for a part of one, text. Rotation renames a file to its name plus `.1`;
    that part is not listed by itself.
    """

    def log_files(self, namespace: str, pod: str, container: str) -> Sequence[Path]:
        """Log files of a container's runs, oldest first; the last is that of the current or newest run.

        Raises LabError when there is no such Pod or container.
        """

    async def ended(self, namespace: str, pod: str, container: str) -> None:
        """Return as soon as the newest run of a container is over and all it printed is in its log file.

        Returns at once when that is so already, or when there is no such Pod or container any more.
        """
