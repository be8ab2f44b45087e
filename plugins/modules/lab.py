#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""The directories of a lab are ours, locked and have ports; or they are gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab
short_description: Make or remove the directories of a lab
version_added: 0.1.0
description:
  - Makes the state, run and cache directories of a lab, private to the user, and chooses its ports, which are free now
    and kept from then on.
  - Takes the lab's lock for the running playbook. While that runs, another one is refused. The lock names the process
    and needs no release.
  - Never touches a directory that is not this lab's own.
author: The edgelab.akri authors (!UNKNOWN)
options:
  name:
    description: Name of the lab, up to 32 of C(a-z), C(0-9) and C(-).
    type: str
    default: default
  ports:
    description:
      - Ports to use instead of chosen ones, by name, e.g. C(kube_apiserver). They are kept too.
      - An occupied one is no error here; the start of the process that wants it tells who holds it.
    type: dict
    default: {}
  state:
    description:
      - V(absent) removes the state and run directories, unless a process of the lab still runs. The cache stays.
    type: str
    choices: [present, absent]
    default: present
  end_processes:
    description:
      - Whether V(state=absent) ends the lab's processes first, those of its Pods too. Nothing of the lab needs to
        answer for that, so it also works on a lab that is damaged or half built.
    type: bool
    default: false
  playbook:
    description: The playbook that takes the lock, where it runs on another machine. The action plugin says it.
    type: dict
attributes:
  check_mode:
    description: Tells the same paths and ports as a run would (a port may be taken in between).
    support: full
  diff_mode:
    description: Directories and the marker file that are written.
    support: full
  idempotent:
    description: Taking the lock does not count as a change.
    support: full
"""

EXAMPLES = r"""
- name: Make the lab's directories
  edgelab.akri.lab:
    name: workshop
    ports:
      kube_apiserver: 6443
  register: lab

- name: Take them away
  edgelab.akri.lab:
    name: workshop
    state: absent
"""

RETURN = r"""
paths:
  description: The places that the parts of a lab share.
  returned: success
  type: dict
  sample:
    state: /home/ada/.local/state/edgelab/workshop
    run: /tmp/edgelab-1000-3f2a1c
    cache: /home/ada/.cache/edgelab
    kubeconfig: /home/ada/.local/state/edgelab/workshop/kubeconfig
ports:
  description: The port of each process that listens on one.
  returned: when O(state=present)
  type: dict
  sample:
    kube_apiserver: 6443
    etcd_client: 20418
is_new:
  description: The lab did not exist before.
  returned: when O(state=present)
  type: bool
  sample: true
user:
  description: The user whose lab it is and as whom its processes run.
  returned: when O(state=present)
  type: dict
  sample:
    name: ada
    uid: 1000
"""

import contextlib
import os
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab import absent, present
from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import caller
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run

with contextlib.suppress(ImportError):  # run() says that the runtime is missing
    from edgelab.core.layout import layout

SPEC = {
    "name": {"type": "str", "default": "default"},
    "ports": {"type": "dict", "default": {}},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "end_processes": {"type": "bool", "default": False},
    "playbook": {"type": "dict"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode

    def work() -> dict[str, Any]:
        place = layout(given["name"], os.environ, os.getuid())
        if given["state"] == "absent":
            return absent(place, caller(given["playbook"]), end_processes=given["end_processes"], dry_run=dry_run)
        forced = {name: int(port) for name, port in given["ports"].items()}
        return present(place, forced, caller(given["playbook"]), dry_run=dry_run)

    run(module, work)


if __name__ == "__main__":
    main()
