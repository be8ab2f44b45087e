"""Seeing that cameras move, by a page of cameras: real HTTP for what comes, and a clock that only sleep moves."""

import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from ansible_collections.edgelab.akri.plugins.module_utils import _video_page as subject
from edgelab.core.errors import LabError

ONE, OTHER = (b"\xff\xd8" + picture + b"\xff\xd9" for picture in (b"one", b"other"))
PAGE = "http://page/"


@pytest.fixture
def page() -> Iterator[str]:
    """A server with a camera that moves, one that does not answer, and one that gives no picture."""
    answers = {
        "/cameras/moves/frame.jpg": (200, ONE),
        "/cameras/silent/frame.jpg": (503, b"silent gives no frame\n"),
        "/cameras/odd/frame.jpg": (200, b"hello"),
    }

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            status, body = answers[self.path]
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


def test_a_picture_is_fetched(page: str) -> None:
    assert subject.fetch(page, "moves") == ONE


@pytest.mark.parametrize(
    ("camera", "told"),
    [("silent", "answers 503: silent gives no frame"), ("odd", "5 bytes came that are no JPEG picture")],
)
def test_what_is_no_picture_is_told(page: str, camera: str, told: str) -> None:
    with pytest.raises(subject.NoPictureError, match=told):
        subject.fetch(page, camera)


def test_a_page_that_is_not_there_is_told() -> None:
    with pytest.raises(subject.NoPictureError, match="does not answer: ConnectionRefusedError"):
        subject.fetch("http://127.0.0.1:1/", "any")


def see(seconds: float = 10, **pictures: list[bytes | Exception]) -> tuple[dict[str, bytes], list[str]]:
    """What is seen of cameras that give these, the last one for ever, and whom was asked, in order."""
    now, asked = [0.0], list[str]()

    def look(page: str, camera: str) -> bytes:
        assert page == PAGE
        asked.append(camera)
        given = pictures[camera]
        picture = given.pop(0) if len(given) > 1 else given[0]
        if isinstance(picture, Exception):
            raise picture
        return picture

    def sleep(time: float) -> None:
        now[0] += time

    clock: Callable[[], float] = lambda: now[0]  # noqa: E731
    return subject.see_moving(PAGE, list(pictures), seconds=seconds, look=look, clock=clock, sleep=sleep), asked


def test_each_camera_is_asked_until_it_has_moved() -> None:
    late = subject.NoPictureError("the page answers 503")
    seen, asked = see(first=[ONE, OTHER], second=[late, ONE, ONE, OTHER])
    assert seen == {"first": OTHER, "second": OTHER}
    assert asked == ["first", "second", "first", "second", "second", "second"]


def test_cameras_that_stand_still_or_give_nothing_are_told() -> None:
    with pytest.raises(LabError) as told:
        see(still=[ONE], gone=[subject.NoPictureError("the page answers 404")], moves=[ONE, OTHER])
    assert "still: all pictures that came were the same; gone: the page answers 404" in str(told.value)
    assert "within 10 s" in str(told.value)
    assert "moves" not in str(told.value)
