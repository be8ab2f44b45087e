"""Make the virtual environment that the Makefile's targets run in; quick when there is nothing to do.

    setup.py [--quiet] VENV LOCKFILE

Installs LOCKFILE with pip (hashes required; pip's own configuration, and with it private indexes and proxies, is
honoured), then the runtime of this checkout, and links the checkout under its collection's name. What was installed is
recorded in VENV, so that a second call compares and stops. Written for any Python 3, so that an old one can be told.
"""

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import List, NoReturn

OLDEST = (3, 11)
ROOT = Path(__file__).resolve().parent.parent
RUNTIME = ROOT / "runtime"
LINK = ROOT / ".ansible/collections/ansible_collections/edgelab/akri"


def main(words: List[str]) -> None:
    """Bring the environment up to date, or end with a message that says what is missing."""
    quiet = "--quiet" in words
    venv, lock = (Path(word) for word in words if word != "--quiet")
    python = newest_python()
    link_collection()
    stamp = venv / f".{lock.name}"
    wanted = fingerprint(python, lock)
    if stamp.exists() and stamp.read_text() == wanted:
        return
    if not quiet:
        sys.stdout.write(f"Setting up {venv} from {lock} (a minute or two the first time)\n")
        sys.stdout.flush()
    if not works(venv):
        make_venv(python, venv)
    install(venv, ["--require-hashes", "--no-deps", "-r", str(lock)])
    install(venv, ["--no-deps", "--no-build-isolation", "-e", str(RUNTIME)])
    stamp.write_text(wanted)


def newest_python() -> str:
    """The interpreter that runs this, or a newer one found on PATH when this one is too old.

    Never that of a virtual environment: a shell that has activated one means the same Python as a shell that has not.
    """
    ours = getattr(sys, "_base_executable", sys.executable)
    names = [ours] if sys.version_info >= OLDEST else [f"python3.{minor}" for minor in range(14, 10, -1)]
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        stop(
            f"This needs Python {OLDEST[0]}.{OLDEST[1]} or newer; {sys.executable} is {sys.version.split()[0]}.",
            "Install one (Debian 12, Ubuntu 24.04 and newer have it: apt-get install python3 python3-venv),",
            "or name it: make PYTHON=/path/to/python3.12 ...",
        )
    return os.path.realpath(found)


def link_collection() -> None:
    """The checkout under the path where Ansible looks for the collection edgelab.akri."""
    LINK.parent.mkdir(parents=True, exist_ok=True)
    if not LINK.is_symlink():
        LINK.symlink_to("../../../..")


def fingerprint(python: str, lock: Path) -> str:
    """What the environment depends on, as one digest."""
    parts = (python.encode(), str(ROOT).encode(), lock.read_bytes(), (RUNTIME / "pyproject.toml").read_bytes())
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def works(venv: Path) -> bool:
    """Whether the environment's own Python and pip start (a half-made one is made anew)."""
    try:
        return subprocess.call([str(venv / "bin/python"), "-m", "pip", "--version"], stdout=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_venv(python: str, venv: Path) -> None:
    """A new, empty environment."""
    shutil.rmtree(str(venv), ignore_errors=True)
    command = [python, "-m", "venv", str(venv)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        shutil.rmtree(str(venv), ignore_errors=True)
        stop(
            f"{' '.join(command)} failed:",
            done.stdout.decode(errors="replace").strip(),
            "On Debian and Ubuntu the module venv is a package of its own: apt-get install python3-venv",
        )


def install(venv: Path, arguments: List[str]) -> None:
    """Run the environment's pip; its own output says what went wrong."""
    command = [str(venv / "bin/python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call([*command, *arguments]):
        stop(
            f"pip could not install {arguments[-1]}.",
            "The lines above are pip's. It uses your pip configuration (pip config list) and HTTPS_PROXY;",
            "a private index must hold the exact versions of the lock file.",
        )


def stop(*lines: str) -> NoReturn:
    """End with a message and exit status 1."""
    sys.exit("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
