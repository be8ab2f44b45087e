"""`make bench`: how long things take and what they weigh. Prints a table, writes bench-results/bench.json.

Each figure is the median of repeated runs on a lab of its own, beside the aim and, where the original chain (Krustlet,
Akri 0.13.26 and their Wasm demo) was measured on a machine of the same size, its figure. Nothing is asserted.

    bench.py [--repeat N] [--cold] [--only NAME]...

--cold adds the run from empty caches, which builds the control plane and downloads everything (minutes).
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import latency
import weight
from labkit import ROOT, Lab


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured thing: the samples, what we aim at and what the original did; unit says of what."""

    name: str
    unit: str
    samples: list[float]
    aim: float | None = None
    original: float | None = None

    @property
    def median(self) -> float:
        """Median of the samples."""
        return statistics.median(self.samples)


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description="Measure a lab.")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each whole-lab figure (default 3)")
    parser.add_argument("--cold", action="store_true", help="also build everything from empty caches")
    parser.add_argument("--only", action="append", choices=sorted(GROUPS), help="one group of figures (repeatable)")
    options = parser.parse_args()
    figures: list[Figure] = []
    for name in options.only or GROUPS:
        for figure in GROUPS[name](options):
            figures.append(figure)
            sys.stdout.write(row(figure) + "\n")
            sys.stdout.flush()
    save(figures)
    return 0


def whole_lab(options: argparse.Namespace) -> Iterator[Figure]:
    """make demo and make down, from nothing and on a running lab."""
    first, second, down = [], [], []
    for turn in range(options.repeat):
        lab = bench_lab(f"whole-{turn}")
        first.append(timed(partial(lab.playbook, "site.yml")))
        second.append(timed(partial(lab.playbook, "site.yml")))
        down.append(timed(partial(lab.playbook, "down.yml")))
        lab.remove()
    yield Figure("demo, binaries cached, no lab", "s", first, aim=45)
    yield Figure("demo again, nothing to change", "s", second, aim=15)
    yield Figure("down", "s", down, aim=10)
    if options.cold:
        yield Figure("demo from empty caches", "s", [cold_demo()], aim=720)


def cold_demo() -> float:
    """`make demo` in a fresh clone with empty caches of every kind."""
    with tempfile.TemporaryDirectory(prefix="edgelab-cold-") as scratch:
        home = Path(scratch)
        lab = Lab(home=home, name="cold")
        lab.run(["git", "clone", "--quiet", str(ROOT), str(home / "clone")])
        empty = {
            "XDG_CACHE_HOME": str(home / "cache"),
            "GOCACHE": str(home / "go-build"),
            "GOMODCACHE": str(home / "go-mod"),
            "GOFLAGS": "-modcacherw",
        }
        command = ["make", "-C", str(home / "clone"), "LAB=cold"]
        try:
            return timed(lambda: lab.run([*command, "demo"], extra=empty))
        finally:
            lab.run([*command, "down"], extra=empty, check=False)


def running_lab(options: argparse.Namespace) -> Iterator[Figure]:
    """Latencies and weights on one running lab."""
    lab = bench_lab("running")
    lab.playbook("site.yml")
    try:
        for name, (samples, aim, original) in latency.measure(lab, turns=options.repeat * 4).items():
            yield Figure(name, "s", samples, aim, original)
        for name, (samples, aim, original, unit) in weight.measure(lab).items():
            yield Figure(name, unit, samples, aim, original)
    finally:
        lab.remove()


GROUPS = {"whole": whole_lab, "running": running_lab}


def bench_lab(name: str) -> Lab:
    """A lab of the benchmark's own."""
    return Lab(home=Path(tempfile.mkdtemp(prefix="edgelab-bench-")), name=f"bench-{name}")


def timed(action: Callable[[], object]) -> float:
    """Seconds that an action takes."""
    start = time.monotonic()
    action()
    return time.monotonic() - start


def row(figure: Figure) -> str:
    """One line of the table."""
    aim = f"aim {figure.aim:g}" if figure.aim is not None else ""
    original = f"original {figure.original:g}" if figure.original is not None else ""
    spread = f"{min(figure.samples):.2f}-{max(figure.samples):.2f}"
    name = f"{figure.name} [{figure.unit}]"
    return f"{name:<55} {figure.median:>9.2f}   ({spread}, n={len(figure.samples)})   {aim:<10} {original}".rstrip()


def save(figures: list[Figure]) -> None:
    """Write the figures and the machine they were measured on."""
    machine = {
        "processors": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "go": shutil.which("go") is not None,
    }
    path = ROOT / "bench-results" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    body = {"machine": machine, "figures": [{**asdict(figure), "median": figure.median} for figure in figures]}
    path.write_text(json.dumps(body, indent=2) + "\n")
    sys.stdout.write(f"Written to {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    raise SystemExit(main())
