#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""MicroK8s is there for a lab, or what the lab did to it is undone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: microk8s
short_description: Have MicroK8s from a pinned channel, or undo what a lab did to it
version_added: 0.1.0
description:
  - Installs the snap microk8s from a channel (and snapd by C(apt-get), where it is missing), holds it against refreshes
    by itself, puts users into its group and waits until it is ready. Needs root.
  - A MicroK8s that is there already is used as it is. It changes its channel only with O(refresh), unless a lab
    installed it.
  - A machine's MicroK8s belongs to one lab at a time. What the lab changed is recorded in
    C(/var/lib/edgelab/microk8s.json), by this module and by M(edgelab.akri.microk8s_addon) and
    M(edgelab.akri.microk8s_arguments), and undone by O(state=absent).
author: The edgelab.akri authors (!UNKNOWN)
options:
  lab:
    description: The lab's state directory. Its owner is who uses MicroK8s, unless O(users) says otherwise.
    type: path
    required: true
  channel:
    description: Track and risk, as in C(1.35/stable). Required unless O(state=absent).
    type: str
  refresh:
    description: Whether a MicroK8s that no lab installed may change to O(channel). It cannot go back safely.
    type: bool
    default: false
  hold:
    description: Whether it is kept from refreshing by itself, which restarts the cluster at any time.
    type: bool
    default: true
  users:
    description: Who may use it without sudo, from their next login on.
    type: list
    elements: str
    default: []
  wait:
    description: How long it may take to become ready, in seconds.
    type: int
    default: 300
  state:
    description:
      - V(absent) removes MicroK8s if the lab installed it, with all that is in it. Else it puts back arguments,
        disables the lab's addons, takes its users out of the group and lets the snap refresh by itself again, each as
        far as the lab did it. Of a MicroK8s that is another lab's nothing is changed.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Looks at everything, changes nothing.
    support: full
  diff_mode:
    description: Version, channel and hold before and after.
    support: full
  idempotent:
    description: Compares with what snapd says.
    support: full
"""

EXAMPLES = r"""
- name: Have MicroK8s
  edgelab.akri.microk8s:
    lab: "{{ lab_paths.state }}"
    channel: 1.35/stable
  become: true

- name: Undo what the lab did to it
  edgelab.akri.microk8s:
    lab: "{{ lab_paths.state }}"
    state: absent
  become: true
"""

RETURN = r"""
version:
  description: The version that is there, empty before it is installed.
  returned: when O(state=present)
  type: str
  sample: v1.35.1
channel:
  description: The channel that it follows.
  returned: when O(state=present)
  type: str
  sample: 1.35/stable
undoes:
  description: What goes, C(all) of MicroK8s, the lab's C(changes) or C(nothing).
  returned: when O(state=absent)
  type: str
  sample: all
commands:
  description: What was run, or would be, to get there.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [snap refresh --hold=forever microk8s]
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s import Host
from ansible_collections.edgelab.akri.plugins.module_utils._microk8s_snap import Wanted, absent, present

SPEC: dict[str, Any] = {
    "lab": {"type": "path", "required": True},
    "channel": {"type": "str"},
    "refresh": {"type": "bool", "default": False},
    "hold": {"type": "bool", "default": True},
    "users": {"type": "list", "elements": "str", "default": []},
    "wait": {"type": "int", "default": 300},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    required_if = [("state", "present", ["channel"])]
    module = AnsibleModule(argument_spec=SPEC, required_if=required_if, supports_check_mode=True)
    given, lab = module.params, Path(module.params["lab"])
    how: dict[str, Any] = {"wait": given["wait"], "dry_run": module.check_mode}
    if given["state"] == "absent":
        run(module, lambda: absent(Host(), lab, **how))
    wanted = Wanted(given["channel"], given["refresh"], given["hold"], tuple(given["users"]))
    run(module, lambda: present(Host(), lab, wanted, **how))


if __name__ == "__main__":
    main()
