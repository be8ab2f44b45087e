"""Learning at once that a device came, went or changed: the kernel says so on a netlink socket, and nothing is polled.

Where systemd-udevd runs, its messages are taken, which come when it has set the device up, and not the kernel's own.
(udevd speaks to its own network namespace alone: in a Pod the handler needs that of the host.) A message says only that
something is different; what is there, a scan tells. So it does no harm when there are more messages than the socket can
hold, and the kernel drops some.
"""

import asyncio
import contextlib
import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pyudev

from edgelab.core.errors import LabError

UDEVD = Path("/run/udev/control")
"""Socket of systemd-udevd; libudev, too, takes it for the sign that it runs."""

SETTLE_SECONDS = 0.1
"""How long the messages of one event are collected: plugging in one camera makes a dozen."""


class DeviceWatch:
    """Changes of devices; see `watch_devices`."""

    def __init__(self, messages: socket.socket) -> None:
        self._messages = messages
        self._news = asyncio.Event()
        self._failure: OSError | None = None

    async def changed(self) -> None:
        """Wait until something has changed since the last call. Raises LabError when that cannot be learnt any more."""
        await self._news.wait()
        await asyncio.sleep(SETTLE_SECONDS)
        self._news.clear()
        if self._failure:
            raise _deaf(self._failure)

    def collect(self) -> None:
        """Take what the kernel has to tell, unread; called when there is something."""
        try:
            while self._messages.recv(1):
                pass
        except BlockingIOError:
            pass
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                self._failure = error
                asyncio.get_running_loop().remove_reader(self._messages)
        self._news.set()


@contextlib.contextmanager
def watch_devices(*, receive_bytes: int | None = None) -> Iterator[DeviceWatch]:
    """Watch the machine's devices from now until the block ends; nothing that happens in between is missed.

    `receive_bytes` is the size of the socket's buffer, the system's default without. Raises LabError when the kernel
    gives no such socket, or libudev is not installed. Needs a running event loop.
    """
    loop = asyncio.get_running_loop()
    try:
        monitor = pyudev.Monitor.from_netlink(pyudev.Context(), "udev" if UDEVD.exists() else "kernel")
        if receive_bytes is not None:
            monitor.set_receive_buffer_size(receive_bytes)
        monitor.start()
    except (OSError, ImportError) as error:
        raise _deaf(error) from error
    # Not by the monitor's own poll: after an overrun it fails for ever, since it does not take the socket's error.
    with socket.socket(fileno=os.dup(monitor.fileno())) as messages:
        watch = DeviceWatch(messages)
        loop.add_reader(messages, watch.collect)
        try:
            yield watch
        finally:
            loop.remove_reader(messages)


def _deaf(error: Exception) -> LabError:
    missing = "Install libudev (libudev1 in Debian and Ubuntu)" if isinstance(error, ImportError) else ""
    return LabError(attempted="Listen for devices that come and go", seen=str(error), remedy=missing)
