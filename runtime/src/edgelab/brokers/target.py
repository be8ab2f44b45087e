"""Where the brokers of an Instance answer: the Service that Akri makes for them. Pure."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edgelab.core import names


@dataclass(frozen=True, slots=True)
class Target:
    """The Service of an Instance: whose brokers answer at this address."""

    instance: str
    host: str
    port: int


def target_of(service: Mapping[str, Any], configuration: str) -> Target | None:
    """The target that a Service is, or None when it is of another Configuration.

    A Service names its Instance alone, whose name is the Configuration's and six hexadecimal digits. Raises ValueError
    for one without an address in the cluster or without a port.
    """
    instance = (service["metadata"].get("labels") or {}).get(names.INSTANCE_LABEL, "")
    if not re.fullmatch(re.escape(configuration) + "-[0-9a-f]{6}", instance):
        return None
    spec = service["spec"]
    if spec.get("clusterIP") in (None, "", "None") or not spec.get("ports"):
        raise ValueError("it has no address in the cluster or no port")
    return Target(instance, spec["clusterIP"], spec["ports"][0]["port"])
