# Copyright (c) 2026, The edgelab.akri authors
# SPDX-License-Identifier: Apache-2.0
# Private to this collection: may change at any time.
"""Making the archive of an image by its recipe, once for all labs of a user: it is kept in the cache.

What an image needs from outside is fetched before its Containerfile is built: packages of the base by mmdebstrap,
Python packages by pip for the Python of the base. So the engine neither runs nor fetches anything, but a given base.
"""

from __future__ import annotations

import platform
import re
import shutil
import sys
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from ansible_collections.edgelab.akri.plugins.module_utils._container_engine import Engine, find, run
from ansible_collections.edgelab.akri.plugins.module_utils._container_recipe import LABEL, DebianBase, Recipe, files_of
from ansible_collections.edgelab.akri.plugins.module_utils._lab_lock import alone

try:
    from edgelab.core.errors import LabError
except ImportError:  # said by _lab_module.run
    LabError = Exception  # type: ignore[assignment,misc]

_SMALL = ("path-exclude=/usr/share/doc/*", "path-exclude=/usr/share/man/*", "path-exclude=/usr/share/locale/*")
_GLIBC = range(5, 37)
"""Wheels for glibc 2.5 to 2.36 (Debian 12) will do."""


def archive_of(recipe: Recipe, engine_name: str, cache: Path) -> Path:
    """The archive of an image, built unless the cache has it; older ones of its repository go.

    One build of a user at a time: the engine has one store for all of the user's caches, and a build takes away what it
    put there, its base too, which would be that of another one.
    """
    cache.mkdir(mode=0o700, parents=True, exist_ok=True)
    stem = recipe.repository.replace("/", "_")
    archive = cache / f"{stem}-{recipe.digest}.tar"
    with alone(cache):  # another lab may want the same
        if not archive.exists():
            with alone(Path.home()), tempfile.TemporaryDirectory(dir=cache, prefix=".build-") as scratch:
                _build(recipe, find(engine_name), cache, Path(scratch)).replace(archive)
        for old in set(cache.glob(f"{stem}-{'[0-9a-f]' * len(recipe.digest)}.tar")) - {archive}:
            old.unlink()
    return archive


def _build(recipe: Recipe, engine: Engine, cache: Path, scratch: Path) -> Path:
    made: list[str] = []
    try:
        if isinstance(recipe.base, DebianBase):
            rootfs = _rootfs(recipe.base, cache)
            base, python = f"localhost/edgelab-base:{recipe.base.digest}", _python_in(rootfs)
            made.append(base)
            engine.build(base, _base_context(recipe.base, rootfs, scratch / "base"), arguments={}, labels={})
        else:
            base, python = recipe.base.reference, recipe.base.python
        context = _context(recipe, python, scratch / "context")
        made.append(recipe.image)
        engine.build(recipe.image, context, arguments={"BASE_IMAGE": base}, labels={LABEL: recipe.digest})
        engine.save(recipe.image, scratch / "image.tar")
    finally:
        engine.remove(made)
    return scratch / "image.tar"


def _rootfs(base: DebianBase, cache: Path) -> Path:
    """The file system of a base as an archive, made of packages unless the cache has it."""
    rootfs = cache / f"rootfs-{base.digest}.tar"
    if not rootfs.exists():
        if shutil.which("mmdebstrap") is None:
            raise LabError(
                attempted="Make a base image of Debian packages",
                seen="No mmdebstrap on PATH",
                remedy="apt-get install mmdebstrap, or name a base image with Python that can be pulled",
            )
        unfinished = cache / f".{rootfs.name}"
        options = ["--variant=essential", "--format=tar", *(f"--dpkgopt={option}" for option in _SMALL)]
        run(["mmdebstrap", *options, f"--include={','.join(base.packages)}", base.suite, str(unfinished)])
        unfinished.replace(rootfs)
    return rootfs


def _python_in(rootfs: Path) -> str:
    with tarfile.open(rootfs) as archive:
        target = archive.getmember("./usr/bin/python3").linkname
    return target.removeprefix("python")


def _base_context(base: DebianBase, rootfs: Path, directory: Path) -> Path:
    _write({"Containerfile": base.containerfile}, directory)
    (directory / "rootfs.tar").hardlink_to(rootfs)
    return directory


def _context(recipe: Recipe, python: str, directory: Path) -> Path:
    _write({"Containerfile": recipe.containerfile, **recipe.files}, directory)
    for name, source in recipe.copies.items():
        _copy(source, directory / name)
    if recipe.requirements:
        lock = directory.with_name("requirements.lock")
        lock.write_text(recipe.requirements)
        run([*_pip_install(python), "--target", str(directory / "site-packages"), "-r", str(lock)])
    # Byte code is the same for all of a minor version. Without it, every start in a container compiles all it imports.
    if python == ".".join(platform.python_version_tuple()[:2]):
        compileall = [sys.executable, "-m", "compileall", "-q", "--invalidation-mode", "unchecked-hash"]
        run([*compileall, str(directory)])
    return directory


def _write(files: Mapping[str, str], directory: Path) -> None:
    directory.mkdir()
    for name, text in files.items():
        (directory / name).write_text(text)


def _copy(source: Path, target: Path) -> None:
    for path in files_of(source):
        place = target if path == source else target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
        place.chmod(0o644)


def _pip_install(python: str) -> list[str]:
    if not re.fullmatch(r"3\.\d+", python):
        raise LabError(
            attempted="Install Python packages into an image",
            seen=f"The Python of its base is said to be {python!r}",
            remedy="Say its version as MAJOR.MINOR, for example 3.13",
        )
    platforms = [f"manylinux_2_{minor}_{platform.machine()}" for minor in _GLIBC]
    platforms += [f"{old}_{platform.machine()}" for old in ("manylinux1", "manylinux2010", "manylinux2014")]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    target = ["--implementation", "cp", "--python-version", python]
    return [
        *(sys.executable, "-m", "pip", "install", *quiet, "--no-deps", "--require-hashes", *target),
        *(word for name in platforms for word in ("--platform", name)),
    ]
