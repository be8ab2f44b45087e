"""Who the node is: its identity at the API server and that of its own HTTPS server.

`Identity.establish` makes sure of a client certificate that the API server accepts, by the bootstrap kubeconfig where
there is none, and writes the node's kubeconfig. `keep` renews a certificate for as long as the node runs.
"""

import asyncio
import datetime
import json
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import yaml
from cryptography import x509
from lightkube import AsyncClient
from lightkube.core.exceptions import ApiError
from lightkube.resources.core_v1 import Node

from edgelab.core.backoff import Backoff
from edgelab.core.errors import LabError
from edgelab.kube.client import connect, is_unauthorized, until_answered
from edgelab.node.csr import Purpose, client_purpose, obtain
from edgelab.node.identity_store import CertificateStore, is_valid, renewal_time
from edgelab.service.files import write_whole

log = logging.getLogger(__name__)

_LONGEST_SLEEP = 600.0
"""Seconds after which a wait for a time of day looks at the clock again: it may have been set."""

_RETRY = Backoff(5.0, 300.0)

_BOOTSTRAP_DEADLINE = 120.0


@dataclass(frozen=True, slots=True)
class Identity:
    """A node's identity: where its parts are kept. `state` is the node's own directory."""

    node: str
    state: Path
    bootstrap: Path
    kubeconfig: Path

    @property
    def store(self) -> CertificateStore:
        """The client certificate."""
        return CertificateStore(self.state, "client")

    async def establish(self) -> None:
        """Have a certificate that the API server accepts, and the kubeconfig.

        Waits while the API server does not answer. Raises LabError when it refuses the certificate and the bootstrap
        kubeconfig does not help.
        """
        if is_valid(self.store.certificate(), _now()):
            self._write_kubeconfig()
            if await self._is_accepted():
                return
            log.warning("the API server refuses the node's certificate; asking for another")
        await self._bootstrap()
        self._write_kubeconfig()

    async def _is_accepted(self) -> bool:
        client = connect(self.kubeconfig)
        try:
            await until_answered(lambda: client.get(Node, self.node))
        except ApiError as error:
            return not is_unauthorized(error)
        finally:
            await client.close()
        return True

    async def _bootstrap(self) -> None:
        attempted = f"Get an identity for node {self.node} with the bootstrap kubeconfig {self.bootstrap}"
        client = connect(self.bootstrap)
        try:
            async with asyncio.timeout(_BOOTSTRAP_DEADLINE):
                await request(client, client_purpose(self.node), self.node, self.store)
        except TimeoutError as error:
            raise LabError(
                attempted,
                f"No certificate after {_BOOTSTRAP_DEADLINE:.0f} s",
                "The API server or kube-controller-manager does not run, or the bootstrap token's group is not bound "
                "to system:certificates.k8s.io:certificatesigningrequests:nodeclient",
                f"Look at `kubectl describe csr {self.node}`",
            ) from error
        except ApiError as error:
            cause = "The bootstrap token has expired" if is_unauthorized(error) else ""
            raise LabError(attempted, str(error), cause, "Run the playbook again: it makes a new token") from error
        finally:
            await client.close()

    def _write_kubeconfig(self) -> None:
        """The bootstrap file names the cluster: a lab that moved to another port moves its node too."""
        if not self.bootstrap.exists() and self.kubeconfig.exists():
            return
        content = json.dumps(kubeconfig(_cluster(self.bootstrap), self.store.path), indent=2)
        write_whole(self.kubeconfig, content.encode())


def kubeconfig(cluster: dict[str, Any], pair: Path) -> dict[str, Any]:
    """A kubeconfig for a cluster with the certificate and key of one file; its names are Krustlet's."""
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "krustlet", "cluster": cluster}],
        "users": [{"name": "krustlet", "user": {"client-certificate": str(pair), "client-key": str(pair)}}],
        "contexts": [{"name": "krustlet", "context": {"cluster": "krustlet", "user": "krustlet"}}],
        "current-context": "krustlet",
    }


def _cluster(bootstrap: Path) -> dict[str, Any]:
    try:
        config = yaml.safe_load(bootstrap.read_text())
        context = _named(config["contexts"], config["current-context"])["context"]
        cluster: dict[str, Any] = dict(_named(config["clusters"], context["cluster"])["cluster"])
    except (OSError, yaml.YAMLError, KeyError, TypeError, StopIteration) as error:
        raise LabError(
            attempted=f"Read the bootstrap kubeconfig {bootstrap}",
            seen=f"{type(error).__name__}: {error}",
            remedy="Run the playbook again: it writes that file",
        ) from error
    if "certificate-authority" in cluster:
        cluster["certificate-authority"] = str(bootstrap.parent / cluster["certificate-authority"])
    return cluster


def _named(entries: list[dict[str, Any]], name: str) -> dict[str, Any]:
    return next(entry for entry in entries if entry["name"] == name)


async def request(client: AsyncClient, purpose: Purpose, node: str, store: CertificateStore) -> None:
    """Put a new certificate into the store; raises what `obtain` raises. A refused request's key is given up."""
    try:
        store.put(await obtain(client, purpose, node, store.pending_key()))
    except LabError:
        store.forget_pending()
        raise


async def keep(
    client: AsyncClient,
    purpose: Purpose,
    node: str,
    store: CertificateStore,
    use: Callable[[], Awaitable[None]],
    used: x509.Certificate | None = None,
) -> None:
    """Call `use` once for each certificate to take into use (`used` is so already), and renew it in time; for ever.

    Raises LabError when the API server refuses the node's identity: the next start establishes it anew.
    """
    failures = 0
    while True:
        certificate = store.certificate()
        if certificate and fits(certificate, purpose, _now()):
            if certificate != used:
                await use()
                used = certificate
            await _sleep_until(renewal_time(certificate))
        try:
            await request(client, purpose, node, store)
            failures = 0
        except (LabError, httpx2.HTTPError) as error:
            _raise_if_refused(error, node)
            failures += 1
            log.warning("no certificate from request %s: %s", purpose.name, error)
            await asyncio.sleep(_RETRY.delay(failures))


def fits(certificate: x509.Certificate, purpose: Purpose, now: datetime.datetime) -> bool:
    """The certificate is valid and made for the names and addresses of the purpose."""
    if not is_valid(certificate, now):
        return False
    try:
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return not purpose.dns and not purpose.addresses
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    return set(purpose.dns) <= set(names.get_values_for_type(x509.DNSName)) and set(purpose.addresses) <= addresses


def _raise_if_refused(error: Exception, node: str) -> None:
    if isinstance(error, ApiError) and is_unauthorized(error):
        raise LabError(
            attempted=f"Renew a certificate of node {node}",
            seen="The API server refuses the node's identity",
            cause="Its certificate has expired, or the cluster has another CA now",
            remedy="Start the node again: it then uses the bootstrap kubeconfig",
        ) from error


async def _sleep_until(when: datetime.datetime) -> None:
    seconds = (when - _now()).total_seconds()
    while seconds > 0:
        await asyncio.sleep(min(seconds, _LONGEST_SLEEP))
        seconds = (when - _now()).total_seconds()


def _now() -> datetime.datetime:
    return datetime.datetime.now(datetime.UTC)
