"""Tell people by an issue that scheduled runs fail, and that they pass again. Uses the command `gh` and its GH_TOKEN.

    python tools/drift.py --label LABEL --title TITLE --run URL --expect "NAME..." DIRECTORY

DIRECTORY has a report.json of each trial (tools/trial.py), at any depth. While one says that its trial did not pass, or
that of an expected trial is missing, one issue with that label is open: the first failure opens it, later ones add a
comment. The first run that passes closes it.
"""

import argparse
import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any


def main() -> int:
    """Compare the reports with the open issue, and act."""
    parser = argparse.ArgumentParser(description="Open, update or close the issue of a scheduled run.")
    parser.add_argument("--label", required=True)
    parser.add_argument("--title", required=True)
    parser.add_argument("--run", required=True, help="where the run is seen")
    parser.add_argument("--expect", default="", help="names of the trials, with spaces between them")
    parser.add_argument("directory", type=Path)
    given = parser.parse_args()
    reports = [json.loads(path.read_text()) for path in sorted(given.directory.rglob("report.json"))]
    for command in plan(
        failures(reports, given.expect.split()), find(given.label), given.label, given.title, given.run
    ):
        gh(*command)
    return 0


def failures(reports: Sequence[dict[str, Any]], expected: Sequence[str]) -> list[str]:
    """What went wrong, a line each; empty when all is well."""
    missing = sorted(set(expected) - {report["name"] for report in reports})
    return [f"{name}: came not so far as to write a report" for name in missing] + [
        f"{report['name']}: {stage['name']} failed after {stage['seconds']} s"
        for report in reports
        for stage in report["stages"]
        if not stage["passed"]
    ]


def plan(failed: Sequence[str], number: int | None, label: str, title: str, run: str) -> list[list[str]]:
    """The calls of gh that make the issue tell the truth. number: that of the open issue."""
    told = "\n".join([f"Seen in {run}:", "", *(f"- {line}" for line in failed)])
    if not failed:
        return [] if number is None else [["issue", "close", str(number), "--comment", f"All is well again: {run}"]]
    if number is not None:
        return [["issue", "comment", str(number), "--body", told]]
    described = ["--description", "A scheduled run fails", "--force"]
    return [
        ["label", "create", label, *described],
        ["issue", "create", "--title", title, "--label", label, "--body", told],
    ]


def find(label: str) -> int | None:
    """The number of the open issue with this label."""
    found = json.loads(gh("issue", "list", "--state", "open", "--label", label, "--json", "number"))
    return min((int(issue["number"]) for issue in found), default=None)


def gh(*words: str) -> str:
    """Run gh; raises CalledProcessError, after it has said why."""
    program = shutil.which("gh") or sys.exit("gh is needed: https://cli.github.com")
    return subprocess.run([program, *words], stdout=subprocess.PIPE, text=True, check=True).stdout


if __name__ == "__main__":
    sys.exit(main())
