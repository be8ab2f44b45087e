"""Run the molecule scenarios, `molecule/ROLE` each, some at a time; fails when a role has none.

    python tools/molecule.py [--jobs N] [ROLE]...

What a scenario cannot do here it says by a message `Skipped: ...`; one that tests/skips.yml does not list is a failure.

A scenario works on a lab of its own in a state directory of its own, but for the cache, which is the user's: nothing is
built twice. Each tells one line when it ends, with its time, and all that it said when it failed. Those that need the
edge host are left to `make test-edge`.
"""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Outcome:
    """How a scenario ended; `said` is all of its output."""

    scenario: str
    passed: bool
    seconds: float
    said: str

    def __str__(self) -> str:
        line = f"{'passed' if self.passed else 'FAILED'}  {self.scenario:24} {self.seconds:5.0f} s"
        return line if self.passed else f"{self.said}\n{line}"


def main() -> int:
    """Run what was asked for; 0 when all of it passed."""
    given = arguments()
    roles, scenarios = names("roles", "tasks/main.yml"), names("molecule", "molecule.yml")
    if not given.scenarios and (without := sorted(roles - scenarios)):
        print(f"A role needs a scenario. None in molecule/ for: {', '.join(without)}", file=sys.stderr)
        return 1
    if unknown := sorted(set(given.scenarios) - scenarios):
        print(f"No such scenario: {', '.join(unknown)}. There are: {', '.join(sorted(scenarios))}", file=sys.stderr)
        return 2
    edge = set() if "EDGELAB_EDGE_SSH" in os.environ else on_the_edge_host(scenarios)
    if homeless := sorted(edge & set(given.scenarios)):
        print(f"Only on the edge host, which `make test-edge` boots: {', '.join(homeless)}", file=sys.stderr)
        return 2
    wanted = given.scenarios or sorted(scenarios - edge)
    failed = [outcome.scenario for outcome in run_all(wanted, given.jobs)]
    print(f"Failed: {', '.join(failed)}" if failed else "Every scenario passed")
    return 1 if failed else 0


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Run the molecule scenarios.")
    parser.add_argument("scenarios", nargs="*", metavar="ROLE", help="the scenarios to run; all of them by default")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at a time; one for each CPU")
    return parser.parse_args()


def names(directory: str, file: str) -> set[str]:
    """Those directories in a directory of the checkout that have a file."""
    return {path.name for path in (ROOT / directory).iterdir() if (path / file).is_file()}


def on_the_edge_host(scenarios: Iterable[str]) -> set[str]:
    """Those scenarios whose machine needs a kernel of its own; tests/edge runs them, a step at a time."""
    return {name for name in scenarios if "EDGELAB_EDGE_SSH" in (ROOT / f"molecule/{name}/molecule.yml").read_text()}


def run_all(scenarios: Sequence[str], jobs: int) -> list[Outcome]:
    """Run scenarios, show each one's end; returns those that failed."""
    failed = []
    with ThreadPoolExecutor(jobs) as pool:
        print(f"{len(scenarios)} scenarios, {jobs} at a time", flush=True)
        for finished in as_completed([pool.submit(run, scenario) for scenario in scenarios]):
            print(finished.result(), flush=True)
            if not finished.result().passed:
                failed.append(finished.result())
    return failed


def run(scenario: str) -> Outcome:
    """Run one scenario by `molecule test`."""
    began = time.monotonic()
    if around(scenario) and os.getuid():
        return ended(scenario, 0, "msg: Skipped: its machine, which root alone can make\n", began)
    with tempfile.TemporaryDirectory(prefix="edgelab-molecule-") as scratch:
        ours = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}", "MOLECULE_EPHEMERAL_DIRECTORY": scratch}
        plain = {} if sys.stdout.isatty() else {"NO_COLOR": "1"}
        done = subprocess.run(
            [*around(scenario), sys.executable, "-m", "molecule", "test", "--scenario-name", scenario],
            cwd=ROOT,
            env={**os.environ, **ours, **plain},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
    return ended(scenario, done.returncode, done.stdout, began)


def ended(scenario: str, status: int, said: str, began: float) -> Outcome:
    """How a scenario ended that left this status and output; what it may not skip is a failure."""
    forbidden = [words for words in skipped(said) if words not in allowed_skips(scenario)]
    said += "".join(f"Not in tests/skips.yml: {words}\n" for words in forbidden)
    return Outcome(scenario, status == 0 and not forbidden, time.monotonic() - began, said)


def around(scenario: str) -> list[str]:
    """What to put before a scenario's command: its program `around.py`, if it has one, which makes a machine for it."""
    program = ROOT / "molecule" / scenario / "around.py"
    return [sys.executable, str(program), scenario.replace("_", "-"), "--"] if program.is_file() else []


def skipped(said: str) -> list[str]:
    """What a scenario said that it could not do."""
    return re.findall(r"msg: '?Skipped: (.*?)'?$", said, re.MULTILINE)


def allowed_skips(scenario: str) -> list[str]:
    """What a scenario may say so."""
    skips = yaml.safe_load((ROOT / "tests/skips.yml").read_text())
    allowed: list[str] = skips["molecule"].get(scenario, [])
    return allowed + (skips["not_root"]["molecule"].get(scenario, []) if os.getuid() else [])


if __name__ == "__main__":
    sys.exit(main())
