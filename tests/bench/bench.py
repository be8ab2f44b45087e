"""`make bench`: how long things take and what they weigh. Prints a table, writes bench-results/bench.json.

Each figure is the median of repeated runs on labs of its own, beside the aim and, where the original chain (Krustlet,
Akri 0.13.26 and their Wasm demo) was measured on a machine of the same size, its figure. Nothing is asserted. A busy
machine shows in the spread and in the load that the JSON file has.

    bench.py [--repeat N] [--cold] [--only NAME]...

--only brokers compares Wasm brokers with containers, on Kind: root, Podman, and some minutes; nothing else includes it.
--cold adds the run from empty caches, which builds the control plane and downloads everything (minutes).
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict
from functools import partial
from pathlib import Path

import brokers
import control_plane
import latency
import video
import video_page
import weight
from figure import Figure, timed
from labkit import ROOT, Lab


def main() -> int:
    """Measure what was asked for."""
    parser = argparse.ArgumentParser(description="Measure a lab.")
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="runs of each whole-lab figure (default 3)")
    parser.add_argument("--cold", action="store_true", help="also build everything from empty caches")
    parser.add_argument("--only", action="append", choices=GROUPS, help="one group of figures (repeatable)")
    options = parser.parse_args()
    load = os.getloadavg()
    figures: list[Figure] = []
    for name in options.only or USUAL:
        for figure in GROUPS[name](options.repeat):
            _show(figure, figures)
    if options.cold:
        _show(Figure("make demo from empty caches", "s", [_cold_demo()], aim=720), figures)
    _save(figures, load)
    return 0


def _whole_lab(repeat: int) -> Iterator[Figure]:
    """The playbooks of make demo and make down, from nothing and on a running lab."""
    first, second, down = [], [], []
    for turn in range(repeat):
        lab = _lab(f"whole-{turn}")
        first.append(timed(partial(lab.playbook, "site.yml")))
        second.append(timed(partial(lab.playbook, "site.yml")))
        down.append(timed(partial(lab.playbook, "down.yml")))
        lab.remove()
    yield Figure("demo, binaries cached, no lab", "s", first, aim=45)
    yield Figure("demo again, nothing to change", "s", second, aim=15)
    yield Figure("down", "s", down, aim=10)


def _control_plane(repeat: int) -> Iterator[Figure]:
    yield from control_plane.measure([_lab(f"plane-{turn}") for turn in range(repeat)])


def _running_lab(repeat: int) -> Iterator[Figure]:
    """Latencies and weights on one running lab."""
    lab = _lab("running")
    try:
        lab.playbook("site.yml")
        yield from latency.measure(lab, turns=repeat * 5)
        yield from weight.measure(lab)
    finally:
        lab.remove()


def _video(_repeat: int) -> Iterator[Figure]:
    """Cameras, brokers and their page without a lab: each figure is over some hundreds of frames."""
    for cameras in (2, 16):
        yield from video.measure(cameras)
        yield from video_page.measure(cameras)


def _brokers(repeat: int) -> Iterator[Figure]:
    """Wasm brokers and container brokers on one Kind cluster."""
    with brokers.kind_lab(_lab("brokers")) as lab:
        yield from brokers.measure(lab, turns=repeat * 2)


USUAL = {"whole": _whole_lab, "control-plane": _control_plane, "running": _running_lab, "video": _video}
GROUPS = {**USUAL, "brokers": _brokers}


def _cold_demo() -> float:
    """Seconds of `make demo` in a fresh clone with empty caches of every kind."""
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
            return timed(partial(lab.run, [*command, "demo"], extra=empty))
        finally:
            lab.run([*command, "down"], extra=empty, check=False)


def _lab(name: str) -> Lab:
    """A lab of the benchmark's own."""
    return Lab(home=Path(tempfile.mkdtemp(prefix="edgelab-bench-")), name=f"bench-{name}")


def _show(figure: Figure, figures: list[Figure]) -> None:
    figures.append(figure)
    sys.stdout.write(figure.row() + "\n")
    sys.stdout.flush()


def _save(figures: list[Figure], load: tuple[float, float, float]) -> None:
    """Write the figures and the machine they were measured on."""
    machine = {
        "processors": os.cpu_count(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2**20,
        "load_before": load,
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
    path = ROOT / "bench-results" / "bench.json"
    path.parent.mkdir(exist_ok=True)
    body = {"machine": machine, "figures": [{**asdict(figure), "median": figure.median} for figure in figures]}
    path.write_text(json.dumps(body, indent=2) + "\n")
    sys.stdout.write(f"Written to {path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    raise SystemExit(main())
