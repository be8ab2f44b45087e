"""Requests about instances to the stand-in for Compute Engine: checked as the service does, then carried out."""

import re
import uuid
from datetime import UTC, datetime

from google.cloud import compute_v1
from standins.gce_cloud import LONGEST_RUN, Cloud, Failure, check_labels, check_name
from standins.gce_messages import ApiError

PREFIX = "https://www.googleapis.com/compute/v1/"


def not_found(what: str) -> ApiError:
    """The answer about what is not there."""
    return ApiError(404, "notFound", f"The resource '{what}' was not found")


def find(cloud: Cloud, zone: str, name: str) -> compute_v1.Instance:
    """An instance. Raises ApiError 404."""
    if (zone, name) not in cloud.instances:
        raise not_found(f"projects/{cloud.project}/zones/{zone}/instances/{name}")
    return cloud.instances[zone, name]


def insert(cloud: Cloud, zone: str, instance: compute_v1.Instance, failure: Failure | None) -> compute_v1.Operation:
    """Begin an instance's creation."""
    check(cloud, zone, instance)
    key = (zone, instance.name)
    link = f"{PREFIX}projects/{cloud.project}/zones/{zone}/instances/{instance.name}"
    disk = boot_disk(cloud, zone, instance)
    if not failure or failure.leaves_disk:
        cloud.disks[zone, disk.name] = disk
    if failure:
        return cloud.begin(link, lambda: None, failure)
    instance.self_link, instance.status = link, "PROVISIONING"
    instance.zone = f"{PREFIX}projects/{cloud.project}/zones/{zone}"
    instance.label_fingerprint = fingerprint()
    instance.creation_timestamp = datetime.fromtimestamp(cloud.now(), UTC).isoformat()
    disk.users = [link]
    instance.disks[0].source = disk.self_link
    instance.disks[0].initialize_params = compute_v1.AttachedDiskInitializeParams()
    cloud.instances[key] = instance
    return cloud.begin(link, lambda: create(cloud, key), None)


def create(cloud: Cloud, key: tuple[str, str]) -> None:
    """Boot a new instance; where that fails, nothing is left of it."""
    try:
        cloud.boot(cloud.instances[key])
    except Exception:
        cloud.remove_instance(key)
        raise


def check(cloud: Cloud, zone: str, instance: compute_v1.Instance) -> None:
    """Refuse what the service refuses of a new instance."""
    check_name(instance.name)
    check_labels(dict(instance.labels))
    if (zone, instance.name) in cloud.instances or (zone, instance.name) in cloud.disks:
        raise ApiError(409, "alreadyExists", f"The resource 'zones/{zone}/instances/{instance.name}' already exists")
    machine_type = re.fullmatch(rf"(?:{PREFIX}projects/[^/]+/)?zones/{zone}/machineTypes/(.+)", instance.machine_type)
    if not machine_type or machine_type[1] not in cloud.machine_types:
        raise invalid("machineType", instance.machine_type)
    if not instance.network_interfaces:
        raise invalid("networkInterfaces", "[]")
    if len([disk for disk in instance.disks if disk.boot]) != 1:
        raise invalid("disks", "not exactly one boot disk")
    check_scheduling(instance.scheduling)


def check_scheduling(scheduling: compute_v1.Scheduling) -> None:
    """Refuse a limit of the run without what happens then, and the reverse."""
    seconds = scheduling.max_run_duration.seconds
    if bool(seconds) != bool(scheduling.instance_termination_action):
        raise invalid("scheduling", "maxRunDuration and instanceTerminationAction belong together")
    if seconds and not 30 <= seconds <= LONGEST_RUN:
        raise invalid("scheduling.maxRunDuration.seconds", str(seconds))


def boot_disk(cloud: Cloud, zone: str, instance: compute_v1.Instance) -> compute_v1.Disk:
    """The disk that an instance boots from, made of an image that there is."""
    given = instance.disks[0].initialize_params
    image = resolve_image(cloud, given.source_image)
    check_labels(dict(given.labels))
    if not re.fullmatch(r".*zones/[^/]+/diskTypes/pd-(standard|balanced|ssd)", given.disk_type):
        raise invalid("disks[0].initializeParams.diskType", given.disk_type)
    if given.disk_size_gb < image.disk_size_gb:
        raise invalid("disks[0].initializeParams.diskSizeGb", f"{given.disk_size_gb}, smaller than the image")
    name = given.disk_name or instance.name
    return compute_v1.Disk(
        name=name,
        self_link=f"{PREFIX}projects/{cloud.project}/zones/{zone}/disks/{name}",
        size_gb=given.disk_size_gb,
        type_=f"{PREFIX}projects/{cloud.project}/{given.disk_type.split('/', given.disk_type.count('/') - 3)[-1]}",
        source_image=image.self_link,
        labels=given.labels,
        status="READY",
    )


def resolve_image(cloud: Cloud, link: str) -> compute_v1.Image:
    """The image that a link names, directly or as the newest of a family. Raises ApiError 404."""
    found = re.fullmatch(r"(?:https://[^/]+/compute/v1/)?projects/([^/]+)/global/images/(family/)?([^/]+)", link)
    if not found:
        raise invalid("disks[0].initializeParams.sourceImage", link)
    family = found[3] if found[2] else re.sub(r"-v\d+$", "", found[3])
    if cloud.images.get(family) != found[1]:
        raise not_found(link)
    name = f"{family}-v2" if found[2] else found[3]
    return compute_v1.Image(
        name=name,
        family=family,
        self_link=f"{PREFIX}projects/{found[1]}/global/images/{name}",
        disk_size_gb=10,
        status="READY",
        architecture="X86_64",
    )


def delete(cloud: Cloud, zone: str, name: str, failure: Failure | None) -> compute_v1.Operation:
    """Begin an instance's deletion."""
    instance = find(cloud, zone, name)
    instance.status = "STOPPING"
    return cloud.begin(instance.self_link, lambda: cloud.remove_instance((zone, name)), failure)


def start(cloud: Cloud, zone: str, name: str, failure: Failure | None) -> compute_v1.Operation:
    """Begin an instance's start; one that runs stays as it is."""
    instance = find(cloud, zone, name)
    if instance.status == "TERMINATED":
        return cloud.begin(instance.self_link, lambda: cloud.boot(instance), failure)
    return cloud.begin(instance.self_link, lambda: None, failure)


def stop(cloud: Cloud, zone: str, name: str, failure: Failure | None) -> compute_v1.Operation:
    """Begin an instance's stop."""
    instance = find(cloud, zone, name)
    instance.status = "STOPPING"
    return cloud.begin(instance.self_link, lambda: cloud.halt(instance), failure)


def set_labels(
    cloud: Cloud, zone: str, name: str, wanted: compute_v1.InstancesSetLabelsRequest, failure: Failure | None
) -> compute_v1.Operation:
    """Replace an instance's labels; only by who has seen the present ones."""
    instance = find(cloud, zone, name)
    check_labels(dict(wanted.labels))
    if wanted.label_fingerprint != instance.label_fingerprint:
        raise ApiError(412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed")

    def effect() -> None:
        instance.labels, instance.label_fingerprint = wanted.labels, fingerprint()

    return cloud.begin(instance.self_link, effect, failure)


def guest_attributes(cloud: Cloud, zone: str, name: str, path: str) -> compute_v1.GuestAttributes:
    """What an instance says of itself. Raises ApiError 404 while it has said nothing, or where it may not."""
    instance = find(cloud, zone, name)
    allowed = any(
        item.key == "enable-guest-attributes" and item.value.upper() == "TRUE" for item in instance.metadata.items
    )
    keys = cloud.host_keys.get(name, {})
    if not (allowed and keys and path == "hostkeys/"):
        raise not_found(f"guestAttributes/{path}")
    entries = [
        compute_v1.GuestAttributesEntry(namespace="hostkeys", key=kind, value=value) for kind, value in keys.items()
    ]
    return compute_v1.GuestAttributes(query_path=path, query_value=compute_v1.GuestAttributesValue(items=entries))


def invalid(field: str, value: str) -> ApiError:
    """The answer to a value that the service does not take."""
    return ApiError(400, "invalid", f"Invalid value for field 'resource.{field}': '{value}'.")


def fingerprint() -> str:
    """A new fingerprint."""
    return uuid.uuid4().hex[:12]
