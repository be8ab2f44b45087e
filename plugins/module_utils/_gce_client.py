# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""The one place that talks to Compute Engine, by Google's client: it reads values and carries out single changes.

Each call is repeated with back-off while the service is short of breath (429, rate limits, 5xx); a change carries a
request id, so that a repeated one is not done twice. A change returns when its operation is done. Whatever goes wrong
is a CloudError, or a LabError where nobody answers or lets us in.
"""

from __future__ import annotations

import os
import time
import uuid
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from ansible_collections.edgelab.akri.plugins.module_utils import _gce_messages as messages
from ansible_collections.edgelab.akri.plugins.module_utils._gce_errors import (
    CloudError,
    failure_of,
    failure_of_operation,
    no_credentials,
    unreachable,
)
from ansible_collections.edgelab.akri.plugins.module_utils._gce_model import Disk, Instance, LabError, Rule, Wanted

try:
    import google.auth
    from google.api_core.exceptions import GoogleAPICallError, RetryError
    from google.api_core.retry import Retry
    from google.auth.exceptions import GoogleAuthError, TransportError
    from google.cloud import compute_v1
    from requests.exceptions import ConnectionError as RequestsConnectionError
except ImportError as error:
    MISSING: ImportError | None = error
else:
    MISSING = None

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
ENDPOINT = "https://compute.googleapis.com"
OPERATION_SECONDS = 600
"""How long one change may take; creations take some 20 seconds, deletions up to two minutes."""
PAUSE_SECONDS = 1
"""Between two questions about a change; each waits there for up to two minutes, or not at all when it is busy."""


def credentials_for(file: str | None) -> tuple[Any, str | None]:
    """Credentials and the project that they name: from a file of any of Google's kinds, else as Google finds them.

    Raises LabError where there are none.
    """
    if file:
        os.environ["GOOGLE_APPLICATION_CREDENTIALS"] = file
    try:
        found: tuple[Any, str | None] = google.auth.default(scopes=[SCOPE])
    except (GoogleAuthError, OSError, ValueError) as error:
        raise no_credentials("Find credentials for Google Cloud", error) from error
    return found


class Compute:
    """The instances, disks and firewall rules of one project."""

    def __init__(self, project: str, credentials: Any, endpoint: str | None = None, patience: float = 120) -> None:
        """`patience` is how long one call is repeated while the service is short of breath, in seconds."""
        self.project, self.endpoint = project, endpoint or ENDPOINT
        self._options = {"credentials": credentials, "client_options": {"api_endpoint": self.endpoint}}
        self._patience = patience

    def instances(self, filter_: str) -> list[Instance]:
        """The instances that a filter of the API chooses, in all zones, without what only their disks know."""
        zones = self._call("List the instances", self._instances.aggregated_list, request=self._filtered(filter_))
        return [messages.instance_from(each) for zone in zones for each in zone[1].instances]

    def disks(self, filter_: str) -> list[Disk]:
        """The disks that a filter of the API chooses, in all zones."""
        zones = self._call("List the disks", self._disks.aggregated_list, request=self._filtered(filter_))
        return [messages.disk_from(each) for zone in zones for each in zone[1].disks]

    def rules(self, filter_: str = "") -> list[Rule]:
        """The firewall rules that a filter of the API chooses."""
        listed = self._call("List the firewall rules", self._firewalls.list, request=self._filtered(filter_))
        return [messages.rule_from(each) for each in listed]

    def metadata(self) -> dict[str, str]:
        """The metadata that all instances of the project have."""
        project = self._call("Read the project", self._projects.get, project=self.project)
        return messages.metadata_of(project.common_instance_metadata)

    def image_of_family(self, project: str, family: str) -> str:
        """The link to the newest image of a family."""
        attempted = f"Find the newest image of {family} in {project}"
        return str(self._call(attempted, self._images.get_from_family, project=project, family=family).self_link)

    def family_of_image(self, link: str) -> str | None:
        """The family of an image; None when the image is gone."""
        words = link.split("/")
        try:
            image = self._call(f"Read {link}", self._images.get, project=words[-4], image=words[-1])
        except CloudError as error:
            if error.failure.is_missing:
                return None
            raise
        return str(image.family)

    def create(self, zone: str, wanted: Wanted, image: str, labels: Mapping[str, str], key: str) -> None:
        """Create an instance."""
        body = messages.new_instance(zone, wanted, image, labels, wanted.access(key))
        request = {**self._in(zone), "instance_resource": body}
        self._change(f"Create {wanted.name} in {zone}", self._instances.insert_unary, request)

    def start(self, zone: str, name: str) -> None:
        """Start an instance that rests."""
        self._change(f"Start {name}", self._instances.start_unary, {**self._in(zone), "instance": name})

    def stop(self, zone: str, name: str) -> None:
        """Stop an instance."""
        self._change(f"Stop {name}", self._instances.stop_unary, {**self._in(zone), "instance": name})

    def label(self, instance: Instance, labels: Mapping[str, str]) -> None:
        """Add labels to an instance, or change them; unless somebody else changed them since they were read."""
        body = {"labels": {**instance.labels, **labels}, "label_fingerprint": instance.label_fingerprint}
        request = {**self._in(instance.zone), "instance": instance.name}
        request["instances_set_labels_request_resource"] = body
        self._change(f"Label {instance.name}", self._instances.set_labels_unary, request)

    def delete(self, zone: str, name: str) -> None:
        """Delete an instance with its disk; one that is gone already is well."""
        self._delete(f"Delete {name}", self._instances.delete_unary, {**self._in(zone), "instance": name})

    def delete_disk(self, zone: str, name: str) -> None:
        """Delete a disk; one that is gone already is well."""
        self._delete(f"Delete the disk {name}", self._disks.delete_unary, {**self._in(zone), "disk": name})

    def allow(self, rule: Rule) -> None:
        """Create a firewall rule."""
        request = {"project": self.project, "firewall_resource": messages.new_rule(rule)}
        self._change(f"Make the firewall rule {rule.name}", self._firewalls.insert_unary, request)

    def mend_rule(self, rule: Rule) -> None:
        """Correct a firewall rule."""
        request = {"project": self.project, "firewall": rule.name, "firewall_resource": messages.new_rule(rule)}
        self._change(f"Correct the firewall rule {rule.name}", self._firewalls.patch_unary, request)

    def delete_rule(self, name: str) -> None:
        """Delete a firewall rule; one that is gone already is well."""
        request = {"project": self.project, "firewall": name}
        self._delete(f"Delete the firewall rule {name}", self._firewalls.delete_unary, request)

    def host_keys(self, zone: str, name: str) -> dict[str, str]:
        """The host keys that an instance has told Compute Engine: type -> base64; {} while it has told none."""
        request = {**self._in(zone), "instance": name, "query_path": "hostkeys/"}
        try:
            told = self._call("Read the host keys", self._instances.get_guest_attributes, request=request)
        except CloudError as error:
            if error.failure.is_missing:
                return {}
            raise
        return {entry.key: entry.value for entry in told.query_value.items}

    def console(self, zone: str, name: str, lines: int = 15) -> str:
        """The end of what an instance has written to its first serial port."""
        request = {**self._in(zone), "instance": name}
        said = self._call("Read the serial port", self._instances.get_serial_port_output, request=request)
        return "\n".join(said.contents.splitlines()[-lines:])

    def _in(self, zone: str) -> dict[str, Any]:
        return {"project": self.project, "zone": zone}

    def _filtered(self, filter_: str) -> dict[str, str]:
        return {"project": self.project, "filter": filter_}

    def _delete(self, attempted: str, function: Any, request: dict[str, Any]) -> None:
        try:
            self._change(attempted, function, request)
        except CloudError as error:
            if not error.failure.is_missing:
                raise

    def _change(self, attempted: str, function: Any, request: dict[str, Any]) -> None:
        """Begin a change and wait for the end of its operation."""
        operation = self._call(attempted, function, request={**request, "request_id": str(uuid.uuid4())})
        where: dict[str, str] = {"project": self.project, "operation": operation.name}
        wait = self._global_operations.wait
        if "zone" in request:
            where["zone"], wait = request["zone"], self._zone_operations.wait
        deadline = time.monotonic() + OPERATION_SECONDS
        while not messages.is_done(operation):
            if time.monotonic() > deadline:
                raise LabError(
                    attempted,
                    f"Compute Engine has not done it within {OPERATION_SECONDS} s; its operation {operation.name} is "
                    f"{messages.status_of(operation)}",
                    remedy="Run this again: it goes on with what it finds",
                )
            operation = self._call(attempted, wait, **where)
            if not messages.is_done(operation):
                time.sleep(PAUSE_SECONDS)
        failure = failure_of_operation(operation)
        if failure:
            raise CloudError(attempted, failure)

    def _call(self, attempted: str, function: Any, **request: Any) -> Any:
        """Call the API, again and again while that can help, and tell what it did not like."""
        try:
            return function(retry=self._retry, **request)
        except RetryError as error:
            raise self._told(attempted, error.cause) from error
        except (GoogleAPICallError, GoogleAuthError, RequestsConnectionError, TimeoutError) as error:
            raise self._told(attempted, error) from error

    def _told(self, attempted: str, error: Any) -> LabError:
        if isinstance(error, GoogleAPICallError):
            return CloudError(attempted, failure_of(error))
        if isinstance(error, GoogleAuthError) and not isinstance(error, TransportError):
            return no_credentials(attempted, error)
        return unreachable(attempted, self.endpoint, error)

    @cached_property
    def _retry(self) -> Any:
        return Retry(predicate=_is_passing, initial=1, multiplier=2, maximum=20, timeout=self._patience)

    @cached_property
    def _instances(self) -> Any:
        return compute_v1.InstancesClient(**self._options)

    @cached_property
    def _disks(self) -> Any:
        return compute_v1.DisksClient(**self._options)

    @cached_property
    def _firewalls(self) -> Any:
        return compute_v1.FirewallsClient(**self._options)

    @cached_property
    def _images(self) -> Any:
        return compute_v1.ImagesClient(**self._options)

    @cached_property
    def _projects(self) -> Any:
        return compute_v1.ProjectsClient(**self._options)

    @cached_property
    def _zone_operations(self) -> Any:
        return compute_v1.ZoneOperationsClient(**self._options)

    @cached_property
    def _global_operations(self) -> Any:
        return compute_v1.GlobalOperationsClient(**self._options)


def _is_passing(error: Exception) -> bool:
    """Whether the same call may succeed in a while."""
    return isinstance(error, GoogleAPICallError) and failure_of(error).is_passing
