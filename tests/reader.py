"""A reader of the guides: a home of their own, where the lab of a guide is nobody else's, and a terminal.

The cache of binaries and Go's are the user's, so that nothing is built twice.
"""

import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from guidekit import Shell, carry_out_steps, open_shell, read_sections
from labkit import ROOT, Lab, kubectl

GUIDES = ROOT / "docs/guides"


@dataclass(frozen=True, slots=True)
class Reader:
    """Their lab, which exists once the guide has made it, and their shell, in the checkout."""

    lab: Lab
    shell: Shell


class Story:
    """A guide that is carried out section by section, as far as somebody wants it, by `through`."""

    def __init__(self, guide: Path, shell: Shell, deeds: Mapping[str, Callable[[], None]], *, late: float = 60) -> None:
        self._guide, self._shell, self._deeds, self._late = guide, shell, deeds, late
        self._rest = read_sections(guide)
        self._failed = ""

    def through(self, section: str) -> None:
        """Carry out what is left up to the end of this section; fails at once where an earlier one has failed."""
        __tracebackhide__ = True
        assert not self._failed, f"The section {self._failed!r} has failed already"
        while section in self._rest:
            name = next(iter(self._rest))
            self._failed = name
            carry_out_steps(self._guide, self._rest.pop(name), self._shell, self._deeds, late=self._late)
            self._failed = ""


@contextmanager
def reader(lab: str = "default", **variables: Any) -> Iterator[Reader]:
    """A reader for the block; what is left of their lab then is taken away.

    Variables: what the lab needs to work where the tests run, and no reader has to know of.
    """
    home = Path(tempfile.mkdtemp(prefix="edgelab-guide-"))
    made = Lab(home / ".local", lab, variables)
    (home / "bin").mkdir()
    (home / "bin/kubectl").symlink_to(kubectl())
    try:
        with open_shell(ROOT, _environment(home) | _told_to_make(home, variables)) as shell:
            yield Reader(made, shell)
    finally:
        if made.layout.marker.exists():
            made.playbook("down.yml")
        shutil.rmtree(home)


def _environment(home: Path) -> dict[str, str]:
    """That of the tests, with another home and without what they or `make` were told; nothing is activated."""
    dropped = {"XDG_STATE_HOME", "KUBECONFIG", "MAKEFLAGS", "MFLAGS", "MAKELEVEL", "ARGS", "DEMO", "LAB", "PROVIDER"}
    ours = {
        "HOME": str(home),
        "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        "XDG_CACHE_HOME": os.environ.get("XDG_CACHE_HOME", str(Path.home() / ".cache")),
        "GOPATH": os.environ.get("GOPATH", str(Path.home() / "go")),
        # The environment is there, and is made anew for another Python than its own.
        "PYTHON": sys.executable,
    }
    return {name: value for name, value in os.environ.items() if name not in dropped} | ours


def _told_to_make(home: Path, variables: Mapping[str, Any]) -> dict[str, str]:
    """What has `make` add the variables to those that a command of the guide gives."""
    if not variables:
        return {}
    (home / "variables.json").write_text(json.dumps(variables))
    (home / "variables.mk").write_text(f"override ARGS += -e @{home}/variables.json\n")
    return {"MAKEFILES": str(home / "variables.mk")}
