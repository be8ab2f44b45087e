"""What a host call answers when it did not work: the numbers of `wasi_experimental_http`."""

from enum import IntEnum


class Number(IntEnum):
    """Errors of the host calls, as crate wasi-experimental-http-wasmtime 0.6.0 has them; 0 stands for success."""

    INVALID_HANDLE = 1
    MEMORY_NOT_FOUND = 2
    MEMORY_ACCESS = 3
    BUFFER_TOO_SMALL = 4
    HEADER_NOT_FOUND = 5
    NOT_UTF8 = 6
    NOT_ALLOWED = 7
    INVALID_METHOD = 8
    INVALID_ENCODING = 9
    INVALID_URL = 10
    REQUEST_FAILED = 11
    RUNTIME = 12
    TOO_MANY_SESSIONS = 13


class OutboundError(Exception):
    """A host call fails. The module gets the number alone; there is nobody whom the reason could be told."""

    def __init__(self, number: Number, why: str = "") -> None:
        super().__init__(why or number.name)
        self.number = number
