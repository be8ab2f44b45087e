"""Make the virtual environment that the Makefile's targets run in; quick when there is nothing to do.

    setup.py [--quiet] VENV LOCKFILE

Installs LOCKFILE with pip (hashes required; pip's own configuration, and with it private indexes and proxies, is
honoured), then the runtime of this checkout, and links the checkout under its collection's name. What was installed is
recorded in VENV, so that a second call compares and stops. Runs on any Python 3, so that an old one can be told about.
"""

import hashlib
import os
import shutil
import subprocess
import sys

OLDEST = (3, 11)
ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
LINK = os.path.join(ROOT, ".ansible", "collections", "ansible_collections", "edgelab", "akri")


def main(words):
    quiet = "--quiet" in words
    venv, lock = [word for word in words if word != "--quiet"]
    python = newest_python()
    link_collection()
    stamp = os.path.join(venv, "." + os.path.basename(lock))
    wanted = fingerprint(python, lock)
    if read(stamp) == wanted:
        return
    tell(quiet, "Setting up {} from {} (a minute or two the first time)".format(venv, lock))
    if not works(venv):
        make_venv(python, venv)
    install(venv, ["--require-hashes", "--no-deps", "-r", lock])
    install(venv, ["--no-deps", "--no-build-isolation", "-e", os.path.join(ROOT, "runtime")])
    with open(stamp, "w") as file:
        file.write(wanted)


def newest_python():
    """The interpreter that runs this, or a newer one found on PATH when this one is too old."""
    if sys.version_info >= OLDEST:
        return sys.executable
    for minor in range(14, OLDEST[1] - 1, -1):
        found = shutil.which("python3.{}".format(minor))
        if found:
            return found
    stop(
        "This needs Python {}.{} or newer; {} is {}.".format(*OLDEST, sys.executable, sys.version.split()[0]),
        "Install one (Debian 12, Ubuntu 24.04 and newer have it: apt-get install python3 python3-venv),",
        "or name it: make PYTHON=/path/to/python3.12 ...",
    )


def link_collection():
    """The checkout under the path where Ansible looks for the collection edgelab.akri."""
    os.makedirs(os.path.dirname(LINK), exist_ok=True)
    if not os.path.islink(LINK):
        os.symlink(os.path.join("..", "..", "..", ".."), LINK)


def fingerprint(python, lock):
    digest = hashlib.sha256(python.encode())
    for path in (lock, os.path.join(ROOT, "runtime", "pyproject.toml")):
        with open(path, "rb") as file:
            digest.update(file.read())
    return digest.hexdigest()


def works(venv):
    """Whether the environment's own Python and pip start (a half-made one is made anew)."""
    python = os.path.join(venv, "bin", "python")
    try:
        return subprocess.call([python, "-m", "pip", "--version"], stdout=subprocess.DEVNULL) == 0
    except OSError:
        return False


def make_venv(python, venv):
    shutil.rmtree(venv, ignore_errors=True)
    done = subprocess.run([python, "-m", "venv", venv], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    if done.returncode:
        shutil.rmtree(venv, ignore_errors=True)
        stop(
            "{} -m venv {} failed:".format(python, venv),
            done.stdout.decode(errors="replace").strip(),
            "On Debian and Ubuntu the module venv is a package of its own: apt-get install python3-venv",
        )


def install(venv, arguments):
    command = [os.path.join(venv, "bin", "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    if subprocess.call(command + arguments):
        stop(
            "pip could not install {}.".format(arguments[-1]),
            "The lines above are pip's. It uses your pip configuration (pip config list) and HTTPS_PROXY;",
            "a private index must hold the exact versions of the lock file.",
        )


def read(path):
    try:
        with open(path) as file:
            return file.read()
    except OSError:
        return ""


def tell(quiet, text):
    if not quiet:
        print(text, flush=True)


def stop(*lines):
    sys.exit("\n".join(lines))


if __name__ == "__main__":
    main(sys.argv[1:])
