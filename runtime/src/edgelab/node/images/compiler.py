"""Compiling a module, in a process of its own: compiling takes threads, memory and, for a hostile module, its life.

`python -m edgelab.node.images.compiler SOURCE TARGET` writes the compiled module; a module that the node could not run
is refused with status 3 and the reason on stderr.
"""

import sys
from pathlib import Path

import wasmtime

from edgelab.node.images.errors import COMPILER_REFUSED
from edgelab.node.outbound import hostcalls
from edgelab.service.files import write_whole

_OFFERED = ("wasi_snapshot_preview1", hostcalls.MODULE)


def compile_module(content: bytes) -> bytes:
    """Compile a module that can run here: a core module, a command, with imports of WASI preview 1 and Krustlet's HTTP.

    Raises ValueError saying what it is instead.
    """
    if content[:4] != b"\0asm":
        raise ValueError("it is not WebAssembly: it does not begin with the bytes 00 61 73 6d")
    if content[4:8] != b"\1\0\0\0":
        raise ValueError("it is a WebAssembly component (or another version), not a module of WASI preview 1")
    try:
        module = wasmtime.Module(wasmtime.Engine(), content)
    except wasmtime.WasmtimeError as error:
        raise ValueError(f"it is malformed: {error}") from error
    _check(module)
    return bytes(module.serialize())


def _check(module: wasmtime.Module) -> None:
    if not any(export.name == "_start" and isinstance(export.type, wasmtime.FuncType) for export in module.exports):
        raise ValueError("it exports no function _start: it is a library, not a command")
    foreign = sorted({str(imported.module) for imported in module.imports} - set(_OFFERED))
    if foreign:
        raise ValueError(f"it imports from {', '.join(foreign)}; this node offers {' and '.join(_OFFERED)} only")


def main(source: Path, target: Path) -> int:
    """Compile a file; returns the exit status."""
    try:
        write_whole(target, compile_module(source.read_bytes()))
    except ValueError as error:
        print(error, file=sys.stderr)  # noqa: T201  the caller reads it
        return COMPILER_REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), Path(sys.argv[2])))
