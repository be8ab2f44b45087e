from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class NotifyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class NotifyResponse(_message.Message):
    __slots__ = ("frame", "camera", "received_microseconds", "sequence", "problem")
    FRAME_FIELD_NUMBER: _ClassVar[int]
    CAMERA_FIELD_NUMBER: _ClassVar[int]
    RECEIVED_MICROSECONDS_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    frame: bytes
    camera: str
    received_microseconds: int
    sequence: int
    problem: str
    def __init__(
        self,
        frame: _Optional[bytes] = ...,
        camera: _Optional[str] = ...,
        received_microseconds: _Optional[int] = ...,
        sequence: _Optional[int] = ...,
        problem: _Optional[str] = ...,
    ) -> None: ...
