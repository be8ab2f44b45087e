"""The archives of the tests' chart: `tests/charts/akri` with the kinds of the role `akri`, packed by the real Helm."""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from edgelab.core.layout import layout
from labkit import BIN, ROOT


def helm() -> Path:
    """The pinned Helm; fetched or built if the cache lacks it."""
    cache = layout("any", os.environ, os.getuid()).cache
    with tempfile.TemporaryDirectory() as directory:
        listed = Path(directory) / "programs.json"
        given = {"lab_paths": {"cache": str(cache)}, "lab_collection": str(ROOT)}
        given |= {"binaries_wanted": ["helm"], "binaries_list": str(listed)}
        playbook = [str(BIN / "ansible-playbook"), "tests/kind/binaries.yml", "-e", json.dumps(given)]
        subprocess.run(playbook, cwd=ROOT, check=True, capture_output=True)
        return Path(json.loads(listed.read_text())["helm"])


def pack(program: Path, directory: Path, **replaced: str) -> Path:
    """Pack the chart into a directory; `replaced` says what stands in place of what in its files."""
    tree = directory / "tree" / "akri"
    shutil.rmtree(tree, ignore_errors=True)
    shutil.copytree(ROOT / "tests/charts/akri", tree)
    (tree / "crds").mkdir()
    for name in ("configurations", "instances"):
        shutil.copy(ROOT / f"roles/akri/files/{name}.yaml", tree / "crds")
    for path in tree.rglob("*.yaml"):
        text = path.read_text()
        for old, new in replaced.items():
            text = text.replace(old, new)
        path.write_text(text)
    words = [str(program), "package", str(tree), "--destination", str(directory)]
    done = subprocess.run(words, check=True, capture_output=True, text=True)
    return Path(done.stdout.split(": ", 1)[1].strip())
