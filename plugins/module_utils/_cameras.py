# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Have virtual cameras that deliver frames, as services of systemd; or have none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _cameras_model as model
from ansible_collections.edgelab.akri.plugins.module_utils._frames import see
from ansible_collections.edgelab.akri.plugins.module_utils._host import (
    HostError,
    command,
    difference,
    differing,
    write,
)


def present(wanted: Sequence[model.Camera], picture: model.Picture, *, seconds: float, dry_run: bool) -> dict[str, Any]:
    """Have exactly these cameras. In a dry run neither devices nor GStreamer need be there yet."""
    if not dry_run:
        _refuse_missing(wanted)
    outcome = _apply({camera.unit: model.unit(camera, picture) for camera in wanted}, dry_run=dry_run)
    if not dry_run:
        for camera in wanted:
            _see(camera, seconds)
    return {**outcome, "units": [camera.unit for camera in wanted]}


def absent(*, dry_run: bool) -> dict[str, Any]:
    """End all cameras and remove their units and their cache."""
    return {**_apply({}, dry_run=dry_run), "units": []}


def _apply(wanted: Mapping[str, str], *, dry_run: bool) -> dict[str, Any]:
    found = _found()
    texts: dict[str, str | None] = {**dict.fromkeys(found), **wanted}
    changes = differing({model.UNITS / name: text for name, text in texts.items()})
    plan = model.plan(list(wanted), [path.name for path in changes], found)
    result = {"changed": bool(changes or any((plan.end, plan.enable, plan.start))), "diff": difference(changes)}
    if not dry_run:
        _act(plan, changes)
    return result


def _act(plan: model.Plan, changes: Mapping[Path, str | None]) -> None:
    if plan.end:
        command(["systemctl", "disable", "--now", *plan.end])
    if plan.last:
        command(["systemctl", "clean", "--what=cache", plan.end[-1]])
    write(changes)
    if changes:
        command(["systemctl", "daemon-reload"])
    if plan.enable:
        command(["systemctl", "enable", *plan.enable])
    if plan.start:
        command(["systemctl", "restart", *plan.start])


def _found() -> dict[str, model.Found]:
    """Our units by their names."""
    names = sorted(path.name for path in model.UNITS.glob(f"{model.PREFIX}*.service"))
    if not names:
        return {}
    shown = command(["systemctl", "show", "--property=ActiveState,UnitFileState", *names])
    return dict(zip(names, states(shown), strict=True))


def states(shown: str) -> list[model.Found]:
    """What `systemctl show` says, a paragraph a unit."""
    paragraphs = [dict(re.findall(r"^(\w+)=(.*)$", text, re.MULTILINE)) for text in shown.strip().split("\n\n")]
    return [
        model.Found(active=said["ActiveState"] == "active", enabled=said["UnitFileState"] == "enabled")
        for said in paragraphs
    ]


def _refuse_missing(wanted: Sequence[model.Camera]) -> None:
    missing = [camera.device for camera in wanted if not Path(camera.device).exists()]
    if missing:
        raise HostError(
            f"Stream into {', '.join(missing)}: no such device. The role v4l2loopback makes them. "
            "Where a kernel has no modules, use network cameras."
        )


def _see(camera: model.Camera, seconds: float) -> None:
    told = see(Path(camera.device), seconds=seconds, moving=camera.pattern in model.MOVING)
    if not told:
        return
    said = command(["journalctl", "--unit", camera.unit, "--lines=5", "--output=cat", "--no-pager"], codes=(0, 1))
    raise HostError(
        f"Waited {seconds:.0f} s for frames of {camera.device}: {told}. {camera.unit} said last: "
        f"{' / '.join(said.split(chr(10))).strip(' /')}. See its journal: journalctl --unit {camera.unit}."
    )
