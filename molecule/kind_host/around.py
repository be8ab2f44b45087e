"""Runs the scenario where Kind works: with the tests' own node image, and with Podman as it works here."""

import os
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).resolve().parents[2] / "tests/kind"


def main() -> int:
    """Run the command after `--`; returns how it ended."""
    command = sys.argv[sys.argv.index("--") + 1 :]
    variables = Path(os.environ["MOLECULE_EPHEMERAL_DIRECTORY"]) / "kind.json"
    subprocess.run([sys.executable, TESTS / "image.py", "--variables", variables], check=True)
    environment = {**os.environ, "CONTAINERS_CONF": str(TESTS / "containers.conf")}
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
