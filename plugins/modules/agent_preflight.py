#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Akri's own agent can run beside the Wasm node here: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: agent_preflight
short_description: See whether Akri's own agent can run here
version_added: 0.1.0
description:
  - Fails, with the reason and what to do, where Akri's own agent cannot run beside a lab's Wasm node - without root,
    beside a real kubelet, where the node has its device plugins elsewhere, or where nobody said that its metrics may be
    open to everybody.
author: The edgelab.akri authors (!UNKNOWN)
options:
  state_dir:
    description: State directory of the lab.
    type: path
    required: true
  run_dir:
    description: Run directory of the lab.
    type: path
    required: true
  node:
    description: Name of the lab's process that is the Wasm node.
    type: str
    default: node
  program:
    description: The agent, where it is a file of the user's.
    type: path
  metrics_port:
    description: Port at which the agent would serve its metrics.
    type: int
    required: true
  open_metrics:
    description: Whether everybody who reaches the machine may read them.
    type: bool
    required: true
attributes:
  check_mode:
    description: A Wasm node that does not run yet is no reason to fail then.
    support: full
  diff_mode:
    description: Nothing is ever changed.
    support: full
  idempotent:
    description: Nothing is ever changed.
    support: full
"""

EXAMPLES = r"""
- name: See whether Akri's own agent can run here
  edgelab.akri.agent_preflight:
    state_dir: "{{ lab_paths.state }}"
    run_dir: "{{ lab_paths.run }}"
    metrics_port: 8080
    open_metrics: true
"""

RETURN = r""" # """

import platform
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._agent_preflight import check_program, look, refusal
from ansible_collections.edgelab.akri.plugins.module_utils._binary_model import architecture_of
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._processes import places

SPEC = {
    "state_dir": {"type": "path", "required": True},
    "run_dir": {"type": "path", "required": True},
    "node": {"type": "str", "default": "node"},
    "program": {"type": "path"},
    "metrics_port": {"type": "int", "required": True},
    "open_metrics": {"type": "bool", "required": True},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given = module.params

    def work() -> dict[str, Any]:
        if given["program"]:
            check_program(Path(given["program"]), architecture_of(platform.machine()))
        error = refusal(
            look(places(given), given["node"]),
            metrics_port=given["metrics_port"],
            open_metrics=given["open_metrics"],
            dry_run=module.check_mode,
        )
        if error:
            raise error
        return {"changed": False}

    run(module, work)


if __name__ == "__main__":
    main()
