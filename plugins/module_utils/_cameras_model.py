# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Virtual cameras as systemd units: what each unit says, and how the units that are there differ. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._host import HostError

UNITS = Path("/etc/systemd/system")
PREFIX = "edgelab-camera-"
MOVING = frozenset({"ball", "smpte", "snow"})
"""Patterns of which no two frames are the same."""
_DEVICE = re.compile(r"/dev/(video\d+)")
# What a GStreamer pipeline onto one device can do without is taken away. It writes machine code at run time, so memory
# that is both written and executed stays allowed.
_UNIT = """\
# Written by the role edgelab.akri.virtual_cameras.
[Unit]
Description=Virtual camera {device}: {pattern}
After=systemd-modules-load.service
StartLimitIntervalSec=0

[Service]
ExecStart=/usr/bin/gst-launch-1.0 --quiet {pipeline}
Restart=always
RestartSec=2
User=edgelab-camera
DynamicUser=yes
SupplementaryGroups=video
CacheDirectory=edgelab-camera
Environment=GST_REGISTRY=/var/cache/edgelab-camera/{name}.bin
DevicePolicy=closed
DeviceAllow={device} rw
CapabilityBoundingSet=
LockPersonality=yes
NoNewPrivileges=yes
PrivateNetwork=yes
PrivateTmp=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHome=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
ProtectSystem=strict
RestrictAddressFamilies=AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service

[Install]
WantedBy=multi-user.target
"""


@dataclass(frozen=True, slots=True)
class Picture:
    """What all cameras show: pixels, and frames a second."""

    width: int
    height: int
    framerate: int


@dataclass(frozen=True, slots=True)
class Camera:
    """One stream into one device."""

    device: str
    pattern: str

    @property
    def unit(self) -> str:
        """Its systemd unit."""
        return f"{PREFIX}{Path(self.device).name}.service"


@dataclass(frozen=True, slots=True)
class Found:
    """A unit as systemd has it."""

    active: bool
    enabled: bool


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do with units, by their names."""

    end: tuple[str, ...]
    enable: tuple[str, ...]
    start: tuple[str, ...]
    """Start, or start again."""
    last: bool = False
    """Whether no camera is left, to use the cache that they share."""


def cameras(given: Sequence[Mapping[str, str]]) -> tuple[Camera, ...]:
    """The cameras of a list of device and pattern. Raises HostError."""
    wanted = tuple(Camera(item["device"], item["pattern"]) for item in given)
    wrong = [camera.device for camera in wanted if not _DEVICE.fullmatch(camera.device)]
    if wrong:
        raise HostError(f"Not a video device: {wrong[0]}. A camera's device is /dev/video and its number.")
    if len({camera.device for camera in wanted}) < len(wanted):
        raise HostError("Two cameras have the same device; each needs one of its own.")
    return wanted


def unit(camera: Camera, picture: Picture) -> str:
    """The text of a camera's unit.

    avenc_mjpeg, since jpegenc and v4l2sink never agree on a format.
    """
    size = f"width={picture.width},height={picture.height},framerate={picture.framerate}/1"
    pipeline = (
        f"videotestsrc is-live=true pattern={camera.pattern} ! video/x-raw,{size} ! avenc_mjpeg ! "
        f"v4l2sink device={camera.device}"
    )
    return _UNIT.format(device=camera.device, pattern=camera.pattern, pipeline=pipeline, name=Path(camera.device).name)


def plan(wanted: Sequence[str], changed: Sequence[str], found: Mapping[str, Found]) -> Plan:
    """What makes the units that were found into those that are wanted; `changed` are those whose files differ."""
    idle = Found(active=False, enabled=False)
    return Plan(
        end=tuple(sorted(set(found) - set(wanted))),
        enable=tuple(name for name in wanted if not found.get(name, idle).enabled),
        start=tuple(name for name in wanted if name in changed or not found.get(name, idle).active),
        last=bool(found) and not wanted,
    )
