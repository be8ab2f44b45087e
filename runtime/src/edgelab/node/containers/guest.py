"""Running a compiled module once, with WASI preview 1, in this process.

The module gets arguments, environment and pre-opened directories, an empty stdin, this process's stdout and stderr, and
the host calls for HTTP requests. Nothing is raised: how it ended, a failure to load included, is the returned Exit.
"""

import re

import wasmtime

from edgelab.node.containers.records import ContainerSpec, Exit, now
from edgelab.node.outbound import hostcalls
from edgelab.node.outbound.policy import Policy

TRAPPED = 134
"""Exit code of a module that trapped: that of an abort, as the wasmtime command has it."""

CANNOT_RUN = 128
"""Exit code of a module that could not be started, as container runtimes have it."""

OUT_OF_MEMORY = 137

_WASI = "wasi_snapshot_preview1"


class _Ended(Exception):  # noqa: N818  ending is not an error
    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def run(spec: ContainerSpec, engine: wasmtime.Engine) -> Exit:
    """Run the module to its end."""
    try:
        store, start = _load(spec, engine)
    except (wasmtime.WasmtimeError, wasmtime.Trap) as error:
        return _not_loaded(error)
    try:
        start(store)
    except _Ended as ended:
        return exited(ended.code)
    except (wasmtime.Trap, wasmtime.WasmtimeError) as error:
        return Exit(TRAPPED, "Error", now(), _cause(error))
    return exited(0)


def exited(code: int) -> Exit:
    """The end of a module that gave an exit code; of larger numbers the lowest byte counts, as on Unix."""
    kept = code & 0xFF
    return Exit(kept, "Error" if kept else "Completed", now())


def _load(spec: ContainerSpec, engine: wasmtime.Engine) -> tuple[wasmtime.Store, wasmtime.Func]:
    module = wasmtime.Module.deserialize_file(engine, spec.module)
    store = wasmtime.Store(engine)
    store.set_limits(memory_size=spec.memory_limit)
    store.set_wasi(_wasi(spec))
    instance = _linker(engine, spec.outbound).instantiate(store, module)
    start = instance.exports(store).get("_start")
    if not isinstance(start, wasmtime.Func):
        raise wasmtime.WasmtimeError("the module exports no function _start: it is a library, not a command")
    return store, start


def _linker(engine: wasmtime.Engine, outbound: Policy) -> wasmtime.Linker:
    linker = wasmtime.Linker(engine)
    linker.define_wasi()
    # wasmtime's own proc_exit traps on codes above 125, which are ordinary exit codes of a container.
    linker.allow_shadowing = True
    linker.define_func(_WASI, "proc_exit", wasmtime.FuncType([wasmtime.ValType.i32()], []), _end)
    hostcalls.define(linker, outbound)
    return linker


def _end(code: int) -> None:
    raise _Ended(code)


def _wasi(spec: ContainerSpec) -> wasmtime.WasiConfig:
    config = wasmtime.WasiConfig()
    config.argv = list(spec.arguments)
    config.env = list(spec.environment.items())
    config.inherit_stdin()
    config.inherit_stdout()
    config.inherit_stderr()
    for preopen in spec.preopens:
        config.preopen_dir(preopen.host, preopen.guest, preopen.writable)
    return config


def _not_loaded(error: Exception) -> Exit:
    message = _cause(error)
    if re.search("memory minimum size .* exceeds memory limits", message):
        return Exit(OUT_OF_MEMORY, "OOMKilled", now(), message)
    return Exit(CANNOT_RUN, "ContainerCannotRun", now(), message)


def _cause(error: Exception) -> str:
    """The part of a message that tells what happened, without the addresses of the module's functions."""
    return str(error).rpartition("Caused by:\n")[2].strip()
