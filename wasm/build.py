"""Builds the Wasm guests from their C sources.

`build.py` writes NAME.wasm beside this file for every directory NAME; `build.py --check` builds a copy of the sources
somewhere else and exits 1 if a byte differs from what is here. The compiler is Zig's clang, pinned in
requirements-dev.lock: the same version makes the same bytes on any machine and under any path.
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
GUESTS = ("debug_echo", "hello", "http_broker", "idle")
# A stack of 16 MiB, as Zig gives by itself, would count to a Pod's memory limit.
_STACK = "-Wl,-z,stack-size=131072"
FLAGS = ("-target", "wasm32-wasi", "-std=gnu17", "-Os", "-s", "-Wall", "-Wextra", "-Werror", _STACK)


def build(guest: str, sources: Path, output: Path) -> None:
    """Compile one guest; the compiler's complaints go to stderr and end this program."""
    # Relative names, so that no path of this machine can reach the module.
    names = sorted(path.relative_to(sources).as_posix() for path in (sources / guest).glob("*.c"))
    argv = [sys.executable, "-m", "ziglang", "cc", *FLAGS, "-o", str(output), *names]
    subprocess.run(argv, cwd=sources, check=True)
    output.chmod(0o644)


def differing() -> list[str]:
    """Names of the guests whose committed module is not what their sources make."""
    with tempfile.TemporaryDirectory(prefix="edgelab-wasm-") as scratch:
        sources = Path(scratch) / "sources"
        shutil.copytree(HERE, sources)
        found = []
        for guest in GUESTS:
            output = Path(scratch) / f"{guest}.wasm"
            build(guest, sources, output)
            committed = HERE / output.name
            if not committed.exists() or committed.read_bytes() != output.read_bytes():
                found.append(guest)
    return found


def main() -> str | None:
    """Build or check; returns what is wrong, if anything."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="compare instead of writing")
    if parser.parse_args().check:
        stale = differing()
        return f"Not what their sources make: {', '.join(stale)}. Run `make wasm`." if stale else None
    for guest in GUESTS:
        build(guest, HERE, HERE / f"{guest}.wasm")
    return None


if __name__ == "__main__":
    raise SystemExit(main())
