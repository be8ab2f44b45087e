"""Runs the scenario where Kind works, as that of the role kind_host."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).resolve().parents[1] / "kind_host/around.py"), run_name="__main__")
