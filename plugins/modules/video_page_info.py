#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Cameras on a page show moving pictures: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: video_page_info
short_description: See that cameras on a page show moving pictures
version_added: 0.2.0
description:
  - Fetches pictures of each camera from a page of cameras until there were two that differ.
  - What is on the page came from the cameras' brokers, so the whole way from camera to page is seen.
author: The edgelab.akri authors (!UNKNOWN)
options:
  url:
    description: Where the page is, for this host.
    type: str
    required: true
  cameras:
    description: The cameras, by the names of their Instances.
    type: list
    elements: str
    required: true
  timeout:
    description: Seconds to wait for all of them together. In check mode nothing is fetched.
    type: float
    default: 60
attributes:
  check_mode:
    description: Changes nothing; in check mode it fetches nothing.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
"""

EXAMPLES = r"""
- name: See that both cameras show moving pictures
  edgelab.akri.video_page_info:
    url: http://127.0.0.1:24017/
    cameras: [akri-video-aae70c, akri-video-1f3c22]
"""

RETURN = r"""
cameras:
  description: The cameras, by name, with the size of the last picture that was fetched; none in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - name: akri-video-aae70c
      picture_bytes: 21437
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._video_page import see_moving

SPEC = {
    "url": {"type": "str", "required": True},
    "cameras": {"type": "list", "elements": "str", "required": True},
    "timeout": {"type": "float", "default": 60},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params

    def work() -> dict[str, Any]:
        seen = {} if module.check_mode else see_moving(given["url"], given["cameras"], seconds=given["timeout"])
        return {"cameras": [{"name": name, "picture_bytes": len(picture)} for name, picture in sorted(seen.items())]}

    run(module, work)


if __name__ == "__main__":
    main()
