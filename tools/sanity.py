"""Run `ansible-test sanity` on the collection as it would be packed, without ignores.

ansible-test wants the collection under ansible_collections/NAMESPACE/NAME and refuses the link of a plain checkout, so
the files that git knows are copied to a temporary tree. It also downloads a script to install pip where none is in its
cache; where that host cannot be reached a script of the same effect stands in, which asks the configured package index.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from fnmatch import fnmatch
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
GET_PIP_HOST = "https://ci-files.testing.ansible.com/"
GET_PIP = """\
import subprocess, sys
subprocess.check_call([sys.executable, "-m", "ensurepip"])
packages = [word for word in sys.argv[1:] if "==" in word]
subprocess.check_call([sys.executable, "-m", "pip", "install", "--quiet", *packages])
"""


def main() -> int:
    """Copy, test; returns ansible-test's exit status."""
    provide_get_pip(Path.home() / ".ansible/test/cache")
    with tempfile.TemporaryDirectory(prefix="edgelab-sanity-") as scratch:
        target = Path(scratch, "ansible_collections/edgelab/akri")
        copy_known_files(target)
        environment = {**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
        command = ["ansible-test", "sanity", "--local", "--python", PYTHON, "--color", "no", *sys.argv[1:]]
        return subprocess.call(command, cwd=target, env=environment)


def copy_known_files(target: Path) -> None:
    """What git tracks or would track and a build packs."""
    left_out = yaml.safe_load((ROOT / "galaxy.yml").read_text())["build_ignore"]
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    for name in filter(None, names):
        source = ROOT / name
        if source.exists() and not any(fnmatch(f"{name}/", f"{pattern}/*") for pattern in left_out):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, target / name, follow_symlinks=False)


def provide_get_pip(cache: Path) -> None:
    """Put the stand-in where ansible-test looks first, unless the real script is there or can be fetched."""
    script = cache / "get_pip_24_2.py"
    if script.exists():
        return
    try:
        urllib.request.urlopen(GET_PIP_HOST, timeout=5).close()
    except urllib.error.HTTPError:
        return
    except OSError:
        cache.mkdir(parents=True, exist_ok=True)
        script.write_text(GET_PIP)


if __name__ == "__main__":
    sys.exit(main())
