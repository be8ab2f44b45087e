"""Try a lab as a user has it: build it and prove the demo, again without a change, away; and write down how it went.

    python tools/trial.py --provider NAME --out DIRECTORY [--name NAME] [--demo NAME]... [--variables FILE]... [--keep]

OUT gets report.md (for people), report.json (for programs), the output of each stage, and, when a stage failed,
evidence.tar.gz, all without secrets. The lab is taken away however it went, unless it is kept. Ends with 0 when every
stage passed.
"""

import argparse
import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from evidence import redacted

ROOT = Path(__file__).resolve().parent.parent
RECAP = re.compile(r"^(\S+)\s+: ok=(\d+)\s+changed=(\d+)", re.MULTILINE)
DEFAULT_DEMO = "wasm_debug_echo"


@dataclass(frozen=True)
class Stage:
    """How one stage ended. said: the last lines of a failed one."""

    name: str
    passed: bool
    seconds: int
    said: str = ""


@dataclass(frozen=True)
class Trial:
    """What is tried, and where its reports go."""

    provider: str
    name: str
    demos: tuple[str, ...]
    out: Path
    variables: tuple[Path, ...] = ()
    keep: bool = False

    def playbook(self, name: str, *options: str) -> list[str]:
        """The command that runs a playbook on this lab."""
        given = [word for path in self.variables for word in ("-e", f"@{path.resolve()}")]
        inventory = f"inventories/{self.provider}/hosts.yml"
        return [str(Path(sys.executable).with_name("ansible-playbook")), "-i", inventory, *given, *options, name]


Judge = Callable[[subprocess.CompletedProcess[str]], bool]


def main() -> int:
    """Run what was asked for."""
    trial = arguments()
    trial.out.mkdir(parents=True, exist_ok=True)
    stages = carry_out(trial)
    passed = all(stage.passed for stage in stages)
    report = {"name": trial.name, "passed": passed, "stages": [asdict(stage) for stage in stages]}
    (trial.out / "report.json").write_text(json.dumps(report, indent=2) + "\n")
    (trial.out / "report.md").write_text(as_markdown(trial.name, stages))
    print(as_markdown(trial.name, stages))
    return 0 if passed else 1


def arguments() -> Trial:
    """What the command line says."""
    parser = argparse.ArgumentParser(description="Try a lab as a user has it.")
    parser.add_argument("--provider", required=True, help="the inventory")
    parser.add_argument("--name", help="what the trial is called; by default as its provider")
    parser.add_argument("--demo", action="append", default=[], help=f"a demo to show; {DEFAULT_DEMO} by default")
    parser.add_argument("--variables", action="append", default=[], type=Path, help="file with more variables")
    parser.add_argument("--out", required=True, type=Path, help="directory for the reports")
    parser.add_argument("--keep", action="store_true", help="leave a lab that works in place")
    given = parser.parse_args()
    demos = tuple(given.demo) or (DEFAULT_DEMO,)
    return Trial(given.provider, given.name or given.provider, demos, given.out, tuple(given.variables), given.keep)


def carry_out(trial: Trial) -> list[Stage]:
    """Run the stages until one fails, then look why; take the lab away."""
    stages = []
    for demo in trial.demos:
        command = trial.playbook("site.yml", "-e", f"lab_demo={demo}")
        stages.append(run(trial, f"demo {demo}", command, succeeded))
        if stages[-1].passed:
            stages.append(run(trial, f"demo {demo} again, nothing changes", command, nothing_changed))
        if not stages[-1].passed:
            evidence = trial.playbook("playbooks/evidence.yml", "-e", f"evidence_directory={trial.out.resolve()}")
            run(trial, "evidence", evidence, succeeded)
            break
    if not (trial.keep and all(stage.passed for stage in stages)):
        stages.append(run(trial, "down", trial.playbook("playbooks/down.yml"), succeeded))
    return stages


def run(trial: Trial, name: str, command: Sequence[str], judge: Judge) -> Stage:
    """Run a stage; what it says goes to a file, without secrets."""
    began = time.monotonic()
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "ANSIBLE_NOCOLOR": "1"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    said = redacted(done.stdout)
    (trial.out / f"{re.sub('[^a-z0-9]+', '-', name)}.log").write_text(said)
    passed = judge(done)
    return Stage(name, passed, round(time.monotonic() - began), "" if passed else "\n".join(said.splitlines()[-40:]))


def succeeded(done: subprocess.CompletedProcess[str]) -> bool:
    """A playbook that did not fail."""
    return done.returncode == 0


def nothing_changed(done: subprocess.CompletedProcess[str]) -> bool:
    """One that changed nothing on any host, and says so."""
    changes = [int(changed) for _host, _ok, changed in RECAP.findall(done.stdout)]
    return succeeded(done) and bool(changes) and not any(changes)


def as_markdown(name: str, stages: Sequence[Stage]) -> str:
    """The report for people."""
    rows = [f"| {stage.name} | {'passed' if stage.passed else '**failed**'} | {stage.seconds} s |" for stage in stages]
    said = [
        f"\n<details><summary>{stage.name}</summary>\n\n```\n{stage.said}\n```\n\n</details>"
        for stage in stages
        if stage.said
    ]
    commit = os.environ.get("GITHUB_SHA", "")[:12]
    title = f"## {name}{' at ' + commit if commit else ''}"
    return "\n".join([title, "", "| stage | result | time |", "|---|---|---|", *rows, *said]) + "\n"


if __name__ == "__main__":
    sys.exit(main())
