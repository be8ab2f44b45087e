#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A lab can work on this machine: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: See whether a lab can work on this machine
version_added: 0.1.0
description:
  - Compares the machine with what a cluster needs, and versions with a table of those that do not work together.
  - Fails with all that stands in the way at once, each with its remedy. Changes nothing.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.looks
options:
  lab:
    description: Name of the lab. One that exists already is not asked for memory, disk and ports.
    type: str
    default: default
  cluster:
    description: What the lab's cluster is made of; it is part of the messages.
    type: str
    required: true
  needs:
    description: What that cluster needs.
    type: dict
    default: {}
    suboptions:
      architectures:
        description: Names as C(uname -m) tells them; any by default.
        type: list
        elements: str
        default: []
      kernel:
        description: Range of Linux versions, for example V(>=4.19).
        type: str
        default: ""
      init:
        description: Name of process 1.
        type: str
        default: ""
      memory:
        description: Available memory in MiB.
        type: int
        default: 0
      disk:
        description: Free space in MiB where the lab keeps its state and its cache.
        type: int
        default: 0
      modules:
        description: Kernel modules, built in or to be loaded.
        type: list
        elements: str
        default: []
      ports:
        description: Ports that have to be free.
        type: list
        elements: int
        default: []
      installed:
        description: Path that is there once the cluster is installed. It has its memory, disk and ports then.
        type: path
  versions:
    description:
      - The versions that are to work together, by the names of the table's axes. One that is empty is not known.
      - C(cgroups) is added from the machine.
    type: dict
    default: {}
  incompatible:
    description: The table. Each row tells versions that do not work together.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: Name of the row, for O(accepted).
        type: str
        required: true
      when:
        description: Range of versions, or a name, by axis. All have to be true.
        type: dict
        required: true
      reason:
        description: What goes wrong.
        type: str
        required: true
      remedy:
        description: What to do instead.
        type: str
        required: true
      source:
        description: Where it is told.
        type: str
        default: ""
  accepted:
    description: Names of findings that are told as warnings instead.
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: See that there is enough memory for Kind
  edgelab.akri.preflight:
    cluster: kind
    needs:
      memory: 2048
"""

RETURN = r"""
findings:
  description: What was found and accepted.
  returned: success
  type: list
  elements: str
  sample: ["memory: 512 MiB of memory are available. A cluster of kind needs 2048: end other programs."]
"""

import contextlib
import os
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._preflight import (
    Incompatible,
    Needs,
    findings,
    incompatibilities,
)
from ansible_collections.edgelab.akri.plugins.module_utils._preflight_machine import look

with contextlib.suppress(ImportError):  # run() says so
    from edgelab.core.layout import layout

NEEDS = {
    "architectures": {"type": "list", "elements": "str", "default": []},
    "kernel": {"type": "str", "default": ""},
    "init": {"type": "str", "default": ""},
    "memory": {"type": "int", "default": 0},
    "disk": {"type": "int", "default": 0},
    "modules": {"type": "list", "elements": "str", "default": []},
    "ports": {"type": "list", "elements": "int", "default": []},
    "installed": {"type": "path"},
}
ROW = {
    "name": {"type": "str", "required": True},
    "when": {"type": "dict", "required": True},
    "reason": {"type": "str", "required": True},
    "remedy": {"type": "str", "required": True},
    "source": {"type": "str", "default": ""},
}
SPEC = {
    "lab": {"type": "str", "default": "default"},
    "cluster": {"type": "str", "required": True},
    "needs": {"type": "dict", "options": NEEDS, "default": {}},
    "versions": {"type": "dict", "default": {}},
    "incompatible": {"type": "list", "elements": "dict", "options": ROW, "default": []},
    "accepted": {"type": "list", "elements": "str", "default": []},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    run(module, lambda: judge(module))


def judge(module: AnsibleModule) -> dict[str, Any]:
    """Look, compare, and fail with what is not accepted."""
    given = module.params
    lab = layout(given["lab"], os.environ, os.getuid())
    needs = Needs(**given["needs"])
    machine = look(needs.modules, [lab.state, lab.cache])
    has_its_room = lab.marker.exists() or (needs.installed and Path(needs.installed).exists())
    found = [
        *findings(machine, needs, given["cluster"], is_new=not has_its_room),
        *incompatibilities(
            {"cgroups": machine.cgroups, **given["versions"]}, [Incompatible(**row) for row in given["incompatible"]]
        ),
    ]
    refused = [finding for finding in found if finding.name not in given["accepted"]]
    if refused:
        module.fail_json(
            msg="This lab cannot work here; nothing was changed.\n" + "\n".join(f"- {finding}" for finding in refused),
            findings=[str(finding) for finding in refused],
        )
    for finding in found:
        module.warn(str(finding))
    return {"changed": False, "findings": [str(finding) for finding in found]}


if __name__ == "__main__":
    main()
