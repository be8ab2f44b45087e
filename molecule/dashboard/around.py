"""Runs the scenario while there is a machine with the stand-in for snapd and MicroK8s."""

import runpy
from pathlib import Path

runpy.run_path(str(Path(__file__).parents[2] / "tests/standins/microk8s/machine.py"), run_name="__main__")
