"""What the broker of a camera tells: a picture that can be passed on undecoded, or why there is none. Pure."""

from dataclasses import dataclass

from edgelab.service.multipart import LARGEST_FRAME
from edgelab.wire import camera_pb2 as wire

_START, _END = b"\xff\xd8", b"\xff\xd9"
"""How a JPEG begins and ends."""
_LONGEST_PROBLEM = 200


@dataclass(frozen=True, slots=True)
class Told:
    """A message of a broker; jpeg is empty where there is a problem.

    stamp: when the broker had the frame, in seconds since 1970, None where it does not say so; sequence: the broker's
    count of frames, 0 where it does not count. Brokers like Akri's sample do neither.
    """

    jpeg: bytes = b""
    stamp: float | None = None
    sequence: int = 0
    problem: str = ""


def judge(message: wire.NotifyResponse) -> Told:
    """What a message comes to. Cameras that fill their pictures up with zeros are taken for what they are."""
    jpeg = message.frame
    if not jpeg:
        why = " ".join(message.problem.split())[:_LONGEST_PROBLEM]
        return Told(problem=f"its camera: {why}" if why else "its broker has no frame")
    if len(jpeg) > LARGEST_FRAME:
        return Told(problem=f"a frame has {len(jpeg)} bytes, more than {LARGEST_FRAME}")
    if not (jpeg.startswith(_START) and (jpeg.endswith(_END) or jpeg.rstrip(b"\0").endswith(_END))):
        return Told(problem=f"a frame is no whole JPEG: {jpeg[:8]!r}...")
    stamp = message.received_microseconds / 1_000_000 if message.received_microseconds > 0 else None
    return Told(jpeg, stamp, message.sequence)
