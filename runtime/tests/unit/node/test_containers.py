"""Records and logs of containers, and what is kept of Pods on disk."""

import re
from pathlib import Path

import pytest
from edgelab.node.containers.log import LONGEST_LINE, ContainerLog
from edgelab.node.containers.process import ProcessIdentity, identify, open_pidfd
from edgelab.node.containers.records import ContainerSpec, Exit, Preopen, RunDirectory, Start
from edgelab.node.outbound.policy import Policy, Socket
from edgelab.node.outbound.urls import Endpoint
from edgelab.node.pods.files import PodStore

LINE = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z (stdout|stderr) ([FP]) (.*)")


def entries(path: Path) -> list[tuple[str, str, bytes]]:
    found = [LINE.fullmatch(line) for line in path.read_bytes().splitlines()]
    return [(match[1].decode(), match[2].decode(), match[3]) for match in found if match]


def test_lines_are_written_once_they_are_complete(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "log")
    log.write("stdout", b"one\ntw")
    log.write("stderr", b"other\n")
    log.write("stdout", b"o\n\n")
    assert entries(tmp_path / "log") == [
        ("stdout", "F", b"one"),
        ("stderr", "F", b"other"),
        ("stdout", "F", b"two"),
        ("stdout", "F", b""),
    ]


def test_what_has_no_line_end_is_written_at_the_end(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "log")
    log.write("stdout", b"half")
    log.close()
    assert entries(tmp_path / "log") == [("stdout", "P", b"half")]


@pytest.mark.parametrize("pieces", [1, 7])
def test_long_lines_are_split(tmp_path: Path, pieces: int) -> None:
    text = b"x" * (2 * LONGEST_LINE + 5) + b"\n"
    log = ContainerLog(tmp_path / "log")
    step = len(text) // pieces + 1
    for at in range(0, len(text), step):
        log.write("stdout", text[at : at + step])
    assert [(tag, len(line)) for _time, tag, line in entries(tmp_path / "log")] == [
        ("P", LONGEST_LINE),
        ("P", LONGEST_LINE),
        ("F", 5),
    ]


def test_a_full_file_is_put_aside(tmp_path: Path) -> None:
    log = ContainerLog(tmp_path / "log", rotate_at=200)
    for number in range(10):
        log.write("stdout", b"line %d of some length\n" % number)
    older, newer = entries(tmp_path / "log.1"), entries(tmp_path / "log")
    assert [line for _time, _tag, line in older + newer][-1] == b"line 9 of some length"
    assert (tmp_path / "log").stat().st_size <= 200
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log", "log.1"]


def test_a_full_disk_does_not_end_the_container() -> None:
    log = ContainerLog.__new__(ContainerLog)
    log._path, log._rotate_at, log._pending, log._size = Path("/dev/full"), 1000, {}, 0
    with Path("/dev/full").open("ab", buffering=0) as log._file:
        log.write("stdout", b"lost\n")


def test_a_specification_survives_its_way_to_the_zygote() -> None:
    outbound = Policy(("a",), (Endpoint("http", "::1", 1),), (Socket("b", 2),), 3)
    spec = ContainerSpec("/d", "/m", ("a", "\n"), 1, {"K": "ü"}, (Preopen("/h", "/g", writable=False),), outbound)
    assert "\n" not in spec.to_json()
    assert ContainerSpec.from_json(spec.to_json()) == spec


def test_records_of_a_run(tmp_path: Path) -> None:
    run = RunDirectory(tmp_path)
    assert (run.start(), run.exit()) == (None, None)
    start, end = Start(ProcessIdentity(1, 2, "boot"), "2026-11-21T09:00:00Z"), Exit(3, "Error", "x", "why")
    run.record_start(start)
    run.record_exit(end)
    assert (run.start(), run.exit()) == (start, end)


def test_a_run_that_was_called_off_cannot_begin(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="gone"):
        RunDirectory(tmp_path / "gone").record_start(Start(ProcessIdentity(1, 2, "boot"), ""))


def test_a_process_is_told_from_a_later_one_with_its_pid() -> None:
    init = identify(1)
    assert init is not None
    assert open_pidfd(ProcessIdentity(1, init.start + 1, init.boot)) is None
    assert identify(2**22 + 1) is None


def test_runs_are_numbered_and_the_last_two_kept(tmp_path: Path) -> None:
    store = PodStore(tmp_path / "pods")
    directory = store.make("ns", "p", "uid")
    for number in range(12):
        assert directory.next_run("main", f"image{number}").path.name == str(number)
    assert [(run.number, run.image) for run in directory.runs("main")] == [(10, "image10"), (11, "image11")]


def test_pods_are_found_again(tmp_path: Path) -> None:
    run = PodStore(tmp_path).make("ns", "p", "uid").next_run("main", "image")
    again = PodStore(tmp_path)
    (directory,) = again.all()
    assert directory.key == ("ns", "p")
    assert again.owner(run.path) == directory
    again.remove(directory)
    assert (again.all(), list(tmp_path.iterdir())) == ([], [])
