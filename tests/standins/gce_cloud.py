"""The stand-in for Compute Engine without its HTTP: projects' resources, operations that take time, injected failures.

A mutation answers with an operation, which goes PENDING, RUNNING, DONE by itself; its effect comes with DONE, as in the
cloud, whether anybody watches or not. `Machines` is what an instance really is: a test hands one in whose `create`
boots a machine and says where it answers; without one, instances have an address where nobody answers.

`fail(...)` makes the next call of an operation fail, at once or in its operation, and can leave the boot disk behind.
"""

import asyncio
import itertools
import json
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from google.cloud import compute_v1
from standins.gce_messages import ApiError

NAME = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
LABEL = re.compile(r"[-a-z0-9_]{0,63}")
LONGEST_RUN = 120 * 86400


@dataclass(frozen=True, slots=True)
class Booted:
    """Where an instance answers, and its host keys: type -> base64."""

    address: str
    host_keys: dict[str, str] = field(default_factory=dict)


class Machines(Protocol):
    """What instances are made of. Both may block; what they raise becomes the operation's error."""

    def create(self, instance: compute_v1.Instance) -> Booted:
        """Boot the machine of an instance, on creation and on each start."""

    def delete(self, name: str) -> None:
        """End the machine of an instance, on deletion and on each stop."""


class NoMachines:
    """Instances with an address where nobody answers (RFC 5737), and no host keys."""

    def create(self, instance: compute_v1.Instance) -> Booted:
        """An address."""
        return Booted("192.0.2.10")

    def delete(self, name: str) -> None:
        """Nothing to end."""


@dataclass(frozen=True, slots=True)
class Failure:
    """How a call fails: in its answer, or in the operation that it began; `leaves_disk` is for insert."""

    error: ApiError
    in_operation: bool = False
    leaves_disk: bool = False


API_OFF = Failure(
    ApiError(
        403,
        "accessNotConfigured",
        "Compute Engine API has not been used in project 1 before or it is disabled. Enable it by visiting "
        "https://console.developers.google.com/apis/api/compute.googleapis.com/overview?project=1 then retry.",
        domain="usageLimits",
        info="SERVICE_DISABLED",
    )
)
FORBIDDEN = Failure(ApiError(403, "forbidden", "Required 'compute.instances.create' permission for 'projects/p'"))
RATE_LIMITED = Failure(ApiError(403, "rateLimitExceeded", "Rate Limit Exceeded", domain="usageLimits"))
TOO_MANY = Failure(ApiError(429, "rateLimitExceeded", "Too many requests", domain="usageLimits"))
UNAVAILABLE = Failure(ApiError(503, "backendError", "Backend Error"))
QUOTA = Failure(
    ApiError(403, "QUOTA_EXCEEDED", "Quota 'CPUS' exceeded. Limit: 4.0 in region europe-west1."), in_operation=True
)
STOCKOUT = Failure(
    ApiError(503, "ZONE_RESOURCE_POOL_EXHAUSTED", "The zone does not have enough resources to fulfill the request."),
    in_operation=True,
)
OS_LOGIN_REQUIRED = Failure(
    ApiError(412, "conditionNotMet", "Constraint constraints/compute.requireOsLogin violated for project p.")
)


@dataclass
class Cloud:
    """All that there is; tests may look at it and change it behind everybody's back."""

    project: str
    machines: Machines = field(default_factory=NoMachines)
    seconds_per_step: float = 0.05
    """How long an operation is PENDING; it is RUNNING as long as its effect takes."""
    zones: tuple[str, ...] = ("europe-west1-b", "europe-west1-c", "europe-west1-d")
    machine_types: tuple[str, ...] = ("e2-standard-4", "e2-standard-2", "t2a-standard-4")
    images: dict[str, str] = field(
        default_factory=lambda: {"ubuntu-2404-lts-amd64": "ubuntu-os-cloud", "debian-12": "debian-cloud"}
    )
    """Image families and the projects that they are in; the newest image of each is FAMILY-v2."""
    metadata: dict[str, str] = field(default_factory=dict)
    """The project's common instance metadata."""
    instances: dict[tuple[str, str], compute_v1.Instance] = field(default_factory=dict)
    disks: dict[tuple[str, str], compute_v1.Disk] = field(default_factory=dict)
    firewalls: dict[str, compute_v1.Firewall] = field(default_factory=dict)
    operations: dict[str, compute_v1.Operation] = field(default_factory=dict)
    host_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    serial: dict[str, str] = field(default_factory=dict)
    login_keys: dict[str, dict[str, str]] = field(default_factory=dict)
    """OS Login: public keys by their fingerprints."""
    calls: list[str] = field(default_factory=list)
    """Every call in order, e.g. `instances.insert`."""
    passed: float = 0.0
    """Seconds that `pass_time` added to the clock."""
    _failures: list[tuple[str, Failure]] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1000))

    def fail(self, call: str, failure: Failure, times: int = 1) -> None:
        """Let the next calls of one kind fail."""
        self._failures += [(call, failure)] * times

    def enter(self, call: str) -> Failure | None:
        """Note a call; what it must fail with in its operation. Raises what it must fail with at once."""
        self.calls.append(call)
        failure = next((failure for name, failure in self._failures if name == call), None)
        if failure:
            self._failures.remove((call, failure))
            if not failure.in_operation:
                raise failure.error
        return failure

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.passed

    def pass_time(self, seconds: float) -> None:
        """Let time pass: instances whose maximal run is over are deleted, as Compute Engine does by itself."""
        self.passed += seconds
        for key, instance in list(self.instances.items()):
            longest = instance.scheduling.max_run_duration.seconds
            if longest and seconds >= longest:
                self.remove_instance(key)

    def begin(self, target: str, effect: Callable[[], object], failure: Failure | None) -> compute_v1.Operation:
        """A new operation whose effect comes in its own time."""
        operation = compute_v1.Operation(
            name=f"operation-{next(self._numbers)}", status="PENDING", target_link=target, progress=0
        )
        self.operations[operation.name] = operation
        task = asyncio.get_running_loop().create_task(self._carry_out(operation, effect, failure))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return operation

    async def _carry_out(
        self, operation: compute_v1.Operation, effect: Callable[[], object], failure: Failure | None
    ) -> None:
        await asyncio.sleep(self.seconds_per_step)
        operation.status = compute_v1.Operation.Status.RUNNING
        try:
            if failure:
                raise failure.error
            await asyncio.to_thread(effect)
        except ApiError as error:
            finish_with(operation, error.reason, error.message, error.status)
        except Exception as error:  # what a test's machines raise
            finish_with(operation, "INTERNAL_ERROR", f"{type(error).__name__}: {error}", 500)
        operation.progress, operation.status = 100, compute_v1.Operation.Status.DONE

    def boot(self, instance: compute_v1.Instance) -> None:
        """Let an instance run."""
        booted = self.machines.create(instance)
        self.host_keys[instance.name] = booted.host_keys
        interface = instance.network_interfaces[0]
        interface.network_i_p = "10.132.0.2"
        if interface.access_configs:
            interface.access_configs[0].nat_i_p = booted.address
        else:
            interface.network_i_p = booted.address
        instance.status = "RUNNING"

    def halt(self, instance: compute_v1.Instance) -> None:
        """Let an instance rest; its address is gone."""
        self.machines.delete(instance.name)
        self.host_keys.pop(instance.name, None)
        for access in instance.network_interfaces[0].access_configs:
            access.nat_i_p = ""
        instance.status = "TERMINATED"

    def remove_instance(self, key: tuple[str, str]) -> None:
        """Take an instance away, with the disks that go with it."""
        instance = self.instances[key]
        self.halt(instance)
        for disk in instance.disks:
            name = disk.source.rsplit("/", 1)[-1]
            if disk.auto_delete:
                self.disks.pop((key[0], name), None)
            else:
                self.disks[key[0], name].users = []
        del self.instances[key]


def finish_with(operation: compute_v1.Operation, code: str, message: str, status: int) -> None:
    """Write an error into an operation as the service does."""
    operation.error = compute_v1.Error(errors=[compute_v1.Errors(code=code, message=message)])
    operation.http_error_status_code = status
    operation.http_error_message = {403: "FORBIDDEN", 503: "SERVICE UNAVAILABLE"}.get(status, "ERROR")


def check_name(name: str) -> None:
    """Refuse what is no name of a resource."""
    if not NAME.fullmatch(name):
        raise ApiError(400, "invalid", f"Invalid value for field 'resource.name': '{name}'. Must match {NAME.pattern}")


def check_labels(labels: dict[str, str]) -> None:
    """Refuse what are no labels."""
    for key, value in labels.items():
        if not (key and key[0].isalpha() and LABEL.fullmatch(key) and LABEL.fullmatch(value)):
            raise ApiError(400, "invalid", f"Invalid value for field 'labels': {json.dumps({key: value})}")
