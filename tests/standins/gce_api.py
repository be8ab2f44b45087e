"""The stand-in for Compute Engine as a web service: paths, answers, authentication, OS Login and the token endpoint.

Only the calls that the collection uses exist; any other is refused with 404, as a path that Google does not know.
"""

import asyncio
import hashlib
import ipaddress
from collections.abc import Awaitable, Callable
from typing import Any

import proto
from aiohttp import web
from google.cloud import compute_v1
from standins import gce_instances as instances
from standins.gce_auth import Accounts
from standins.gce_cloud import Cloud, check_name
from standins.gce_messages import ApiError, matches, parse, to_json

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
ROOT = "/compute/v1/projects/{project}"
ZONE = ROOT + "/zones/{zone}"
INSTANCE = ZONE + "/instances/{instance}"


def application(cloud: Cloud, accounts: Accounts) -> web.Application:
    """The service for one cloud."""
    return Api(cloud, accounts).application()


class Api:
    """The paths of the service."""

    def __init__(self, cloud: Cloud, accounts: Accounts) -> None:
        self.cloud, self.accounts = cloud, accounts

    def application(self) -> web.Application:
        """All routes."""
        app = web.Application(middlewares=[self.guarded])
        app.add_routes(
            [
                web.post("/token", self.token),
                web.get(ROOT, self.get_project),
                web.get(ROOT + "/zones", self.list_zones),
                web.get(ROOT + "/aggregated/{kind:instances|disks}", self.aggregated),
                web.post(ZONE + "/instances", self.insert_instance),
                web.get(INSTANCE, self.get_instance),
                web.delete(INSTANCE, self.change_instance),
                web.post(INSTANCE + "/{verb:start|stop}", self.change_instance),
                web.post(INSTANCE + "/setLabels", self.set_labels),
                web.get(INSTANCE + "/getGuestAttributes", self.guest_attributes),
                web.get(INSTANCE + "/serialPort", self.serial_port),
                web.delete(ZONE + "/disks/{disk}", self.delete_disk),
                web.get(ROOT + "/global/images/family/{family}", self.image),
                web.get(ROOT + "/global/images/{image}", self.image),
                web.get(ROOT + "/global/firewalls", self.list_firewalls),
                web.post(ROOT + "/global/firewalls", self.insert_firewall),
                web.get(ROOT + "/global/firewalls/{firewall}", self.get_firewall),
                web.patch(ROOT + "/global/firewalls/{firewall}", self.patch_firewall),
                web.delete(ROOT + "/global/firewalls/{firewall}", self.delete_firewall),
                web.get(ZONE + "/operations/{operation}", self.get_operation),
                web.get(ROOT + "/global/operations/{operation}", self.get_operation),
                web.post(ZONE + "/operations/{operation}/wait", self.wait_for_operation),
                web.post(ROOT + "/global/operations/{operation}/wait", self.wait_for_operation),
                web.post("/v1/users/{email}:importSshPublicKey", self.import_key),
                web.get("/v1/users/{email}/loginProfile", self.login_profile),
                web.delete("/v1/users/{email}/sshPublicKeys/{fingerprint}", self.delete_key),
            ]
        )
        return app

    @web.middleware
    async def guarded(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Authentication, and errors as Google words them."""
        try:
            if request.path != "/token":
                self.accounts.check(request.headers.get("Authorization", ""))
            if request.match_info.get("project", self.cloud.project) != self.cloud.project and "/images/" not in str(
                request.rel_url
            ):
                raise instances.not_found(f"projects/{request.match_info['project']}")
            return await handler(request)
        except ApiError as error:
            return web.json_response(error.as_json(), status=error.status)

    async def token(self, request: web.Request) -> web.Response:
        """A token for a signed JWT; errors as OAuth words them."""
        form = {key: str(value) for key, value in (await request.post()).items()}
        try:
            return web.json_response(self.accounts.token(form))
        except ApiError as error:
            return web.json_response({"error": error.reason, "error_description": error.message}, status=error.status)

    async def get_project(self, request: web.Request) -> web.Response:
        self.cloud.enter("projects.get")
        items = [compute_v1.Items(key=key, value=value) for key, value in self.cloud.metadata.items()]
        return answer(
            compute_v1.Project(name=self.cloud.project, common_instance_metadata=compute_v1.Metadata(items=items))
        )

    async def list_zones(self, request: web.Request) -> web.Response:
        self.cloud.enter("zones.list")
        return answer(compute_v1.ZoneList(items=[compute_v1.Zone(name=name, status="UP") for name in self.cloud.zones]))

    async def aggregated(self, request: web.Request) -> web.Response:
        kind = request.match_info["kind"]
        self.cloud.enter(f"{kind}.aggregatedList")
        asked = request.query.get("filter", "")
        matches(asked, "", {})  # refuses what is no filter, also where there is nothing to choose from
        found: dict[str, list[Any]] = {zone: [] for zone in self.cloud.zones}
        for (zone, name), resource in (self.cloud.instances if kind == "instances" else self.cloud.disks).items():
            if matches(asked, name, dict(resource.labels)):
                found[zone].append(resource)
        scoped, listed = (
            (compute_v1.InstancesScopedList, compute_v1.InstanceAggregatedList)
            if kind == "instances"
            else (compute_v1.DisksScopedList, compute_v1.DiskAggregatedList)
        )
        return answer(listed(items={f"zones/{zone}": scoped(**{kind: each}) for zone, each in found.items()}))

    async def insert_instance(self, request: web.Request) -> web.Response:
        zone = self.zone(request)
        failure = self.cloud.enter("instances.insert")
        instance = parse(compute_v1.Instance, await request.text())
        return answer(instances.insert(self.cloud, zone, instance, failure))

    async def get_instance(self, request: web.Request) -> web.Response:
        self.cloud.enter("instances.get")
        return answer(instances.find(self.cloud, self.zone(request), request.match_info["instance"]))

    async def change_instance(self, request: web.Request) -> web.Response:
        verb = request.match_info.get("verb", "delete")
        failure = self.cloud.enter(f"instances.{verb}")
        change = {"delete": instances.delete, "start": instances.start, "stop": instances.stop}[verb]
        return answer(change(self.cloud, self.zone(request), request.match_info["instance"], failure))

    async def set_labels(self, request: web.Request) -> web.Response:
        failure = self.cloud.enter("instances.setLabels")
        wanted = parse(compute_v1.InstancesSetLabelsRequest, await request.text())
        name = request.match_info["instance"]
        return answer(instances.set_labels(self.cloud, self.zone(request), name, wanted, failure))

    async def guest_attributes(self, request: web.Request) -> web.Response:
        self.cloud.enter("instances.getGuestAttributes")
        path = request.query.get("queryPath", "")
        name = request.match_info["instance"]
        return answer(instances.guest_attributes(self.cloud, self.zone(request), name, path))

    async def serial_port(self, request: web.Request) -> web.Response:
        self.cloud.enter("instances.getSerialPortOutput")
        name = instances.find(self.cloud, self.zone(request), request.match_info["instance"]).name
        return answer(compute_v1.SerialPortOutput(contents=self.cloud.serial.get(name, "")))

    async def delete_disk(self, request: web.Request) -> web.Response:
        failure = self.cloud.enter("disks.delete")
        key = (self.zone(request), request.match_info["disk"])
        if key not in self.cloud.disks:
            raise instances.not_found(f"disks/{key[1]}")
        if users := self.cloud.disks[key].users:
            raise ApiError(400, "resourceInUseByAnotherResource", f"The disk is in use by {', '.join(users)}")
        return answer(self.cloud.begin(f"disks/{key[1]}", lambda: self.cloud.disks.pop(key) and None, failure))

    async def image(self, request: web.Request) -> web.Response:
        given = request.match_info
        self.cloud.enter("images.getFromFamily" if "family" in given else "images.get")
        name = f"family/{given['family']}" if "family" in given else given["image"]
        return answer(instances.resolve_image(self.cloud, f"projects/{given['project']}/global/images/{name}"))

    async def list_firewalls(self, request: web.Request) -> web.Response:
        self.cloud.enter("firewalls.list")
        asked = request.query.get("filter", "")
        return answer(
            compute_v1.FirewallList(
                items=[rule for name, rule in self.cloud.firewalls.items() if matches(asked, name, {})]
            )
        )

    async def insert_firewall(self, request: web.Request) -> web.Response:
        failure = self.cloud.enter("firewalls.insert")
        rule = parse(compute_v1.Firewall, await request.text())
        check_firewall(rule)
        if rule.name in self.cloud.firewalls:
            raise ApiError(409, "alreadyExists", f"The resource 'global/firewalls/{rule.name}' already exists")

        def effect() -> None:
            self.cloud.firewalls[rule.name] = rule

        return answer(self.cloud.begin(f"firewalls/{rule.name}", effect, failure))

    async def get_firewall(self, request: web.Request) -> web.Response:
        self.cloud.enter("firewalls.get")
        return answer(self.firewall(request))

    async def patch_firewall(self, request: web.Request) -> web.Response:
        failure = self.cloud.enter("firewalls.patch")
        rule = self.firewall(request)
        change = parse(compute_v1.Firewall, await request.text())
        for name in compute_v1.Firewall.pb(change).DESCRIPTOR.fields_by_name:
            if name in change:
                setattr(rule, name, getattr(change, name))
        check_firewall(rule)
        return answer(self.cloud.begin(f"firewalls/{rule.name}", lambda: None, failure))

    async def delete_firewall(self, request: web.Request) -> web.Response:
        failure = self.cloud.enter("firewalls.delete")
        name = self.firewall(request).name
        return answer(self.cloud.begin(f"firewalls/{name}", lambda: self.cloud.firewalls.pop(name) and None, failure))

    async def get_operation(self, request: web.Request) -> web.Response:
        self.cloud.enter("operations.get")
        return answer(self.operation(request))

    async def wait_for_operation(self, request: web.Request) -> web.Response:
        """The operation when it is done, or as it is after a while: the real service waits up to two minutes."""
        self.cloud.enter("operations.wait")
        operation = self.operation(request)
        for _ in range(20):
            if operation.status == compute_v1.Operation.Status.DONE:
                break
            await asyncio.sleep(self.cloud.seconds_per_step)
        return answer(operation)

    async def import_key(self, request: web.Request) -> web.Response:
        """OS Login: a key for a user, who has a POSIX account from then on."""
        self.cloud.enter("oslogin.importSshPublicKey")
        self.check_user(request)
        given = await request.json()
        if unknown := set(given) - {"key", "expirationTimeUsec"}:
            raise ApiError(400, "invalid", f"Unknown name: {', '.join(unknown)}")
        mark = hashlib.sha256(given["key"].encode()).hexdigest()
        self.cloud.login_keys[mark] = {**given, "fingerprint": mark}
        return web.json_response({"loginProfile": self.profile(request)})

    async def login_profile(self, request: web.Request) -> web.Response:
        self.cloud.enter("oslogin.getLoginProfile")
        self.check_user(request)
        return web.json_response(self.profile(request))

    async def delete_key(self, request: web.Request) -> web.Response:
        self.cloud.enter("oslogin.deleteSshPublicKey")
        self.check_user(request)
        if not self.cloud.login_keys.pop(request.match_info["fingerprint"], None):
            raise instances.not_found("sshPublicKeys")
        return web.json_response({})

    def profile(self, request: web.Request) -> dict[str, Any]:
        """A user's login profile."""
        email = request.match_info["email"]
        account = {"primary": True, "username": f"sa_{hashlib.sha256(email.encode()).hexdigest()[:12]}"}
        return {"name": email, "posixAccounts": [account], "sshPublicKeys": self.cloud.login_keys}

    def check_user(self, request: web.Request) -> None:
        """OS Login lets nobody ask about others."""
        if request.match_info["email"] != self.accounts.email:
            raise ApiError(403, "forbidden", "The caller does not have permission")

    def zone(self, request: web.Request) -> str:
        """The zone that a path names. Raises ApiError 400 where there is none of that name."""
        zone = request.match_info["zone"]
        if zone not in self.cloud.zones:
            raise ApiError(400, "invalid", f"Invalid value for field 'zone': '{zone}'. Unknown zone.")
        return zone

    def operation(self, request: web.Request) -> compute_v1.Operation:
        """The operation that a path names. Raises ApiError 404."""
        name = request.match_info["operation"]
        if name not in self.cloud.operations:
            raise instances.not_found(f"operations/{name}")
        return self.cloud.operations[name]

    def firewall(self, request: web.Request) -> compute_v1.Firewall:
        """The rule that a path names. Raises ApiError 404."""
        name = request.match_info["firewall"]
        if name not in self.cloud.firewalls:
            raise instances.not_found(f"projects/{self.cloud.project}/global/firewalls/{name}")
        return self.cloud.firewalls[name]


def check_firewall(rule: compute_v1.Firewall) -> None:
    """Refuse what the service refuses of a rule."""
    check_name(rule.name)
    for each in rule.source_ranges:
        try:
            ipaddress.ip_network(each)
        except ValueError as error:
            raise ApiError(400, "invalid", f"Invalid value for field 'resource.sourceRanges': '{each}'.") from error
    if bool(rule.allowed) == bool(rule.denied):
        raise ApiError(400, "invalid", "Exactly one of fields 'allowed' and 'denied' must be set.")


def answer(message: proto.Message) -> web.Response:
    """A message as an answer."""
    return web.Response(text=to_json(message), content_type="application/json")
