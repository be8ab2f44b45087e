"""Pinned programs: what is refused, what is kept, how others' words are read. Downloads come from a real server."""

import functools
import hashlib
import http.server
import io
import json
import os
import stat
import sys
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.edgelab.akri.plugins.action.binary import sound_entries
from ansible_collections.edgelab.akri.plugins.module_utils import _binary, _binary_build, _binary_cache
from ansible_collections.edgelab.akri.plugins.module_utils import _binary_model as model
from edgelab.core.errors import LabError

PROGRAM = b"#!/bin/sh\necho tool v1\n"
DIGEST = hashlib.sha256(PROGRAM).hexdigest()
WRONG = "0" * 64
ENTRY = "tool-v1-linux-amd64"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Nothing: the test's output is the test's."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A directory and the address under which it is served."""
    directory = tmp_path / "site"
    directory.mkdir()
    handler = functools.partial(Quiet, directory=str(directory))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield directory, f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


@pytest.fixture
def source(tmp_path: Path) -> Path:
    directory = tmp_path / "source"
    directory.mkdir()
    (directory / "go.mod").write_text("module tool\n\ngo 1.26.0\n")
    return directory


@pytest.fixture
def provide(tmp_path: Path, source: Path) -> Callable[..., Path]:
    """Provide the program `tool` with some pins; returns its path in the cache."""

    def run(**pins: Any) -> Path:
        params = {"name": "tool", "version": "v1", "package": "tool", "source": str(source), "ldflags": ""}
        pins = {"url": "", "sha256": {}, "sha256_url": "", "given": {}} | pins
        program = model.Program.from_params(params | pins, "amd64", pins["given"])
        cache = _binary.Cache(tmp_path / "cache", "amd64", tmp_path / "offered")
        missing = cache.missing([program])
        cache.provide(missing)
        result = cache.result([program], missing)
        assert result["changed"] == bool(missing)
        return Path(result["paths"]["tool"])

    return run


@pytest.fixture
def no_go(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(_binary_build, "_USUAL_GO", str(tmp_path))


def kept(tmp_path: Path) -> list[str]:
    """What the cache holds beside its locks."""
    return sorted(path.name for path in (tmp_path / "cache").iterdir() if path.suffix != ".lock")


def test_a_download_is_kept_with_its_origin(site: tuple[Path, str], provide: Callable[..., Path]) -> None:
    (site[0] / "tool-amd64").write_bytes(PROGRAM)
    path = provide(url=f"{site[1]}/{{name}}-{{arch}}", sha256={"amd64": DIGEST})
    assert path.read_bytes() == PROGRAM
    assert path.stat().st_mode & stat.S_IXUSR
    assert json.loads((path.parent / "source.json").read_text()) == {
        "how": "download",
        "origin": f"{site[1]}/tool-amd64",
        "sha256": DIGEST,
        "published_sha256": DIGEST,
    }


def test_a_wrong_digest_is_refused_and_nothing_kept(
    site: tuple[Path, str], provide: Callable[..., Path], tmp_path: Path
) -> None:
    (site[0] / "tool").write_bytes(PROGRAM)
    with pytest.raises(LabError, match=f"Its sha256 is {DIGEST}, not {WRONG}; nothing of it was kept"):
        provide(url=f"{site[1]}/tool", sha256={"amd64": WRONG})
    assert kept(tmp_path) == []


def test_the_publishers_checksum_is_recorded_and_a_later_difference_refused(
    site: tuple[Path, str], provide: Callable[..., Path]
) -> None:
    pins = {"url": f"{site[1]}/tool", "sha256_url": f"{site[1]}/tool.sha256"}
    (site[0] / "tool").write_bytes(PROGRAM)
    (site[0] / "tool.sha256").write_text(DIGEST)
    path = provide(**pins)

    path.write_bytes(b"damaged")
    (site[0] / "tool").write_bytes(b"replaced")
    (site[0] / "tool.sha256").write_text(hashlib.sha256(b"replaced").hexdigest())
    with pytest.raises(LabError, match="a release that was replaced"):
        provide(**pins)


@pytest.mark.parametrize(
    "damage",
    [
        lambda program: program.write_bytes(b"damaged"),
        lambda program: program.unlink(),
        lambda program: program.chmod(0o644),
        lambda program: (program.parent / "source.json").write_text("{"),
        lambda program: (program.parent / "source.json").unlink(),
    ],
    ids=["program damaged", "program gone", "not executable", "record damaged", "record gone"],
)
def test_a_damaged_entry_is_fetched_anew(
    site: tuple[Path, str], provide: Callable[..., Path], damage: Callable[[Path], object]
) -> None:
    (site[0] / "tool").write_bytes(PROGRAM)
    pins = {"url": f"{site[1]}/tool", "sha256": {"amd64": DIGEST}}
    damage(provide(**pins))
    path = provide(**pins)
    assert path.read_bytes() == PROGRAM
    assert _binary_cache.is_sound(path.parent, "tool")


def test_a_sound_entry_asks_nobody(site: tuple[Path, str], provide: Callable[..., Path]) -> None:
    (site[0] / "tool").write_bytes(PROGRAM)
    pins = {"url": f"{site[1]}/tool", "sha256": {"amd64": DIGEST}}
    first = provide(**pins)
    (site[0] / "tool").unlink()
    assert provide(**pins) == first


@pytest.fixture
def offered(tmp_path: Path) -> Path:
    """What the controller's cache has of `tool`."""
    entry = tmp_path / "offered" / ENTRY
    entry.mkdir(parents=True)
    (entry / "tool").write_bytes(PROGRAM)
    (entry / "tool").chmod(0o755)
    (entry / "source.json").write_text(json.dumps({"how": "build", "origin": "tool@v1", "sha256": DIGEST}))
    return entry


def test_what_the_controller_has_is_copied_with_its_origin(offered: Path, provide: Callable[..., Path]) -> None:
    path = provide(url="http://127.0.0.1:1/never-asked")
    assert path.read_bytes() == PROGRAM
    assert json.loads((path.parent / "source.json").read_text())["origin"] == "tool@v1"
    assert sound_entries({"tool": offered.name, "other": "other-v1-linux-amd64"}, offered.parent) == [offered]


@pytest.mark.usefixtures("no_go")
def test_what_came_damaged_from_the_controller_is_not_taken(offered: Path, provide: Callable[..., Path]) -> None:
    (offered / "tool").write_bytes(b"something else")
    assert sound_entries({"tool": offered.name}, offered.parent) == []
    with pytest.raises(LabError):
        provide(url="http://127.0.0.1:1/closed")


def test_a_program_is_taken_out_of_an_archive(site: tuple[Path, str], provide: Callable[..., Path]) -> None:
    with tarfile.open(site[0] / "tool.tar.gz", "w:gz") as archive:
        for name, content in {"tool-v1/README": b"x", "tool-v1/tool": PROGRAM}.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    digest = hashlib.sha256((site[0] / "tool.tar.gz").read_bytes()).hexdigest()
    path = provide(url=f"{site[1]}/tool.tar.gz", sha256={"amd64": digest})
    assert path.read_bytes() == PROGRAM


@pytest.mark.usefixtures("no_go")
def test_without_download_and_go_people_learn_what_to_install(
    site: tuple[Path, str], provide: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(LabError) as error:
        provide(url=f"{site[1]}/tool", sha256={"amd64": DIGEST})
    message = str(error.value)
    assert "There is no Go on PATH" in message
    assert "Install Go 1.26.0 or newer from https://go.dev/dl" in message
    assert "404" in message
    assert kept(tmp_path) == []


@pytest.mark.usefixtures("no_go")
def test_a_go_that_is_too_old_is_named(provide: Callable[..., Path], tmp_path: Path) -> None:
    go = tmp_path / "go"
    go.write_text("#!/bin/sh\necho go version go1.19.8 linux/amd64\n")
    go.chmod(0o755)
    with pytest.raises(LabError, match=r"go is Go 1\.19\.8\. .*Install Go 1\.26\.0 or newer"):
        provide()


@pytest.mark.usefixtures("no_go")
@pytest.mark.parametrize(
    ("output", "cause"),
    [
        ("dial tcp: lookup proxy.example: no such host", "A module proxy cannot be reached"),
        ("write /x: no space left on device", "is full"),
    ],
)
def test_a_build_that_fails_says_why_and_leaves_nothing(
    provide: Callable[..., Path], tmp_path: Path, output: str, cause: str
) -> None:
    go = tmp_path / "go"
    go.write_text(f'#!/bin/sh\n[ "$1" = version ] && echo go version go1.26.0 && exit\necho "{output}" >&2\nexit 1\n')
    go.chmod(0o755)
    with pytest.raises(LabError, match=cause) as error:
        provide()
    assert output in str(error.value)
    assert kept(tmp_path) == []


@pytest.mark.usefixtures("no_go")
def test_a_build_is_kept_and_leftovers_of_a_killed_one_are_not(provide: Callable[..., Path], tmp_path: Path) -> None:
    go = tmp_path / "go"
    # Stands in for the compiler: the last words of `go build` are -o OUTPUT PACKAGE.
    go.write_text(
        "#!/bin/sh\n"
        '[ "$1" = version ] && echo go version go1.26.1 && exit\n'
        '[ "$1" = list ] && echo tool && exit\n'
        'while [ "$1" != -o ]; do shift; done\n'
        'echo built > "$2"\n'
    )
    go.chmod(0o755)
    left = tmp_path / "cache" / f".{ENTRY}.scratch.killed"
    left.mkdir(parents=True)
    (left / "tool").write_text("half of it")
    path = provide()
    assert path.read_text() == "built\n"
    assert kept(tmp_path) == [ENTRY]
    assert json.loads((path.parent / "source.json").read_text())["origin"] == "tool@v1"


def test_what_has_no_source_is_downloaded_or_refused(
    site: tuple[Path, str], provide: Callable[..., Path], tmp_path: Path
) -> None:
    with pytest.raises(LabError, match=r"no source that it could be built from\.") as error:
        provide(source=None, package=None, url=f"{site[1]}/tool", sha256={"amd64": DIGEST})
    assert f"{site[1]}/tool" in str(error.value)
    (site[0] / "tool").write_bytes(PROGRAM)
    path = provide(source=None, package=None, url=f"{site[1]}/tool", sha256={"amd64": DIGEST})
    assert path.read_bytes() == PROGRAM


def test_what_is_no_archive_is_told(site: tuple[Path, str], provide: Callable[..., Path]) -> None:
    (site[0] / "tool.tar.gz").write_bytes(PROGRAM)
    with pytest.raises(LabError, match="the archive cannot be read"):
        provide(source=None, package=None, url=f"{site[1]}/tool.tar.gz", sha256={"amd64": DIGEST})


def test_a_given_program_is_used_as_it_is(provide: Callable[..., Path], tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_bytes(PROGRAM)
    mine.chmod(0o755)
    assert provide(given={"tool": str(mine)}) == mine
    assert not (tmp_path / "cache").exists()


def foreign_program(path: Path) -> None:
    header = bytearray(Path(os.path.realpath(sys.executable)).read_bytes()[:64])
    header[18:20] = (40).to_bytes(2, "little")
    path.write_bytes(header)
    path.chmod(0o755)


def failing_program(path: Path) -> None:
    path.write_text("#!/bin/sh\nexit 3\n")
    path.chmod(0o755)


@pytest.mark.parametrize(
    ("make", "seen"),
    [
        (lambda path: None, "not a file that can be executed"),
        (lambda path: path.mkdir(), "not a file that can be executed"),
        (lambda path: path.write_bytes(PROGRAM), "not a file that can be executed"),
        (foreign_program, "for another architecture, this machine is amd64"),
        (failing_program, "--version` does not answer"),
    ],
    ids=["missing", "directory", "not executable", "architecture", "fails"],
)
def test_a_given_program_that_cannot_work_is_refused(
    provide: Callable[..., Path], tmp_path: Path, make: Callable[[Path], object], seen: str
) -> None:
    make(tmp_path / "mine")
    with pytest.raises(LabError, match=seen):
        provide(given={"tool": str(tmp_path / "mine")})


@pytest.mark.parametrize(
    ("text", "digest"),
    [
        (DIGEST, DIGEST),
        (f"{DIGEST}\n", DIGEST),
        (f"{WRONG}  other.tar.gz\n{DIGEST}  tool\n", DIGEST),
        (f"{DIGEST} *tool\n", DIGEST),
        (f"{WRONG}  other.tar.gz\n", None),
        ("<html>not found</html>", None),
        (f"{DIGEST}\n{WRONG}\n", None),
    ],
)
def test_checksum_files(text: str, digest: str | None) -> None:
    assert model.published_digest(text, "tool") == digest


def test_progress_counts_what_go_prints() -> None:
    progress = model.Progress("a, b")
    for line in ["go: downloading k8s.io/api v0.36.3", "go: downloading go.etcd.io/bbolt v1.5.0"]:
        progress = progress.after(line)
    assert str(progress) == "building a, b: 2 modules downloaded"

    progress = model.Progress("a, b", total=1920)
    for line in ["k8s.io/api/core/v1", "unicode/utf8", "# k8s.io/broken", "x.go:3:1: syntax error"]:
        progress = progress.after(line)
    assert str(progress) == "building a, b: 2 of 1,920 packages"
    assert str(model.Progress("a", total=1).after("main")) == "building a: linking"


@pytest.mark.parametrize(
    ("version", "minimum", "enough"),
    [("1.26.0", "1.26.0", True), ("1.26", "1.26.0", False), ("1.27", "1.26.5", True), ("1.9.9", "1.10", False)],
)
def test_versions_are_numbers(version: str, minimum: str, enough: bool) -> None:
    assert model.is_at_least(version, minimum) is enough


def test_an_unknown_architecture_is_named() -> None:
    assert model.architecture_of("aarch64") == "arm64"
    with pytest.raises(LabError, match="riscv64"):
        model.architecture_of("riscv64")
