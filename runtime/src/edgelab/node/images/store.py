"""The images of the node: pulled when a Pod needs them, verified, kept compiled.

A compiled module is kept under the digest of its layer and the engine it was compiled for, so nothing is compiled
twice and a module of an earlier engine is not loaded. The directory is private: only files that this node wrote are
loaded as machine code. `prune` removes those that no Pod has had for KEPT_SECONDS; a file's time
is that of its last use.
"""

import asyncio
import concurrent.futures
import hashlib
import importlib.metadata
import logging
import os
import platform
import re
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from edgelab.node.containers.files import read_json, write_json
from edgelab.node.images.credentials import Credentials
from edgelab.node.images.errors import COMPILER_REFUSED, ImageError, refused, unsupported
from edgelab.node.images.manifest import wasm_layer
from edgelab.node.images.reference import Reference, parse
from edgelab.node.images.registry import Registries, Repository

T = TypeVar("T")

log = logging.getLogger(__name__)

KEPT_SECONDS = 14 * 24 * 3600.0
"""How long a module stays that no Pod has."""

_COMPILE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Image:
    """An image that is here: `image_id` names it by digest, `module` is the compiled file."""

    image_id: str
    module: Path


class Images:
    """Images by name. `directory` is made, readable for the owner alone."""

    def __init__(self, directory: Path, registries: Registries) -> None:
        self._modules, self._index_file = directory / "modules", directory / "images.json"
        self._registries = registries
        self._pulls: dict[tuple[Reference, Credentials | None], asyncio.Task[Image]] = {}
        self._engine = engine_key()
        self._modules.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left_over in (*self._modules.glob("*.wasm"), *self._modules.glob(".*.cwasm.*")):
            left_over.unlink()  # of a pull that was under way when the node was killed
        self._index: dict[str, dict[str, str]] = read_json(self._index_file) or {}

    def without_asking(self, name: str, policy: str) -> Image | None:
        """The image, if it was pulled before and its imagePullPolicy does not want the registry to be asked."""
        try:
            return self._present(parse(name)) if policy != "Always" else None
        except ImageError:
            return None

    def _present(self, reference: Reference) -> Image | None:
        known = self._index.get(str(reference))
        module = self._file(known["layer"]) if known else None
        if not (known and module and module.exists()):
            return None
        os.utime(module)
        return Image(known["image_id"], module)

    async def ensure(self, name: str, policy: str, credentials: Credentials | None = None) -> Image:
        """The image under a name, by its imagePullPolicy. Raises ImageError.

        A pull that several containers wait for is one pull; it goes on when one of them is gone.
        """
        reference = parse(name)
        if here := self.without_asking(name, policy):
            return here
        if policy == "Never":
            raise ImageError(
                attempted=f"Use {name} without pulling it, as its imagePullPolicy Never says",
                seen="It is not on this node",
                reason="ErrImageNeverPull",
            )
        return await asyncio.shield(self._pull(reference, credentials))

    def prune(self, names: Iterable[str]) -> None:
        """Remove what no Pod has had for KEPT_SECONDS; names: the images of all Pods that there are.

        Modules of earlier engines go the same way. Nothing that runs is disturbed by that.
        """
        for name in names:
            self.without_asking(name, "Never")
        oldest = time.time() - KEPT_SECONDS
        for module in [path for path in self._modules.glob("*.cwasm") if path.stat().st_mtime < oldest]:
            module.unlink()
            log.info("removed %s: no Pod has had it for %.0f days", module.name, KEPT_SECONDS / 24 / 3600)

    def _pull(self, reference: Reference, credentials: Credentials | None) -> asyncio.Task[Image]:
        key = (reference, credentials)
        if key not in self._pulls:
            task = asyncio.create_task(self._fetch(reference, credentials))
            task.add_done_callback(lambda _: self._pulls.pop(key, None))
            self._pulls[key] = task
        return self._pulls[key]

    async def _fetch(self, reference: Reference, credentials: Credentials | None) -> Image:
        image_id, layer = await _in_thread(lambda: self._download(reference, credentials))
        entry = {"image_id": image_id, "layer": layer}
        if self._index.get(str(reference)) != entry:
            self._remember(reference, entry)
            log.info("pulled %s as %s", reference, image_id)
        os.utime(self._file(layer))
        return Image(image_id, self._file(layer))

    def _remember(self, reference: Reference, entry: dict[str, str]) -> None:
        index = self._index | {str(reference): entry}
        try:
            write_json(self._index_file, index)
        except OSError as error:
            raise refused(str(reference), f"It cannot be noted that the image is here: {error}") from error
        self._index = index

    def _download(self, reference: Reference, credentials: Credentials | None) -> tuple[str, str]:
        """In a thread: make the compiled module be there; returns the image id and the layer's digest."""
        with Repository(reference, self._registries, credentials) as repository:
            digest = repository.resolve()
            image_id = reference.pinned(digest)
            known = self._index.get(str(reference))
            if known and known["image_id"] == image_id and self._file(known["layer"]).exists():
                return image_id, known["layer"]
            layer = wasm_layer(str(reference), repository.manifest(digest))
            if not self._file(layer.digest).exists():
                with repository.module(layer, self._modules) as source:
                    compile_file(str(reference), source, self._file(layer.digest))
        return image_id, layer.digest

    def _file(self, layer: str) -> Path:
        return self._modules / f"{layer.removeprefix('sha256:')}-{self._engine}.cwasm"


def engine_key() -> str:
    """Differs when a compiled module may not be loaded: by version of wasmtime, machine and processor features."""
    flags = re.search(r"^(?:flags|Features)\s*:(.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    parts = (importlib.metadata.version("wasmtime"), platform.machine(), flags.group(1) if flags else "")
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:16]


def compile_file(reference: str, source: Path, target: Path) -> None:
    """Compile a module in a process of its own; blocking. Raises ImageError when it is none that can run here."""
    command = [sys.executable, "-m", "edgelab.node.images.compiler", str(source), str(target)]
    try:
        compiler = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_COMPILE_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        raise refused(reference, f"Compiling it took more than {_COMPILE_SECONDS:.0f} seconds") from None
    reason = compiler.stderr.decode(errors="replace").strip()
    if compiler.returncode == COMPILER_REFUSED:
        raise unsupported(reference, f"The module cannot run here: {reason}")
    if compiler.returncode:
        raise refused(reference, f"Compiling it failed with status {compiler.returncode}: {reason[-500:]}")


async def _in_thread(work: Callable[[], T]) -> T:
    """As asyncio.to_thread, but a registry that does not answer cannot keep the node from ending."""
    done: concurrent.futures.Future[T] = concurrent.futures.Future()

    def run() -> None:
        try:
            done.set_result(work())
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=run, daemon=True, name="pull").start()
    return await asyncio.wrap_future(done)
