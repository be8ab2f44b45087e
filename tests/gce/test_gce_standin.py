"""The stand-in refuses what Compute Engine would refuse, so that what works with it has a chance to work there."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from ansible_collections.edgelab.akri.plugins.module_utils._gce_client import credentials_for
from gcekit import Lab
from google.auth.transport.requests import AuthorizedSession
from google.cloud import compute_v1


@pytest.fixture
def session(lab: Lab) -> Iterator[Any]:
    """Requests with the service account's credentials."""
    credentials, _ = credentials_for(str(lab.gce.credentials_file))
    with AuthorizedSession(credentials) as opened:
        yield opened


BODY: dict[str, Any] = {
    "name": "edgelab-y",
    "machineType": "zones/europe-west1-b/machineTypes/e2-standard-4",
    "disks": [
        {
            "boot": True,
            "autoDelete": True,
            "initializeParams": {
                "sourceImage": "projects/debian-cloud/global/images/family/debian-12",
                "diskSizeGb": "20",
                "diskType": "zones/europe-west1-b/diskTypes/pd-balanced",
            },
        }
    ],
    "networkInterfaces": [{"network": "global/networks/default"}],
}


def changed(**fields: Any) -> dict[str, Any]:
    return {**BODY, **fields}


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (changed(machinetype="x"), "no field named"),
        (changed(scheduling={"maxRunDuration": "7200s"}), "Invalid JSON payload"),
        (changed(scheduling={"maxRunDuration": {"seconds": 7200}, "instanceTerminationAction": "REMOVE"}), "REMOVE"),
        (changed(scheduling={"maxRunDuration": {"seconds": 7200}}), "belong together"),
        (changed(networkInterfaces=[{"accessConfigs": [{"type": "NAT"}]}]), "accessConfigs[0].type"),
        (changed(name="Edgelab_Y"), "Must match"),
        (changed(labels={"Team": "Edge"}), "labels"),
        (changed(machineType="zones/europe-west1-c/machineTypes/e2-standard-4"), "machineType"),
        (changed(networkInterfaces=[]), "networkInterfaces"),
        (changed(disks=[]), "boot disk"),
    ],
)
def test_bodies_that_do_not_parse_are_refused(lab: Lab, session: Any, body: dict[str, Any], said: str) -> None:
    url = f"{lab.gce.url}/compute/v1/projects/{lab.gce.project}/zones/europe-west1-b/instances"
    answer = session.post(url, data=json.dumps(body))
    assert answer.status_code == 400
    assert said in answer.json()["error"]["message"]
    assert lab.gce.cloud.instances == {}


def test_a_good_body_is_taken(lab: Lab, session: Any) -> None:
    url = f"{lab.gce.url}/compute/v1/projects/{lab.gce.project}/zones/europe-west1-b/instances"
    answer = session.post(url, data=json.dumps(BODY))
    assert (answer.status_code, answer.json()["status"]) == (200, "PENDING")


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer made-up"}, {"Authorization": "Basic eDp5"}])
def test_nobody_gets_in_without_a_token(lab: Lab, headers: dict[str, str]) -> None:
    answer = requests.get(f"{lab.gce.url}/compute/v1/projects/{lab.gce.project}", headers=headers, timeout=10)
    assert answer.status_code == 401


def test_the_token_endpoint_wants_a_signature(lab: Lab) -> None:
    grant = {"grant_type": "urn:ietf:params:oauth:grant-type:jwt-bearer", "assertion": "a.b.c"}
    answer = requests.post(f"{lab.gce.url}/token", data=grant, timeout=10)
    assert (answer.status_code, answer.json()["error"]) == (400, "invalid_grant")


def test_labels_are_changed_only_by_who_has_seen_them(lab: Lab, session: Any) -> None:
    lab.present()
    url = f"{lab.gce.url}/compute/v1/projects/{lab.gce.project}/zones/europe-west1-b/instances/edgelab-x/setLabels"
    answer = session.post(url, data=json.dumps({"labels": {"a": "b"}, "labelFingerprint": "stale"}))
    assert answer.status_code == 412


def test_other_filters_are_refused_instead_of_ignored(lab: Lab, session: Any) -> None:
    url = f"{lab.gce.url}/compute/v1/projects/{lab.gce.project}/aggregated/instances"
    assert session.get(url, params={"filter": "status!=RUNNING"}).status_code == 400


def test_the_credentials_have_the_type_that_the_client_knows(lab: Lab) -> None:
    assert json.loads(lab.gce.credentials_file.read_text())["type"] == "service_account"
    assert lab.gce.credentials_file.stat().st_mode & 0o777 == 0o600
    assert isinstance(compute_v1.Instance.from_json(json.dumps(BODY)), compute_v1.Instance)
