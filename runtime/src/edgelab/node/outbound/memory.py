"""The memory of a calling module: what it gives is copied, and nothing outside it is touched."""

import wasmtime

from edgelab.node.outbound.errors import Number, OutboundError


class GuestMemory:
    """The memory that a module exports as `memory`. Raises OutboundError when it has none."""

    def __init__(self, caller: wasmtime.Caller) -> None:
        memory = caller.get("memory")
        if not isinstance(memory, wasmtime.Memory):
            raise OutboundError(Number.MEMORY_NOT_FOUND)
        self._memory, self._caller = memory, caller

    def read(self, pointer: int, length: int) -> bytes:
        """Bytes that the module gives. Raises OutboundError when they are not all within its memory."""
        # What is given and does not fit is "buffer too small", as in the crate.
        self._see_within(pointer, length, Number.BUFFER_TOO_SMALL)
        return bytes(self._memory.read(self._caller, pointer, pointer + length))

    def read_text(self, pointer: int, length: int) -> str:
        """The same as text."""
        try:
            return self.read(pointer, length).decode()
        except UnicodeDecodeError:
            raise OutboundError(Number.NOT_UTF8) from None

    def see_writable(self, pointer: int, length: int) -> None:
        """Raise OutboundError unless these bytes are within the memory."""
        self._see_within(pointer, length, Number.MEMORY_ACCESS)

    def write(self, pointer: int, value: bytes) -> None:
        """Write bytes. Raises OutboundError when they do not fit."""
        self.see_writable(pointer, len(value))
        if value:
            self._memory.write(self._caller, value, pointer)

    def write_number(self, pointer: int, number: int, *, size: int = 4) -> None:
        """Write an unsigned number of so many bytes."""
        self.write(pointer, number.to_bytes(size, "little"))

    def _see_within(self, pointer: int, length: int, otherwise: Number) -> None:
        if pointer + length > self._memory.data_len(self._caller):
            raise OutboundError(otherwise)
