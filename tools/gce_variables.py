"""Write what a CI run on Compute Engine says to the inventory gce: project, credentials, who may log in, how long.

    python tools/gce_variables.py DIRECTORY

DIRECTORY gets variables.json and credentials.json, for nobody else to read. From the environment: GCP_PROJECT, and
either GCP_SA_KEY (a service account's key) or GCP_WORKLOAD_IDENTITY_PROVIDER and GCP_SERVICE_ACCOUNT (then GitHub says
who asks, and there is no key at all); SSH_RANGE (who may log in beside this machine) and KEEP_HOURS.
"""

import json
import os
import sys
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ADDRESS = "https://checkip.amazonaws.com"
SECONDS = 30
# So long a run takes at most; an instance that nobody deletes ends by itself then.
RUN_HOURS = 2


def main() -> int:
    """Write both files."""
    directory = Path(sys.argv[1])
    directory.mkdir(mode=0o700, parents=True)
    credentials = directory / "credentials.json"
    write(credentials, credentials_of(os.environ))
    with urllib.request.urlopen(ADDRESS, timeout=SECONDS) as answer:
        here = answer.read().decode().strip()
    write(directory / "variables.json", variables_of(os.environ, here, credentials))
    return 0


def credentials_of(environment: Mapping[str, str]) -> dict[str, Any]:
    """The key, or how Google's library exchanges GitHub's token for one that ends soon."""
    provider = environment.get("GCP_WORKLOAD_IDENTITY_PROVIDER", "")
    if not provider:
        key: dict[str, Any] = json.loads(environment["GCP_SA_KEY"])
        return key
    audience = f"//iam.googleapis.com/{provider}"
    account = f"projects/-/serviceAccounts/{environment['GCP_SERVICE_ACCOUNT']}"
    return {
        "type": "external_account",
        "audience": audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": "https://sts.googleapis.com/v1/token",
        "service_account_impersonation_url": f"https://iamcredentials.googleapis.com/v1/{account}:generateAccessToken",
        "credential_source": {
            "url": f"{environment['ACTIONS_ID_TOKEN_REQUEST_URL']}&audience=https:{audience}",
            "headers": {"Authorization": f"Bearer {environment['ACTIONS_ID_TOKEN_REQUEST_TOKEN']}"},
            "format": {"type": "json", "subject_token_field_name": "value"},
        },
    }


def variables_of(environment: Mapping[str, str], here: str, credentials: Path) -> dict[str, Any]:
    """The variables of the inventory. here: this machine's address."""
    more = environment.get("SSH_RANGE", "")
    return {
        "gce_host_project": environment["GCP_PROJECT"],
        "gce_host_credentials_file": str(credentials),
        "gce_host_ssh_ranges": [f"{here}/32", *([more] if more else [])],
        "gce_host_keep_hours": int(float(environment.get("KEEP_HOURS") or 0)) + RUN_HOURS,
    }


def write(path: Path, content: Mapping[str, Any]) -> None:
    """Write a file that nobody else may read."""
    path.touch(mode=0o600)
    path.write_text(json.dumps(content))


if __name__ == "__main__":
    sys.exit(main())
