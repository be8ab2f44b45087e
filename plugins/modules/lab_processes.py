#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A group of supervised processes runs as described and is ready, or is gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: lab_processes
short_description: Keep processes of a lab running and ready
version_added: 0.1.0
description:
  - Runs processes under a supervisord of the lab's own, which it starts when it does not run. No root is needed.
  - A process that ends comes back by itself; supervisord never gives up, but waits longer each time.
  - Between supervisord and each program stands C(edgelab hold). A program outlives a killed supervisord, and the next
    one takes it over.
  - Processes are started in the order given, each when the one before is ready.
author: The edgelab.akri authors (!UNKNOWN)
options:
  state_dir:
    description: State directory of the lab. Configuration goes to C(supervisor) in it, logs to C(log).
    type: path
    required: true
  run_dir:
    description: Run directory of the lab, for supervisord's socket.
    type: path
    required: true
  processes:
    description: What is to run. Required when O(state=present).
    type: list
    elements: dict
    suboptions:
      name:
        description: Name of the process, for its log and in messages.
        type: str
        required: true
      argv:
        description: The program and its arguments. Secrets do not belong here, since everybody can read them.
        type: list
        elements: str
        required: true
      environment:
        description:
          - Environment variables beyond C(PATH), C(HOME) and C(LANG). A value may have no quotes and no line break.
        type: dict
        default: {}
      restart_on:
        description: Files and directories whose change restarts the process, as that of the program itself does.
        type: list
        elements: path
        default: []
      stop_seconds:
        description: Seconds that the program has to end after O(processes[].stop_signal), before SIGKILL.
        type: int
        default: 10
      stop_signal:
        description: The signal that asks the program to end.
        type: str
        choices: [TERM, INT]
        default: TERM
      ready:
        description: How to see that the process is ready. Without it, the process is ready when it runs.
        type: dict
        suboptions:
          https:
            description: This URL answers 200.
            type: str
          ca:
            description: CA certificates that vouch for the server of O(processes[].ready.https).
            type: path
          client_certificate:
            description: Client certificate for O(processes[].ready.https).
            type: path
          client_key:
            description: Key of O(processes[].ready.client_certificate).
            type: path
          tcp:
            description: The program listens on this C(HOST:PORT).
            type: str
          unix:
            description: The program listens on this Unix socket.
            type: path
          status:
            description: The program says on this status socket that it is ready.
            type: path
  names:
    description: Names of the processes to remove. Required when O(state=absent).
    type: list
    elements: str
  wait:
    description: Seconds that each process may take to become ready.
    type: float
    default: 60
  state:
    description:
      - V(present) runs the processes, V(absent) ends them in reverse order.
      - With the last process supervisord ends too.
    type: str
    choices: [present, absent]
    default: present
attributes:
  check_mode:
    description: Says what it would start or restart.
    support: full
  diff_mode:
    description: The configuration of each process that changes, without the values of environment variables.
    support: full
  idempotent:
    description: A process that runs as described stays as it is.
    support: full
"""

EXAMPLES = r"""
- name: Run the store of the API server
  edgelab.akri.lab_processes:
    state_dir: "{{ lab_paths.state }}"
    run_dir: "{{ lab_paths.run }}"
    processes:
      - name: etcd
        argv:
          - "{{ binaries_paths.etcd }}"
          - "--data-dir={{ lab_paths.state }}/etcd"
        restart_on:
          - "{{ lab_paths.pki }}/etcd.crt"
        ready:
          https: "https://127.0.0.1:{{ lab_ports.etcd_client }}/health"
          ca: "{{ lab_paths.pki }}/ca.crt"
          client_certificate: "{{ lab_paths.pki }}/etcd-client.crt"
          client_key: "{{ lab_paths.pki }}/etcd-client.key"

- name: Stop it again
  edgelab.akri.lab_processes:
    state_dir: "{{ lab_paths.state }}"
    run_dir: "{{ lab_paths.run }}"
    names: [etcd]
    state: absent
"""

RETURN = r"""
processes:
  description:
    - Each process with the pid of its program and what was done (in check mode, would be done).
    - C(action) is one of C(kept), C(started), C(restarted), C(adopted) (its program ran on without a supervisor),
      C(stopped).
  returned: success
  type: list
  elements: dict
  sample:
    - name: etcd
      pid: 4711
      action: started
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run
from ansible_collections.edgelab.akri.plugins.module_utils._processes import absent, places, present
from ansible_collections.edgelab.akri.plugins.module_utils._processes_model import Process

READY = {
    "https": {"type": "str"},
    "ca": {"type": "path"},
    "client_certificate": {"type": "path"},
    "client_key": {"type": "path", "no_log": False},
    "tcp": {"type": "str"},
    "unix": {"type": "path"},
    "status": {"type": "path"},
}
PROCESS = {
    "name": {"type": "str", "required": True},
    "argv": {"type": "list", "elements": "str", "required": True},
    "environment": {"type": "dict", "default": {}},
    "restart_on": {"type": "list", "elements": "path", "default": []},
    "stop_seconds": {"type": "int", "default": 10},
    "stop_signal": {"type": "str", "choices": ["TERM", "INT"], "default": "TERM"},
    "ready": {
        "type": "dict",
        "options": READY,
        "mutually_exclusive": [("https", "tcp", "unix", "status")],
        "required_one_of": [("https", "tcp", "unix", "status")],
        "required_together": [("client_certificate", "client_key")],
    },
}
SPEC = {
    "state_dir": {"type": "path", "required": True},
    "run_dir": {"type": "path", "required": True},
    "processes": {"type": "list", "elements": "dict", "options": PROCESS},
    "names": {"type": "list", "elements": "str"},
    "wait": {"type": "float", "default": 60},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(
        argument_spec=SPEC,
        supports_check_mode=True,
        required_if=[("state", "present", ["processes"]), ("state", "absent", ["names"])],
    )
    given, dry_run = module.params, module.check_mode

    def work() -> dict[str, Any]:
        if given["state"] == "absent":
            return absent(places(given), given["names"], dry_run=dry_run)
        wanted = [Process.from_params(each) for each in given["processes"]]
        return present(places(given), wanted, wait=given["wait"], dry_run=dry_run)

    run(module, work)


if __name__ == "__main__":
    main()
