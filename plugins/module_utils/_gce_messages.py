# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Compute Engine's messages from our values and back: pure. The message types are those of Google's client."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import (
    Disk,
    Instance,
    Rule,
    Wanted,
    describe,
    words_of,
)


def new_instance(
    zone: str, wanted: Wanted, image: str, labels: Mapping[str, str], metadata: Mapping[str, str]
) -> dict[str, Any]:
    """The request for an instance. It gets no service account: what runs on it has no rights in the project."""
    disk = {
        "disk_name": wanted.name,
        "source_image": image,
        "disk_size_gb": wanted.disk_gigabytes,
        "disk_type": f"zones/{zone}/diskTypes/{wanted.disk_type}",
        "labels": dict(labels),
    }
    return {
        "name": wanted.name,
        "description": f"The lab {wanted.lab} of edgelab.akri",
        "machine_type": f"zones/{zone}/machineTypes/{wanted.machine_type}",
        "labels": dict(labels),
        "tags": {"items": [wanted.name]},
        "disks": [{"boot": True, "auto_delete": True, "initialize_params": disk}],
        "network_interfaces": [_interface(wanted)],
        "metadata": {"items": [{"key": key, "value": value} for key, value in metadata.items()]},
        # Compute Engine itself ends what nobody came back for.
        "scheduling": {
            "max_run_duration": {"seconds": wanted.seconds},
            "instance_termination_action": "DELETE",
            "automatic_restart": False,
        },
        # Modules that DKMS builds are signed by nobody whom Secure Boot knows.
        "shielded_instance_config": {
            "enable_secure_boot": False,
            "enable_vtpm": True,
            "enable_integrity_monitoring": True,
        },
    }


def _interface(wanted: Wanted) -> dict[str, Any]:
    interface: dict[str, Any] = {"network": network_link(wanted.network)}
    if wanted.subnetwork:
        interface["subnetwork"] = wanted.subnetwork
    if wanted.public_address:
        interface["access_configs"] = [{"name": "External NAT", "type_": "ONE_TO_ONE_NAT"}]
    return interface


def network_link(network: str) -> str:
    """A network as requests name it; a link stays as it is."""
    return network if "/" in network else f"global/networks/{network}"


def new_rule(rule: Rule) -> dict[str, Any]:
    """The request for a firewall rule."""
    return {
        "name": rule.name,
        "description": describe(rule.words),
        "network": network_link(rule.network),
        "direction": "INGRESS",
        "disabled": False,
        "source_ranges": list(rule.ranges),
        "target_tags": [rule.tag],
        "allowed": [{"I_p_protocol": "tcp", "ports": [str(rule.port)]}],
    }


def instance_from(message: Any) -> Instance:
    """An instance as the service tells it; its disk is asked for apart."""
    return Instance(
        name=message.name,
        zone=_last(message.zone),
        status=status_of(message),
        address=_address(message),
        machine_type=_last(message.machine_type),
        labels=dict(message.labels),
        label_fingerprint=message.label_fingerprint,
        metadata=metadata_of(message.metadata),
        run_seconds=message.scheduling.max_run_duration.seconds,
        termination_action=message.scheduling.instance_termination_action,
    )


def disk_from(message: Any) -> Disk:
    """A disk as the service tells it."""
    return Disk(
        name=message.name,
        zone=message.self_link.split("/zones/")[-1].split("/")[0],
        labels=dict(message.labels),
        attached=bool(message.users),
        gigabytes=message.size_gb,
        disk_type=_last(message.type_),
        image=message.source_image,
    )


def rule_from(message: Any) -> Rule:
    """A firewall rule as the service tells it; one that lets anything but one TCP port in has port 0."""
    ports = [port for allowed in message.allowed if allowed.I_p_protocol == "tcp" for port in allowed.ports]
    single = len(message.allowed) == 1 and len(ports) == 1 and ports[0].isdigit()
    return Rule(
        name=message.name,
        network=message.network,
        tag=",".join(message.target_tags),
        port=int(ports[0]) if single else 0,
        ranges=tuple(sorted(message.source_ranges)),
        words=words_of(message.description),
        disabled=message.disabled,
    )


def metadata_of(message: Any) -> dict[str, str]:
    """Metadata as key -> value."""
    return {item.key: item.value for item in message.items}


def status_of(message: Any) -> str:
    """A status by its name; the client gives some as numbers."""
    return str(getattr(message.status, "name", message.status))


def is_done(operation: Any) -> bool:
    """Whether an operation has ended, well or not."""
    return status_of(operation) == "DONE"


def _address(message: Any) -> str:
    """Where to reach an instance: its public address if it has that kind, else the one inside its network."""
    for interface in message.network_interfaces:
        for access in interface.access_configs:
            return str(access.nat_i_p)
        return str(interface.network_i_p)
    return ""


def _last(link: str) -> str:
    return link.rsplit("/", 1)[-1]
