"""Pulling modules over HTTP, from a registry that can be told to misbehave."""

import asyncio
import contextlib
import hashlib
import http.server
import json
import os
import resource
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import wasmtime
from edgelab.node.images.errors import ImageError
from edgelab.node.images.registry import Registries
from edgelab.node.images.store import KEPT_SECONDS, Image, Images

HELLO = wasmtime.wat2wasm('(module (memory (export "memory") 1) (func (export "_start")))')
OTHER = wasmtime.wat2wasm('(module (memory (export "memory") 2) (func (export "_start")))')
OCI = "application/vnd.oci.image.manifest.v1+json"


def digest(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


class Registry(http.server.ThreadingHTTPServer):
    """The reading half of the distribution API; what it holds can be replaced by something else."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.manifests: dict[str, bytes] = {}
        self.blobs: dict[str, bytes] = {}
        self.requests: list[str] = []
        self.password = ""

    @property
    def host(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    def push(self, tag: str, module: bytes, **changes: Any) -> str:
        layer = {"mediaType": "application/wasm", "digest": digest(module), "size": len(module)} | changes
        content = json.dumps({"schemaVersion": 2, "mediaType": OCI, "layers": [layer]}).encode()
        self.blobs[digest(module)] = module
        self.manifests[tag] = self.manifests[digest(content)] = content
        return digest(content)


class Handler(http.server.BaseHTTPRequestHandler):
    server: Registry

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        self.server.requests.append(f"{self.command} {self.path}")
        kind, name = self.path.split("/")[3:]
        content = (self.server.manifests if kind == "manifests" else self.server.blobs).get(name)
        self.send_response(404 if content is None else 200)
        self.send_header("Content-Length", str(len(content or b"")))
        if kind == "manifests" and content is not None:
            self.send_header("Docker-Content-Digest", digest(content))
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content or b"")

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def registry() -> Iterator[Registry]:
    with Registry() as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield server
        server.shutdown()


@pytest.fixture
def images(registry: Registry, tmp_path: Path) -> Images:
    return make(registry, tmp_path)


def make(registry: Registry, directory: Path) -> Images:
    return Images(directory / "images", Registries(plain_http=frozenset({registry.host})))


async def pull(images: Images, registry: Registry, reference: str = "hello:v1", policy: str = "IfNotPresent") -> Image:
    return await images.ensure(f"{registry.host}/{reference}", policy)


def kept(directory: Path) -> list[Path]:
    return list((directory / "images" / "modules").iterdir())


async def test_a_module_is_pulled_by_digest_and_compiled(registry: Registry, images: Images, tmp_path: Path) -> None:
    expected = registry.push("v1", HELLO)
    image = await pull(images, registry)
    assert image.image_id == f"{registry.host}/hello@{expected}"
    assert registry.requests == [
        "HEAD /v2/hello/manifests/v1",
        f"GET /v2/hello/manifests/{expected}",
        f"GET /v2/hello/blobs/{digest(HELLO)}",
    ]
    assert kept(tmp_path) == [image.module]
    assert image.module.stat().st_mode & 0o777 == 0o600
    wasmtime.Module.deserialize_file(wasmtime.Engine(), str(image.module))


async def test_what_is_here_is_not_asked_for_again(registry: Registry, images: Images, tmp_path: Path) -> None:
    registry.push("v1", HELLO)
    image = await pull(images, registry)
    registry.requests.clear()
    assert await pull(images, registry) == image
    assert await pull(make(registry, tmp_path), registry, policy="Never") == image
    assert registry.requests == []


async def test_always_asks_what_the_tag_means_and_pulls_only_what_is_new(registry: Registry, images: Images) -> None:
    registry.push("v1", HELLO)
    first = await pull(images, registry, policy="Always")
    registry.requests.clear()
    assert await pull(images, registry, policy="Always") == first
    assert registry.requests == ["HEAD /v2/hello/manifests/v1"]
    registry.push("v1", OTHER)
    assert (await pull(images, registry)).module == first.module
    assert (await pull(images, registry, policy="Always")).module != first.module


async def test_what_no_pod_has_had_for_long_goes_and_comes_back_when_it_is_wanted(
    registry: Registry, images: Images, tmp_path: Path
) -> None:
    registry.push("v1", HELLO)
    registry.push("v2", OTHER)
    used, unused = await pull(images, registry), await pull(images, registry, "hello:v2")
    earlier_engine = unused.module.with_name("0123.cwasm")
    names = [f"{registry.host}/hello:v1", "no image"]
    for path, seconds in ((used.module, 60), (unused.module, -60), (earlier_engine, 60)):
        path.touch()
        os.utime(path, (0, time.time() - KEPT_SECONDS - seconds))
    images.prune(names)
    assert {*kept(tmp_path)} == {used.module, unused.module}
    os.utime(unused.module, (0, 0))
    images.prune(names)
    assert kept(tmp_path) == [used.module]
    assert await pull(images, registry) == used
    assert await pull(images, registry, "hello:v2") == unused


async def test_a_module_that_is_pulled_again_is_kept_anew(registry: Registry, images: Images, tmp_path: Path) -> None:
    registry.push("v1", HELLO)
    image = await pull(images, registry)
    os.utime(image.module, (0, 0))
    assert await pull(images, registry, policy="Always") == image
    images.prune([])
    assert kept(tmp_path) == [image.module]


async def test_never_does_not_pull(registry: Registry, images: Images) -> None:
    registry.push("v1", HELLO)
    with pytest.raises(ImageError) as caught:
        await pull(images, registry, policy="Never")
    assert caught.value.reason == "ErrImageNeverPull"
    assert registry.requests == []


async def test_pulls_of_the_same_image_are_one(registry: Registry, images: Images) -> None:
    registry.push("v1", HELLO)
    found = await asyncio.gather(*(pull(images, registry, policy="Always") for _pull in range(5)))
    assert len(set(found)) == 1
    assert len(registry.requests) == 3


async def test_a_pull_goes_on_when_one_who_waits_for_it_is_gone(registry: Registry, images: Images) -> None:
    registry.push("v1", HELLO)
    gone = asyncio.create_task(pull(images, registry))
    stays = asyncio.create_task(pull(images, registry))
    await asyncio.sleep(0)
    gone.cancel()
    assert (await stays).module.exists()


async def test_a_manifest_with_another_digest_is_refused(registry: Registry, images: Images, tmp_path: Path) -> None:
    stated = registry.push("v1", HELLO)
    registry.manifests[stated] += b" "
    with pytest.raises(ImageError, match="has the digest"):
        await pull(images, registry, f"hello@{stated}")
    assert kept(tmp_path) == []


async def test_a_module_with_another_digest_is_refused(registry: Registry, images: Images, tmp_path: Path) -> None:
    registry.push("v1", HELLO)
    registry.blobs[digest(HELLO)] = HELLO[:-1] + b"\0"
    with pytest.raises(ImageError, match="else than was asked for"):
        await pull(images, registry)
    assert kept(tmp_path) == []


async def test_more_than_was_stated_is_refused(registry: Registry, images: Images, tmp_path: Path) -> None:
    registry.push("v1", HELLO, size=10)
    with pytest.raises(ImageError, match="larger than the 10 bytes"):
        await pull(images, registry)
    assert kept(tmp_path) == []


async def test_an_image_that_is_not_there(registry: Registry, images: Images) -> None:
    with pytest.raises(ImageError, match="404") as caught:
        await pull(images, registry)
    assert caught.value.reason == "ErrImagePull"


async def test_a_registry_that_does_not_speak_tls_is_not_trusted(registry: Registry, tmp_path: Path) -> None:
    registry.push("v1", HELLO)
    with pytest.raises(ImageError, match="SSL"):
        await pull(Images(tmp_path / "images", Registries()), registry)
    assert registry.requests == []


async def test_a_registry_that_asks_its_clients_for_a_certificate(
    registry: Registry, tmp_path: Path, make_ca: Callable[[str], Any]
) -> None:
    ca = make_ca("ca")
    server, client = ca.issue("registry", ""), ca.issue("client", "")
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=ca.path)
    context.load_cert_chain(server)
    context.verify_mode = ssl.CERT_REQUIRED
    registry.socket = context.wrap_socket(registry.socket, server_side=True)
    registry.push("v1", HELLO)

    trusted = {registry.host: ca.path}
    with pytest.raises(ImageError):
        await pull(Images(tmp_path / "refused", Registries(trusted)), registry)
    assert registry.requests == []
    known = Registries(trusted, {registry.host: (client, client)})
    assert (await pull(Images(tmp_path / "images", known), registry)).module.exists()


async def test_a_registry_that_is_not_there(images: Images) -> None:
    with pytest.raises(ImageError, match="Connection"):
        await images.ensure("127.0.0.1:1/hello:v1", "Always")


@pytest.mark.parametrize(
    ("module", "reason"),
    [
        (b"not wasm", "it is not WebAssembly"),
        (b"\0asm\x0d\0\1\0", "component"),
        (b"\0asm\1\0\0\0garbage", "malformed"),
        (wasmtime.wat2wasm("(module)"), "no function _start"),
        (wasmtime.wat2wasm('(module (import "env" "f" (func)) (func (export "_start")))'), "imports from env"),
    ],
)
async def test_what_cannot_run_here_is_told(
    registry: Registry, images: Images, tmp_path: Path, module: bytes, reason: str
) -> None:
    registry.push("v1", module)
    with pytest.raises(ImageError, match=reason) as caught:
        await pull(images, registry)
    assert caught.value.reason == "UnsupportedImage"
    assert kept(tmp_path) == []


@contextlib.contextmanager
def no_room() -> Iterator[None]:
    """No file can become larger than 40 bytes, as on a disk that is full; not even the log of these tests."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (40, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


async def test_a_full_disk_leaves_nothing_behind(registry: Registry, images: Images, tmp_path: Path) -> None:
    registry.push("v1", wasmtime.wat2wasm(f'(module (func (export "_start")) (func (export "{"x" * 99}")))'))
    with pytest.raises(ImageError, match="too large"), no_room():
        await pull(images, registry)
    assert kept(tmp_path) == []


async def test_a_disk_that_is_full_when_the_module_is_compiled(
    registry: Registry, images: Images, tmp_path: Path
) -> None:
    registry.push("v1", wasmtime.wat2wasm('(module (func (export "_start")))'))
    with pytest.raises(ImageError, match="Compiling it failed"), no_room():
        await pull(images, registry)
    assert kept(tmp_path) == []


async def test_leftovers_of_a_killed_node_are_removed(registry: Registry, tmp_path: Path) -> None:
    directory = tmp_path / "images" / "modules"
    directory.mkdir(parents=True)
    (directory / f".x.cwasm.{os.getpid()}").touch()
    (directory / "half.wasm").touch()
    make(registry, tmp_path)
    assert kept(tmp_path) == []
