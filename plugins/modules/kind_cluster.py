#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""A Kind cluster is as given, or gone: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kind_cluster
short_description: Have a Kind cluster as given, or none
version_added: 0.1.0
description:
  - Makes a Kubernetes cluster in containers with C(kind), compares one that is there with what was given, or takes it
    away. Compared are the configuration that the cluster was made with and what the engine has of it - nodes, their
    images and mounts, the networks.
  - Kind cannot change a cluster. One that differs is an error that tells how, unless O(recreate=true). One that an
    interrupted run left half made is made anew; stopped nodes, as after a reboot, are started.
  - Before it makes one it checks that the engine's containers reach this machine (rootless engines and Docker Desktop
    are refused), and control groups, memory, disk, inotify limits and ports.
author: The edgelab.akri authors (!UNKNOWN)
options:
  name:
    description: Name of the cluster.
    type: str
    required: true
  state:
    description: Whether the cluster is there as given, or gone with its volumes and kubeconfigs.
    type: str
    choices: [present, absent]
    default: present
  config:
    description: Kind's configuration of a cluster, C(kind.x-k8s.io/v1alpha4), without kind, version and name.
    type: dict
    default: {}
  image:
    description: Image of the nodes, best by digest. Empty stands for the one that this version of Kind was made for.
    type: str
    default: ""
  engine:
    description: Which container engine; V(auto) takes Docker where it answers, else Podman.
    type: str
    choices: [auto, docker, podman]
    default: auto
  recreate:
    description: Make a cluster anew that differs from what was given. What runs in it is lost.
    type: bool
    default: false
  program:
    description: Path of C(kind).
    type: path
    required: true
  kubeconfig:
    description: File for the administrator's kubeconfig, of mode 0600. It holds this cluster alone.
    type: path
  authority:
    description: File for the certificate of the authority of the API server and its client certificate for kubelets.
    type: path
  merge_into:
    description: Kubeconfig of others that gets the cluster, too, as the current one, e.g. C(~/.kube/config).
    type: path
  network_record:
    description:
      - File that notes that Kind's network came into being here. With V(state=absent) the network goes with the last
        cluster in it then. Without the option it stays.
    type: path
  timeout:
    description: Seconds that making the cluster may take, including the download of the image.
    type: float
    default: 600
attributes:
  check_mode:
    description: Tells what would be done, and refuses what would be refused.
    support: full
  diff_mode:
    description: What differs, as it is and as it is wanted; never the content of a kubeconfig.
    support: full
  idempotent:
    description: Nothing is changed when the cluster is there as given and runs.
    support: full
"""

EXAMPLES = r"""
- name: Have a cluster with a worker
  edgelab.akri.kind_cluster:
    name: edgelab-default
    program: /usr/local/bin/kind
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    config:
      networking:
        podSubnet: 10.245.0.0/16
      nodes:
        - role: control-plane
        - role: worker

- name: Take it away
  edgelab.akri.kind_cluster:
    name: edgelab-default
    program: /usr/local/bin/kind
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    state: absent
"""

RETURN = r"""
step:
  description: What was done - C(keep), C(start), C(create) or C(replace).
  returned: when O(state=present)
  type: str
  sample: create
engine:
  description: The container engine.
  returned: when O(state=present)
  type: str
  sample: docker
nodes:
  description: Names of the nodes, which are those of their containers.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [edgelab-default-control-plane]
gateway:
  description: IPv4 address of this machine in the network of the nodes; empty while there is no such network.
  returned: when O(state=present)
  type: str
  sample: 172.18.0.1
node_command:
  description: What to put before a command to run it on the first node.
  returned: when O(state=present)
  type: list
  elements: str
  sample: [docker, exec, edgelab-default-control-plane]
server_version:
  description: Version of Kubernetes; empty while there is no cluster.
  returned: when O(state=present)
  type: str
  sample: v1.36.3
"""

from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._kind_cluster import Place, absent, located, present
from ansible_collections.edgelab.akri.plugins.module_utils._kind_engine import Engine, choose
from ansible_collections.edgelab.akri.plugins.module_utils._kind_kubeconfig import Files
from ansible_collections.edgelab.akri.plugins.module_utils._kind_model import Wanted
from ansible_collections.edgelab.akri.plugins.module_utils._kind_tool import Kind
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import run

SPEC = {
    "name": {"type": "str", "required": True},
    "state": {"type": "str", "choices": ["present", "absent"], "default": "present"},
    "config": {"type": "dict", "default": {}},
    "image": {"type": "str", "default": ""},
    "engine": {"type": "str", "choices": ["auto", "docker", "podman"], "default": "auto"},
    "recreate": {"type": "bool", "default": False},
    "program": {"type": "path", "required": True},
    "kubeconfig": {"type": "path"},
    "authority": {"type": "path"},
    "merge_into": {"type": "path"},
    "network_record": {"type": "path"},
    "timeout": {"type": "float", "default": 600},
}


def main() -> None:
    """Run the module."""
    module = AnsibleModule(argument_spec=SPEC, supports_check_mode=True)
    given, dry_run = module.params, module.check_mode
    paths = {name: Path(given[name]) if given[name] else None for name in ("kubeconfig", "authority", "merge_into")}

    def work() -> dict[str, Any]:
        is_wanted, files = given["state"] == "present", Files(*paths.values())
        engine, about = choose(given["engine"], needed=is_wanted or bool(files.there))
        kind = Kind(Path(given["program"]), engine, given["timeout"])
        record = Path(given["network_record"]) if given["network_record"] else None
        place = Place(kind, Engine(engine), about, files, record)
        if not is_wanted:
            return absent(place, given["name"], dry_run=dry_run)
        wanted = Wanted(given["name"], located(given["config"]), given["image"])
        return present(place, wanted, recreate=given["recreate"], dry_run=dry_run)

    run(module, work)


if __name__ == "__main__":
    main()
