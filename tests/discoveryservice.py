"""A discovery service for tests on a lab: an HTTP server with a list of devices, which gets into trouble as told."""

import contextlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class DiscoveryService:
    """Lists devices at `url`, until it is told to do otherwise; `asked` counts."""

    def __init__(self, listing: bytes) -> None:
        self.asked = 0
        self._listing = self._said = listing
        self._may_answer = threading.Event()
        self._server: ThreadingHTTPServer | None = None
        self._port = 0
        self.recover()

    @property
    def url(self) -> str:
        """Where the list is; the port stays."""
        return f"http://127.0.0.1:{self._port}/discovery"

    def close(self) -> None:
        """Refuse connections."""
        self._may_answer.set()
        if self._server:
            self._server.shutdown()
            self._server.server_close()
        self._server = None

    def stall(self) -> None:
        """Take questions, and answer none."""
        self._may_answer.clear()

    def say(self, answer: bytes) -> None:
        """Answer with this."""
        self._said = answer

    def recover(self) -> None:
        """Answer with the list again."""
        self._said = self._listing
        self._may_answer.set()
        if not self._server:
            self._server = ThreadingHTTPServer(("127.0.0.1", self._port), self._handler())
            self._port = self._server.server_port
            threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        service = self

        class Request(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                service._answer(self)

            def log_message(self, *_words: object) -> None:
                """Nothing is logged."""

        return Request

    def _answer(self, request: BaseHTTPRequestHandler) -> None:
        self.asked += 1
        self._may_answer.wait()
        # Who asked may not want to know all of it.
        with contextlib.suppress(OSError):
            request.send_response(200)
            request.end_headers()
            request.wfile.write(self._said)
