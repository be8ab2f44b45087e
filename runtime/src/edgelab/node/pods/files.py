"""What the node keeps of its Pods on disk: `pods/UID/` with `pod.json`, `volumes/` and `containers/NAME/RUN/`.

Runs are numbered from 0, so the number of the newest is the container's restart count. The newest run and the one
before it are kept, as kubelets do.
"""

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from edgelab.node.containers.files import read_json, write_json
from edgelab.node.containers.records import RunDirectory

_KEPT_RUNS = 2


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a container; `image` is the image's id."""

    number: int
    directory: RunDirectory
    image: str


@dataclass(frozen=True, slots=True)
class PodDirectory:
    """The directory of one Pod."""

    path: Path
    namespace: str
    name: str

    @property
    def uid(self) -> str:
        """The Pod's uid."""
        return self.path.name

    @property
    def key(self) -> tuple[str, str]:
        """Namespace and name."""
        return self.namespace, self.name

    @property
    def volumes(self) -> Path:
        """The Pod's own volumes."""
        return self.path / "volumes"

    def runs(self, container: str) -> list[Run]:
        """The kept runs of a container, oldest first."""
        found = sorted((int(path.name), path) for path in (self.path / "containers" / container).glob("[0-9]*"))
        return [Run(number, RunDirectory(path), _image(path)) for number, path in found]

    def all_runs(self) -> Iterator[Run]:
        """The kept runs of every container."""
        for path in (self.path / "containers").glob("*"):
            yield from self.runs(path.name)

    def next_run(self, container: str, image: str) -> RunDirectory:
        """Make the directory of the next run, and drop those that are no longer kept."""
        runs = self.runs(container)
        number = runs[-1].number + 1 if runs else 0
        path = self.path / "containers" / container / str(number)
        path.mkdir(mode=0o700, parents=True)
        write_json(path / "image.json", {"id": image})
        for old in runs[: -(_KEPT_RUNS - 1)]:
            shutil.rmtree(old.directory.path)
        return RunDirectory(path)


class PodStore:
    """The directories of all Pods of the node; nobody else writes here."""

    def __init__(self, root: Path) -> None:
        self._root = root
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._known = {path.name: directory for path in root.iterdir() if (directory := _load(path))}

    def make(self, namespace: str, name: str, uid: str) -> PodDirectory:
        """The directory of a Pod, made if it is not there."""
        if uid not in self._known:
            directory = PodDirectory(self._root / uid, namespace, name)
            directory.path.mkdir(mode=0o700, exist_ok=True)
            write_json(directory.path / "pod.json", {"namespace": namespace, "name": name})
            self._known[uid] = directory
        return self._known[uid]

    def all(self) -> list[PodDirectory]:
        """Every Pod that has left something on disk."""
        return list(self._known.values())

    def of(self, uid: str) -> PodDirectory | None:
        """The directory of a Pod by its uid."""
        return self._known.get(uid)

    def owner(self, run: Path) -> PodDirectory | None:
        """The Pod that a run's directory belongs to."""
        return self.of(run.relative_to(self._root).parts[0])

    def remove(self, directory: PodDirectory) -> None:
        """Drop everything of a Pod."""
        shutil.rmtree(directory.path)
        self._known.pop(directory.uid, None)


def _load(path: Path) -> PodDirectory | None:
    found = read_json(path / "pod.json")
    return PodDirectory(path, found["namespace"], found["name"]) if found else None


def _image(run: Path) -> str:
    return str((read_json(run / "image.json") or {}).get("id", ""))
