#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Test streams run as services and deliver frames, or are gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: virtual_cameras
short_description: Stream test pictures into video devices
version_added: 0.1.0
description:
  - Runs one systemd service for each camera, in which GStreamer streams a test pattern as motion JPEG into a device of
    v4l2loopback. A service that fails is started again, and all of them start at boot.
  - Succeeds when each camera delivers pictures, different ones where its pattern moves. Cameras of earlier calls that
    are not given any more are removed.
author: The edgelab.akri authors (!UNKNOWN)
options:
  cameras:
    description: The cameras. Required for O(state=present).
    type: list
    elements: dict
    suboptions:
      device:
        description: Device to stream into.
        type: str
        required: true
      pattern:
        description: What to show. All but V(checkers-8) and V(colors) move.
        type: str
        choices: [smpte, ball, snow, checkers-8, colors]
        default: smpte
  width:
    description: Width of the picture in pixels.
    type: int
    default: 640
  height:
    description: Height of the picture in pixels.
    type: int
    default: 480
  framerate:
    description: Frames a second.
    type: int
    default: 10
  timeout:
    description: Seconds to wait for the pictures of each camera.
    type: int
    default: 120
  state:
    description: V(absent) ends and removes all cameras of this module.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Starts nothing and waits for nothing; devices and GStreamer need not be there yet.
    support: full
  diff_mode:
    description: The units.
    support: full
  idempotent:
    description: Compares units and their states with what is wanted.
    support: full
"""

EXAMPLES = r"""
- name: Stream into two devices
  edgelab.akri.virtual_cameras:
    cameras:
      - {device: /dev/video10, pattern: smpte}
      - {device: /dev/video11, pattern: ball}
  become: true
"""

RETURN = r"""
units:
  description: The services of the cameras.
  returned: success
  type: list
  elements: str
  sample: [edgelab-camera-video10.service, edgelab-camera-video11.service]
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils import _cameras, _cameras_model
from ansible_collections.edgelab.akri.plugins.module_utils._host import run

PATTERNS = ["smpte", "ball", "snow", "checkers-8", "colors"]
CAMERA = {
    "device": {"type": "str", "required": True},
    "pattern": {"type": "str", "choices": PATTERNS, "default": "smpte"},
}
SPEC = {
    "cameras": {"type": "list", "elements": "dict", "options": CAMERA},
    "width": {"type": "int", "default": 640},
    "height": {"type": "int", "default": 480},
    "framerate": {"type": "int", "default": 10},
    "timeout": {"type": "int", "default": 120},
    "state": {"choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    required = [("state", "present", ["cameras"])]
    module = AnsibleModule(argument_spec=SPEC, required_if=required, supports_check_mode=True)
    given = module.params

    def work() -> dict[str, Any]:
        if given["state"] == "absent":
            return _cameras.absent(dry_run=module.check_mode)
        picture = _cameras_model.Picture(given["width"], given["height"], given["framerate"])
        wanted = _cameras_model.cameras(given["cameras"])
        return _cameras.present(wanted, picture, seconds=given["timeout"], dry_run=module.check_mode)

    run(module, work)


if __name__ == "__main__":
    main()
