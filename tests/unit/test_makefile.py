"""What `make` itself refuses, before anything runs: words that Ansible would take for something else."""

import os
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PROVIDERS = sorted(path.parent.name for path in (ROOT / "inventories").glob("*/hosts.yml"))


def dry(*words: str) -> subprocess.CompletedProcess[str]:
    """What `make` would run, also when these tests are what another `make` runs."""
    ours = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    command = ["make", "--dry-run", *words]
    return subprocess.run(command, cwd=ROOT, env=ours, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("target", ["demo", "up", "verify", "down"])
@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("PROVIDER=nonsense", f'PROVIDER is "nonsense", which inventories/ does not have. .*{" ".join(PROVIDERS)}'),
        ("PROVIDER=kind local", 'PROVIDER is "kind local"'),
        ("LAB=a b", 'LAB is "a b", and has to be one word. Nothing was changed. For example: make demo LAB=workshop'),
        ("LAB=", 'LAB is ""'),
        ("DEMO=http video", 'DEMO is "http video".*make demo DEMO=http'),
    ],
)
def test_words_that_mean_nothing_are_refused(target: str, given: str, told: str) -> None:
    done = dry(target, given)
    assert done.returncode == 2
    assert done.stdout == ""
    assert re.search(told, done.stderr)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_each_inventory_is_a_provider(provider: str) -> None:
    done = dry("demo", f"PROVIDER={provider}", "LAB=workshop")
    assert done.returncode == 0
    assert f"-i inventories/{provider}/hosts.yml -e 'lab_name=workshop'" in done.stdout
