"""The broker of a camera: serves by gRPC the camera that its environment names.

The camera is UDEV_DEVNODE (a device node, that the handler udev found) or AKRI_HTTP_DEVICE_ENDPOINT (the URL of MJPEG,
that the handler http found), each also with the Instance's hash behind it. FRAMES_PER_SECOND, RESOLUTION_WIDTH with
RESOLUTION_HEIGHT, and FORMAT say how it is to be read, as with Akri's sample broker; size and format of a network
camera are its own.
"""

import asyncio
import logging
from collections.abc import Mapping

from edgelab.brokers.environment import given_property
from edgelab.brokers.http_device import ENDPOINT, given_device
from edgelab.brokers.video.capture import Capture, Source
from edgelab.brokers.video.http_source import HttpSource
from edgelab.brokers.video.options import Options, read_options
from edgelab.brokers.video.server import serve_camera
from edgelab.core.errors import LabError
from edgelab.service.sockets import bind

_NODE = "UDEV_DEVNODE"

log = logging.getLogger(__name__)


async def serve_video(environment: Mapping[str, str], listen: str, port: int) -> None:
    """Serve the camera until cancelled; raises LabError when there is none or the environment is wrong."""
    source = given_source(environment, read_options(environment))
    async with serve_camera(Capture(source), bind(listen, port)):
        await asyncio.Event().wait()


def given_source(environment: Mapping[str, str], options: Options) -> Source:
    """The camera that this Pod was given. Raises LabError when there is none, or when it cannot be read here."""
    kind, _variable, node = given_property(environment, _NODE, ENDPOINT)
    if kind == _NODE:
        return _v4l2(node, options)
    if options.size or options.code:
        log.warning("size and format of a network camera are its own; what the environment says of them is ignored")
    return HttpSource(given_device(environment), options.frames_per_second)


def _v4l2(node: str, options: Options) -> Source:
    try:
        # Not every image that can serve network cameras has linuxpy.
        from edgelab.brokers.video.v4l2_device import V4l2Device  # noqa: PLC0415
        from edgelab.brokers.video.v4l2_source import V4l2Source  # noqa: PLC0415
    except ImportError as error:
        raise LabError(
            attempted=f"Read the camera {node}",
            seen=f"There is no module {error.name} here",
            remedy="Run the broker in the image edgelab-video",
        ) from error
    return V4l2Source(node, options, V4l2Device)
