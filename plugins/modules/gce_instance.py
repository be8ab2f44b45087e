#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A lab's instance in Google Compute Engine is as wanted and lets us in, or is gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: gce_instance
short_description: Keep a lab's machine in Google Compute Engine
version_added: 0.1.0
description:
  - Makes an instance, its disk, a key pair for ssh and a firewall rule that lets ssh in from named ranges alone, and
    waits until a login works. Runs on the controller.
  - Compute Engine itself deletes the instance after O(keep_hours), so one that was forgotten costs no more than that.
    Labels say when it expires and that this collection made it; what it did not make is never touched.
  - The instance's host keys are taken from its guest attributes, by which it tells them to Compute Engine, and written
    to a C(known_hosts) of the lab. One that a server merely shows is not accepted.
  - Where the project or its organization wants OS Login, the key is imported there for the account of the
    credentials; otherwise it is in the instance's metadata, which then ignores the project's keys.
  - The instance has no service account, so what runs on it has no rights in the project.
  - When a zone has no room, the next of O(zones) is tried. Rate limits and passing errors are waited out.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.gce
options:
  name:
    description: Name of the instance, its disk and its network tag; the firewall rule is called C(NAME-ssh).
    type: str
    required: true
  lab:
    description: Name of the lab. It is in the labels.
    type: str
    required: true
  directory:
    description:
      - Directory on the controller for C(id_ed25519), C(id_ed25519.pub) and C(known_hosts). It is the lab's own
        (mode 0700) and removed with O(state=absent).
    type: path
    required: true
  state:
    description:
      - V(started) is an instance that lets us in, V(stopped) one that rests (its disk still costs).
      - V(absent) removes all that was made, also after a creation that failed half-way.
    type: str
    choices: [started, stopped, absent]
    default: started
  recreate:
    description:
      - Whether an instance that differs in what cannot be changed (machine type, image family, disk, longest run,
        who gets in) is deleted, with all that is on it, and made anew. Otherwise the differences are an error.
    type: bool
    default: false
  zones:
    description: Zones to try, in this order. An instance that is there already stays where it is.
    type: list
    elements: str
    default: [europe-west1-b, europe-west1-c, europe-west1-d]
  machine_type:
    description: Machine type.
    type: str
    default: e2-standard-4
  image_project:
    description: Project that has the image.
    type: str
    default: ubuntu-os-cloud
  image_family:
    description: Image family; the newest image of it is taken. The image must have Google's guest agent.
    type: str
    default: ubuntu-2404-lts-amd64
  disk_gigabytes:
    description: Size of the boot disk in GB.
    type: int
    default: 30
  disk_type:
    description: Kind of the boot disk.
    type: str
    choices: [pd-standard, pd-balanced, pd-ssd]
    default: pd-balanced
  network:
    description: Network, by name or link.
    type: str
    default: default
  subnetwork:
    description: Subnetwork by link, where the network has none of its own for each region.
    type: str
  public_address:
    description: Whether it has a public address. Without one it is reached under its inner address.
    type: bool
    default: true
  keep_hours:
    description: Hours after which Compute Engine deletes it by itself, counted from its start; at most 2880.
    type: int
    default: 8
  labels:
    description: More labels for the instance and its disk.
    type: dict
    default: {}
  ssh_user:
    description: User on the instance; made by its guest agent, with sudo. OS Login has a name of its own instead.
    type: str
    default: edgelab
  ssh_port:
    description: Port of the instance's ssh server. One other than 22 takes an image that listens there.
    type: int
    default: 22
  ssh_ranges:
    description:
      - Ranges of addresses that ssh is let in from, such as V(203.0.113.7/32). Required unless O(state=absent).
    type: list
    elements: str
    default: []
  allow_any_address:
    description: Whether O(ssh_ranges) may hold C(0.0.0.0/0) or C(::/0).
    type: bool
    default: false
  os_login:
    description: Use OS Login also where the project does not say so. Where it does, it is used anyway.
    type: bool
    default: false
  timeout:
    description: Seconds to wait for the instance to run, for its host keys and for a login, each.
    type: int
    default: 300
attributes:
  check_mode:
    description: Asks all that it can without changing anything. Room in a zone and quota are not among it.
    support: full
  diff_mode:
    description: The steps that are done.
    support: full
  idempotent:
    description: Nothing is changed on an instance that is as wanted; a login is tried each time.
    support: full
"""

EXAMPLES = r"""
- name: Have a machine for the lab for four hours
  edgelab.akri.gce_instance:
    name: edgelab-workshop
    lab: workshop
    directory: "{{ ansible_env.HOME }}/.local/state/edgelab-machines/workshop"
    project: my-project
    zones: [europe-west1-b, europe-west4-a]
    keep_hours: 4
    ssh_ranges: [203.0.113.7/32]
  register: machine

- name: Take it away
  edgelab.akri.gce_instance:
    name: edgelab-workshop
    lab: workshop
    directory: "{{ ansible_env.HOME }}/.local/state/edgelab-machines/workshop"
    project: my-project
    state: absent
"""

RETURN = r"""
steps:
  description: What was done, or would be.
  returned: success
  type: list
  elements: str
  sample:
    - make the key pair edgelab-workshop
    - let ssh in by firewall rule edgelab-workshop-ssh
    - create instance edgelab-workshop in europe-west1-b
    - note the host key of edgelab-workshop
instance:
  description: The instance, and how to get in when it runs; null where there is none.
  returned: success
  type: dict
  sample:
    name: edgelab-workshop
    lab: workshop
    zone: europe-west1-b
    status: RUNNING
    address: 203.0.113.80
    machine_type: e2-standard-4
    labels: {edgelab-lab: workshop, edgelab-made-by: edgelab-akri, edgelab-expires: "1795294800"}
    expires: 1795294800
    os_login: false
    user: edgelab
    port: 22
    private_key: /home/ada/.local/state/edgelab-machines/workshop/id_ed25519
    known_hosts: /home/ada/.local/state/edgelab-machines/workshop/known_hosts
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import Compute
from ansible_collections.edgelab.akri.plugins.module_utils._gce_instance import absent, present
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import Wanted
from ansible_collections.edgelab.akri.plugins.module_utils._gce_module import GCE_SPEC, run
from ansible_collections.edgelab.akri.plugins.module_utils._gce_oslogin import OsLogin
from ansible_collections.edgelab.akri.plugins.module_utils._gce_wait import Patience
from ansible_collections.edgelab.akri.plugins.module_utils._gce_work import Access
from ansible_collections.edgelab.akri.plugins.module_utils._ssh import Files

SPEC = {
    **GCE_SPEC,
    "name": {"type": "str", "required": True},
    "lab": {"type": "str", "required": True},
    "directory": {"type": "path", "required": True},
    "state": {"type": "str", "choices": ["started", "stopped", "absent"], "default": "started"},
    "recreate": {"type": "bool", "default": False},
    "zones": {"type": "list", "elements": "str", "default": ["europe-west1-b", "europe-west1-c", "europe-west1-d"]},
    "machine_type": {"type": "str", "default": "e2-standard-4"},
    "image_project": {"type": "str", "default": "ubuntu-os-cloud"},
    "image_family": {"type": "str", "default": "ubuntu-2404-lts-amd64"},
    "disk_gigabytes": {"type": "int", "default": 30},
    "disk_type": {"type": "str", "choices": ["pd-standard", "pd-balanced", "pd-ssd"], "default": "pd-balanced"},
    "network": {"type": "str", "default": "default"},
    "subnetwork": {"type": "str"},
    "public_address": {"type": "bool", "default": True},
    "keep_hours": {"type": "int", "default": 8},
    "labels": {"type": "dict", "default": {}},
    "ssh_user": {"type": "str", "default": "edgelab"},
    "ssh_port": {"type": "int", "default": 22},
    "ssh_ranges": {"type": "list", "elements": "str", "default": []},
    "allow_any_address": {"type": "bool", "default": False},
    "os_login": {"type": "bool", "default": False},
    "timeout": {"type": "int", "default": 300},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode

    def work(compute: Compute, os_login: OsLogin) -> dict[str, Any]:
        access = Access(compute, os_login, Files(Path(given["directory"])), Patience(given["timeout"]))
        if given["state"] == "absent":
            return absent(given["name"], given["lab"], access, os_login=given["os_login"], dry_run=dry_run)
        return present(Wanted.from_params(given), access, recreate=given["recreate"], dry_run=dry_run)

    run(module, work)


if __name__ == "__main__":
    main()
