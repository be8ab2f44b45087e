#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A discovery handler is registered with this node's agent: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: discovery_handler
short_description: Make sure that a discovery handler is registered with the agent of this node
version_added: 0.1.0
description:
  - Discovery handlers that can, register themselves; then the module waits until the agent knows the handler and
    changes nothing.
  - With O(keep), one that cannot is registered on its behalf, and the agent remembers it over its restarts.
  - It asks the status socket of the agent of this collection. An upstream agent has no list of its handlers and cannot
    forget one, so with it the module fails and says so.
author: The edgelab.akri authors (!UNKNOWN)
options:
  run_dir:
    description: Run directory of the lab, where the agent's status socket is.
    type: path
    required: true
  name:
    description: Name of the handler, as Configurations refer to it.
    type: str
    required: true
  endpoint:
    description:
      - Path of the handler's Unix socket, or C(http://HOST:PORT) when O(endpoint_type=NETWORK).
      - Without it, any endpoint registered under the name counts.
    type: str
  endpoint_type:
    description: How O(endpoint) is to be read.
    type: str
    choices: [UDS, NETWORK]
    default: UDS
  shared:
    description: Whether several nodes may see the same device. Counts with O(keep) only; others say it themselves.
    type: bool
    default: false
  keep:
    description: Register the handler on its behalf. It must be listening, which is seen by connecting to it.
    type: bool
    default: false
  discover:
    description:
      - Call Discover once with O(details) and return the devices found.
      - Refused while a Configuration uses the handler, because the call would disturb it.
    type: bool
    default: false
  details:
    description: Discovery details for O(discover).
    type: str
    default: ""
  timeout:
    description: Seconds to wait for the handler to register itself, and for its answer to O(discover).
    type: float
    default: 30
  state:
    description:
      - V(absent) takes back a registration that was made by O(keep).
      - It is refused for a handler that registered itself, since it would register again.
    type: str
    choices: [present, absent]
    default: present
requirements:
  - edgelab (the runtime of this collection)
attributes:
  check_mode:
    description: The agent is asked, nothing is registered or waited for, and no Discover call is made.
    support: full
  diff_mode:
    description: The registration before and after.
    support: full
  idempotent:
    description: A handler that is registered as described stays as it is.
    support: full
"""

EXAMPLES = r"""
- name: Wait until the proxy has registered its handler
  edgelab.akri.discovery_handler:
    run_dir: "{{ lab_paths.run }}"
    name: debugEcho

- name: Register a handler that cannot do so itself
  edgelab.akri.discovery_handler:
    run_dir: "{{ lab_paths.run }}"
    name: http
    endpoint: http://127.0.0.1:10000
    endpoint_type: NETWORK
    keep: true
"""

RETURN = r"""
handler:
  description: The handler as the agent knows it; empty when it does not.
  returned: success
  type: dict
  sample:
    name: debugEcho
    endpoint: /tmp/edgelab-1000-4f2a1c/akri/debugEcho.sock
    endpoint_type: UDS
    shared: true
    kept: false
    connected: true
    used_by: [default/akri-debug-echo]
    error: ""
devices:
  description: Ids of the devices that the handler reported.
  returned: when O(discover) is set
  type: list
  elements: str
  sample: [foo0]
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._handlers import (
    Agent,
    Wanted,
    discovered,
    ensure_absent,
    ensure_present,
)
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run

SPEC = {
    "run_dir": {"type": "path", "required": True},
    "name": {"type": "str", "required": True},
    "endpoint": {"type": "str"},
    "endpoint_type": {"type": "str", "choices": ["UDS", "NETWORK"], "default": "UDS"},
    "shared": {"type": "bool", "default": False},
    "keep": {"type": "bool", "default": False},
    "discover": {"type": "bool", "default": False},
    "details": {"type": "str", "default": ""},
    "timeout": {"type": "float", "default": 30},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, required_if=[("keep", True, ["endpoint"])], supports_check_mode=True)
    given, dry_run = module.params, module.check_mode
    wanted = Wanted(
        given["name"],
        given["endpoint"] or "",
        given["endpoint_type"],
        given["shared"],
        given["keep"],
        given["timeout"],
    )

    def work() -> dict[str, Any]:
        agent = Agent(Path(given["run_dir"]))
        if given["state"] == "absent":
            return ensure_absent(agent, wanted, dry_run=dry_run)
        result = ensure_present(agent, wanted, dry_run=dry_run)
        if given["discover"] and not dry_run:
            result["devices"] = discovered(agent, result["handler"], given["details"], given["timeout"])
        return result

    run(module, work)


if __name__ == "__main__":
    main()
