"""The virtual environment is made by the same Python whoever asks, so that it is not made anew for each of them."""

import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"


def newest_python(asking: str) -> str:
    command = [asking, "-c", "import setup; print(setup.newest_python())"]
    return subprocess.run(command, cwd=TOOLS, check=True, capture_output=True, text=True).stdout.strip()


def test_a_shell_with_an_activated_environment_means_the_same_python(tmp_path: Path) -> None:
    outside = newest_python(sys.executable)
    subprocess.run([outside, "-m", "venv", "--without-pip", tmp_path / "venv"], check=True)
    assert newest_python(str(tmp_path / "venv/bin/python3")) == outside
    assert str(tmp_path) not in outside
