#!/usr/bin/python
# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# (Apache License 2.0, which the GNU General Public License v3.0 is compatible with)
"""Reports Akri Instances and waits for them: see DOCUMENTATION."""

from __future__ import annotations

DOCUMENTATION = r"""
module: instance_info
short_description: Report Akri Instances, their brokers, Services and nodes, and wait for them
version_added: 0.1.0
description:
  - Reports the Instances of a Configuration or of a namespace, with their brokers, Services and nodes.
  - Waits, by watches, until there are as many Instances as wanted and until their brokers run. When that does not come
    true in time it says where the chain from the Configuration to the broker stopped; it fails at once on what cannot
    heal, such as discovery details that the handler refuses.
author: The edgelab.akri authors (!UNKNOWN)
extends_documentation_fragment: edgelab.akri.kube
options:
  configuration:
    description: Name of the Configuration; all of the namespace by default.
    type: str
  namespace:
    description: Namespace of the Configuration.
    type: str
    default: default
  count:
    description: Wait for this number of Instances.
    type: int
  at_least:
    description: Whether more Instances than O(count) are as good.
    type: bool
    default: false
  devices:
    description: Wait for the Instances of these shared devices, by the ids that their handler gives them.
    type: list
    elements: str
    default: []
  pods:
    description: Wait until these Pods run; they are Pods of yours that ask for the devices.
    type: list
    elements: str
    default: []
  brokers:
    description: Wait until the broker of every Instance runs on each of its nodes.
    type: bool
    default: false
  broker_log:
    description: Wait until each broker's log has a line that matches this regular expression; needs O(brokers).
    type: str
  timeout:
    description: Seconds to wait for everything together. In check mode nothing is waited for.
    type: float
    default: 60
  run_dir:
    description: Run directory of the lab on this host, so that its agent can be asked about handlers when a wait fails.
    type: path
  query:
    description: JMESPath expression that is applied to the result, that is, to RV(instances) and what is beside it.
    type: str
attributes:
  check_mode:
    description: Changes nothing; in check mode it does not wait either.
    support: full
  diff_mode:
    description: Changes nothing.
    support: none
  idempotent:
    description: Changes nothing.
    support: full
requirements:
  - jmespath, for O(query)
"""

EXAMPLES = r"""
- name: Wait for three devices and their brokers
  edgelab.akri.instance_info:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    configuration: akri-debug-echo
    count: 3
    brokers: true
    broker_log: using debugEcho device

- name: Which resources can a Pod ask for?
  edgelab.akri.instance_info:
    kubeconfig: "{{ lab_paths.kubeconfig }}"
    query: "instances[].resource"
  register: resources
"""

RETURN = r"""
instances:
  description: The Instances, by name. C(usage) tells who has which slot.
  returned: always, but for a cluster that cannot be reached
  type: list
  elements: dict
  sample:
    - name: akri-debug-echo-aae70c
      namespace: default
      uid: 1d97a433-2a9d-4ce8-b6c9-c23ae80686fe
      configuration: akri-debug-echo
      resource: akri.sh/akri-debug-echo-aae70c
      capacity: 2
      shared: true
      nodes: [krustlet-wasi]
      properties: {DEBUG_ECHO_DESCRIPTION: '"foo0"'}
      usage: {akri-debug-echo-aae70c-1: krustlet-wasi}
brokers:
  description: The brokers' Pods, by name. C(log_line) is the line that O(broker_log) matched.
  returned: always, but for a cluster that cannot be reached
  type: list
  elements: dict
  sample:
    - name: krustlet-wasi-akri-debug-echo-aae70c-pod
      namespace: default
      uid: a1fad72a-4797-4bd6-a118-22110f87bf99
      instance: akri-debug-echo-aae70c
      node: krustlet-wasi
      phase: Running
      ready: true
      restarts: 0
      log_line: 'Pod is running and using debugEcho device named: "foo0"'
users:
  description: Other Pods that ask for the devices, by name. C(unscheduled) says why the scheduler found no place.
  returned: always, but for a cluster that cannot be reached
  type: list
  elements: dict
  sample:
    - name: wasi-hello
      namespace: default
      uid: 5b1cbcf5-6f9b-44f0-8b6b-8b5d3a1a4a5e
      node: ""
      phase: Pending
      ready: false
      restarts: 0
      resources: [akri.sh/akri-debug-echo]
      unscheduled: "0/1 nodes are available: 1 Insufficient akri.sh/akri-debug-echo."
services:
  description: The brokers' Services, by name; C(instance) is empty for that of the whole Configuration.
  returned: always, but for a cluster that cannot be reached
  type: list
  elements: dict
  sample:
    - {name: akri-debug-echo-svc, namespace: default, instance: "", cluster_ip: 10.96.40.163, ports: [6052]}
nodes:
  description: The nodes that see the devices, and how many users each device may have there.
  returned: always, but for a cluster that cannot be reached
  type: list
  elements: dict
  sample:
    - {name: krustlet-wasi, ready: true, allocatable: {akri.sh/akri-debug-echo-aae70c: 2}}
result:
  description: What O(query) found.
  returned: when O(query) is given
  type: raw
  sample: [akri.sh/akri-debug-echo-aae70c]
stopped_at:
  description:
    - The first link of the chain that does not hold.
    - One of V(configuration), V(handler), V(discovery), V(device), V(instances), V(node), V(resource), V(broker),
      V(pod), V(scheduling), V(container), V(crash), V(log).
  returned: on failure of a wait
  type: str
  sample: scheduling
seen:
  description: What was seen there.
  returned: on failure of a wait
  type: str
  sample: "Pod p is not scheduled: 0/1 nodes are available: 1 Insufficient akri.sh/akri-debug-echo-aae70c."
"""

from typing import Any

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.edgelab.akri.plugins.module_utils._instances import Scope, instance_names, observe
from ansible_collections.edgelab.akri.plugins.module_utils._instances_model import Report, Wanted
from ansible_collections.edgelab.akri.plugins.module_utils._kube import KUBE_SPEC, Cluster, LabError, run
from ansible_collections.edgelab.akri.plugins.module_utils._lab_module import lacking

try:
    import jmespath

    HAS_JMESPATH = True
except ImportError:
    HAS_JMESPATH = False

SPEC: dict[str, Any] = {
    **KUBE_SPEC,
    "configuration": {"type": "str"},
    "namespace": {"type": "str", "default": "default"},
    "count": {"type": "int"},
    "at_least": {"type": "bool", "default": False},
    "devices": {"type": "list", "elements": "str", "default": []},
    "pods": {"type": "list", "elements": "str", "default": []},
    "brokers": {"type": "bool", "default": False},
    "broker_log": {"type": "str"},
    "timeout": {"type": "float", "default": 60},
    "run_dir": {"type": "path"},
    "query": {"type": "str"},
}


def work(cluster: Cluster, params: dict[str, Any], *, wait: bool) -> dict[str, Any]:
    """Look, wait, and apply the query."""
    scope = Scope(params["namespace"], params["configuration"] or "", params["run_dir"] or "")
    wanted = Wanted(
        count=params["count"],
        at_least=params["at_least"],
        brokers=params["brokers"],
        broker_log=params["broker_log"] or "",
        names=instance_names(scope.configuration, params["devices"]),
        pods=tuple(params["pods"]),
    )
    found = observe(cluster, scope, wanted, timeout=params["timeout"] if wait else 0).as_result()
    return {"changed": False, **found, **_queried(params["query"], found)}


def _queried(query: str | None, found: dict[str, Any]) -> dict[str, Any]:
    if not query:
        return {}
    try:
        return {"result": jmespath.search(query, found)}
    except jmespath.exceptions.JMESPathError as error:
        raise LabError(attempted=f"Apply the query {query!r}", seen=str(error)) from error


def main() -> None:
    """Run the module."""
    required_by = {
        "count": "configuration",
        "broker_log": "configuration",
        "devices": "configuration",
        "pods": "configuration",
    }
    module = AnsibleModule(
        argument_spec=SPEC,
        required_by=required_by,
        required_if=[("brokers", True, ["configuration"])],
        supports_check_mode=True,
    )
    nothing = {"changed": False, **Report().as_result()}
    if module.params["query"] and not HAS_JMESPATH:
        lacking(module, "jmespath", **nothing)
    run(module, lambda cluster: work(cluster, module.params, wait=not module.check_mode), would=nothing)


if __name__ == "__main__":
    main()
