"""What is known of a Pod's containers, read from disk."""

from lightkube.models.core_v1 import Pod

from edgelab.node.containers.runtime import Containers
from edgelab.node.pods.decisions import View
from edgelab.node.pods.files import PodDirectory, Run


def views(pod: Pod, directory: PodDirectory, containers: Containers) -> dict[str, View]:
    """A view of each container, init containers included."""
    assert pod.spec is not None
    names = [container.name for container in (*(pod.spec.initContainers or ()), *pod.spec.containers)]
    return {name: _view(directory.runs(name), containers) for name in names}


def _view(runs: list[Run], containers: Containers) -> View:
    if not runs:
        return View()
    newest, before = runs[-1], runs[-2] if len(runs) > 1 else None
    return View(
        number=newest.number,
        image=newest.image,
        running=containers.is_running(newest.directory),
        start=newest.directory.start(),
        exit=newest.directory.exit(),
        last_start=before.directory.start() if before else None,
        last_exit=before.directory.exit() if before else None,
    )
