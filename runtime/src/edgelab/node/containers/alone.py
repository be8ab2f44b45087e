"""A module that a person tries, in a process of its own, as a container of the node has one.

`python -m edgelab.node.containers.alone DIRECTORY PARENT` runs what `spec.json` in the directory says, records the end
there, and has the module's exit code. Standard output and error are those of who started it; it ends with that process,
whose pid PARENT is.
"""

import ctypes
import os
import signal
import sys
from pathlib import Path

import wasmtime

from edgelab.node.containers import guest
from edgelab.node.containers.records import ContainerSpec, RunDirectory

SPEC = "spec.json"

_PR_SET_PDEATHSIG = 1


def main(directory: Path, parent: int) -> int:
    """Run the module; returns its exit code."""
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        return guest.CANNOT_RUN  # it ended before that could be noticed
    # Python handles Ctrl-C between two of its own instructions, of which a module in a loop has none.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    end = guest.run(ContainerSpec.from_json((directory / SPEC).read_bytes()), wasmtime.Engine())
    RunDirectory(directory).record_exit(end)
    return end.exit_code


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), int(sys.argv[2])))
