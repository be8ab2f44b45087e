"""The page's server with real sockets against an API server's stand-in: what it follows, tells and refuses."""

import asyncio
import itertools
import json
import socket
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from importlib.resources import files
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from edgelab.cli.main import main
from edgelab.core.errors import LabError
from edgelab.kube.client import connect
from edgelab.kube.transport import RenewableTransport
from edgelab.lab.page import server
from edgelab.lab.page.board import Board
from edgelab.lab.page.control import Control
from edgelab.lab.page.server import serve_page
from edgelab.lab.page.view import Head, View
from standins.api_server import FakeApi, Json, write_kubeconfig
from standins.http_lab import broker, instance

URL = "http://127.0.0.1:4003/"
UID = broker(instance(URL))["metadata"]["uid"]


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    made = FakeApi()
    await made.back()
    yield made
    await made.away()


class Page:
    """A client that folds the events as the page's script does."""

    def __init__(self, base: str, board: Board, client: aiohttp.ClientSession) -> None:
        self.base, self.board, self.client = base, board, client
        self.head: Json = {}
        self.rows: dict[str, Json] = {}
        self.names: list[str] = []

    async def until(self, seen: Callable[["Page"], bool]) -> "Page":
        """Read events until what they come to is as wanted; fails with that after 10 seconds."""
        with suppress(TimeoutError):
            async with asyncio.timeout(10), self.client.get(f"{self.base}/events") as answer:
                async for line in answer.content:
                    self._take(line.decode().rstrip("\n"))
                    if self.head and seen(self):
                        return self
        raise AssertionError(f"last seen: {self.head} {self.rows}")

    def _take(self, line: str) -> None:
        key, _, text = line.partition(": ")
        if key == "event":
            self.names.append(text)
        if key != "data":
            return
        told = json.loads(text)
        self.head = told["head"]
        changed = {row["id"]: row for row in told["rows"]}
        self.rows = {name: changed.get(name) or self.rows[name] for name in told["order"]}

    async def plug(self, device: str, body: Any, **headers: str) -> tuple[int, str]:
        data = body if isinstance(body, bytes) else json.dumps(body)
        given = {"Content-Type": "application/json"} | {key.replace("_", "-"): one for key, one in headers.items()}
        async with self.client.post(f"{self.base}/devices/{device}", data=data, headers=given) as answer:
            return answer.status, await answer.text()


@asynccontextmanager
async def serving(api: FakeApi, directory: Path, control: str = "") -> AsyncIterator[Page]:
    kubeconfig = write_kubeconfig(directory / "kubeconfig", api.port)
    client = connect(kubeconfig, transport=RenewableTransport(kubeconfig))
    async with aiohttp.ClientSession() as session:
        board = Board(client, Head("akri-http", "default", 10), Control(session, control) if control else None)
        running = asyncio.create_task(board.run())
        async with serve_page(board, "127.0.0.1", 0) as port:
            yield Page(f"http://127.0.0.1:{port}", board, session)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@pytest.fixture
async def page(api: FakeApi, tmp_path: Path) -> AsyncIterator[Page]:
    """A page of one device, whose broker has said nothing yet."""
    api.put("instances", instance(URL))
    api.put("pods", broker(instance(URL)))
    async with serving(api, tmp_path) as made:
        yield made


def shows(**fields: Any) -> Callable[[Page], bool]:
    return lambda page: bool(page.rows) and all(page.rows[URL][key] == value for key, value in fields.items())


async def test_a_value_is_what_the_broker_says(api: FakeApi, page: Page) -> None:
    await page.until(shows(state="waiting", said="Waiting for the first value, broker Running", value=None))
    api.say(UID, f"http device {URL} value 42.17")
    row = (await page.until(shows(state="live", value=42.17))).rows[URL]
    assert row["instance"] == instance(URL)["metadata"]["name"]
    assert row["slots"] == {"used": {"krustlet-wasi": 1}, "free": 1}
    assert [(one["node"], one["phase"]) for one in row["brokers"]] == [("krustlet-wasi", "Running")]
    assert row["plugged"] is None
    api.say(UID, f"http device {URL} failed: Connection refused")
    await page.until(shows(state="failing", said="Failing: Connection refused", value=42.17))
    assert page.names[0] == "snapshot"


async def test_a_broker_speaks_for_its_own_device_only(api: FakeApi, page: Page) -> None:
    api.say(UID, "http device http://127.0.0.1:4004/ value 1.00")
    api.say(UID, "Reading my device every 10 s")
    api.say(UID, f"http device {URL} value 2.00")
    row = (await page.until(shows(value=2.0))).rows[URL]
    assert [value for _, value in row["history"]] == [2.0]


async def test_the_past_of_a_broker_is_read_once_also_over_a_break(api: FakeApi, tmp_path: Path) -> None:
    now = time.time()
    for ago in range(400, 0, -10):
        api.say(UID, f"http device {URL} value {ago}.00", at=now - ago)
    api.put("instances", instance(URL))
    api.put("pods", broker(instance(URL)))
    async with serving(api, tmp_path) as page:
        await page.until(shows(value=10.0))
        await api.away()
        api.say(UID, f"http device {URL} value 5.00", at=now - 5)
        await api.back()
        row = (await page.until(shows(value=5.0))).rows[URL]
    assert [value for _, value in row["history"]] == [*range(290, 0, -10), 5]
    first, *later = [one for one in api.requests if "/log?" in one]
    assert "tailLines=31" in first
    assert "sinceTime" not in first
    assert all("sinceTime" in one for one in later)


async def test_an_api_server_that_is_away_is_told_and_what_was_known_stays(api: FakeApi, page: Page) -> None:
    api.say(UID, f"http device {URL} value 42.17")
    await page.until(shows(value=42.17))
    await api.away()
    await page.until(lambda page: page.head["api"].startswith("ConnectError: ") and page.rows[URL]["value"] == 42.17)
    api.remove("instances", instance(URL)["metadata"]["name"])
    await api.back()
    await page.until(lambda page: page.head["api"] == "" and not page.rows)


async def test_a_value_whose_broker_is_silent_is_stale(api: FakeApi, page: Page) -> None:
    api.say(UID, f"http device {URL} value 42.17", at=time.time() - 25)
    said = "Stale: its broker has said nothing for over 20 s"
    await page.until(shows(state="stale", said=said, value=42.17))


async def test_a_value_whose_broker_is_gone_is_stale_until_the_next_one_speaks(api: FakeApi, page: Page) -> None:
    api.say(UID, f"http device {URL} value 42.17")
    await page.until(shows(state="live"))
    api.remove("pods", broker(instance(URL))["metadata"]["name"])
    await page.until(shows(state="stale", said="Stale: its broker is gone", value=42.17))
    second = broker(instance(URL), uid="second")
    api.put("pods", second)
    await page.until(shows(state="stale", said="Stale: its broker is gone, a new one is Running"))
    api.say(second["metadata"]["uid"], f"http device {URL} value 42.18")
    await page.until(shows(state="live", value=42.18))


async def test_instances_come_and_go_and_those_of_others_are_left_out(api: FakeApi, page: Page) -> None:
    other = instance("http://127.0.0.1:4005/")
    other["spec"]["configurationName"] = "another"
    api.put("instances", other)
    fourth = instance("http://127.0.0.1:4004/")
    api.put("instances", fourth)
    await page.until(lambda page: list(page.rows) == [URL, "http://127.0.0.1:4004/"])
    api.put("instances", fourth | {"metadata": fourth["metadata"] | {"deletionTimestamp": "2026-11-21T09:01:31Z"}})
    await page.until(lambda page: list(page.rows) == [URL])


async def test_a_lost_control_is_told_and_nobody_is_unplugged(api: FakeApi, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        nobody = f"http://127.0.0.1:{free.getsockname()[1]}"
    async with serving(api, tmp_path, control=nobody) as page:
        await page.until(lambda page: f"Ask {nobody}/devices which devices there are" in page.head["control"])
        status, reason = await page.plug("3", {"plugged": False})
        assert (status, reason[:15]) == (502, "Unplug device 3")


async def test_without_a_control_there_is_nothing_to_plug(page: Page) -> None:
    assert (await page.plug("3", {"plugged": False}))[0] == 502


@pytest.mark.parametrize(
    "body", [{}, [], None, {"plugged": "no"}, {"plugged": 0}, {"plugged": False, "value": 1}, b"", b"[" * 1000]
)
async def test_only_plugging_can_be_asked_for(page: Page, body: Any) -> None:
    assert (await page.plug("3", body))[0] == 400


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content_Type": "text/plain"}, 415),
        ({"Origin": "http://evil.example"}, 403),
        ({"Sec_Fetch_Site": "cross-site"}, 403),
        ({"Host": "evil.example"}, 403),
    ],
)
async def test_pages_of_other_sites_are_refused(page: Page, headers: dict[str, str], status: int) -> None:
    assert (await page.plug("3", {"plugged": False}, **headers))[0] == status


@pytest.mark.parametrize("path", ["/", "/events", "/metrics", "/page.js"])
async def test_other_names_of_this_machine_are_refused(page: Page, path: str) -> None:
    async with page.client.get(page.base + path, headers={"Host": "rebound.example"}) as answer:
        assert answer.status == 403


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"),
        ("/page.css", "text/css"),
        ("/page.js", "text/javascript"),
        ("/icon.svg", "image/svg+xml"),
        ("/metrics", "text/plain"),
        ("/healthz", "text/plain"),
    ],
)
async def test_everything_is_served_from_here_and_may_load_nothing_from_elsewhere(
    page: Page, path: str, kind: str
) -> None:
    async with page.client.get(page.base + path) as answer:
        assert (answer.status, answer.content_type) == (200, kind)
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'self';")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_no_file_of_the_page_names_another_server() -> None:
    for file in files(server.__package__).joinpath("static").iterdir():
        text = file.read_text().replace("http://www.w3.org/2000/svg", "")
        assert "://" not in text.replace("https?:\\/\\/", ""), file.name


async def test_health_and_numbers(api: FakeApi, page: Page) -> None:
    api.say(UID, f"http device {URL} value 42.17")
    await page.until(shows(value=42.17))
    async with page.client.get(f"{page.base}/healthz") as answer:
        assert await answer.text() == "ok\n"
    async with page.client.get(f"{page.base}/events"), page.client.get(f"{page.base}/metrics") as answer:
        lines = (await answer.text()).splitlines()
        assert 'edgelab_page_devices{state="live"} 1' in lines
        assert "edgelab_page_api_server_up 1" in lines
        assert "edgelab_page_readers 1" in lines


async def test_readers_are_limited(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_MOST_READERS", 2)
    url = f"{page.base}/events"
    async with page.client.get(url), page.client.get(url), page.client.get(url) as third:
        assert third.status == 503


async def test_a_reader_that_stops_reading_is_let_go_while_others_go_on(
    api: FakeApi, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_READER_SECONDS", 0.2)
    reader, writer = await asyncio.open_connection("127.0.0.1", int(page.base.rsplit(":", 1)[1]), limit=1)
    writer.write(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
    async with asyncio.timeout(20):
        await reader.read(1)
        assert page.board.live.readers == 1
        for number in itertools.count():
            page.board.live.show(View(Head("x" * 500_000, str(number), 10)))
            await asyncio.sleep(0.01)
            if not page.board.live.readers:
                break
    writer.close()
    api.say(UID, f"http device {URL} value 42.17")
    await page.until(shows(value=42.17))


async def test_at_most_a_hundred_brokers_are_listened_to_and_that_is_told(
    api: FakeApi, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    urls = [f"http://127.0.0.1:{port}/" for port in range(5000, 5120)]
    for url in urls:
        api.put("instances", instance(url))
        api.put("pods", broker(instance(url)))
        api.say(broker(instance(url))["metadata"]["uid"], f"http device {url} value 1.00")
    async with serving(api, tmp_path) as page:
        await page.until(lambda page: sum(row["state"] == "live" for row in page.rows.values()) == 100)
        assert page.head["limit"] == "Listening to 100 of 120 brokers"
        assert len([one for one in api.requests if "/log?" in one]) == 100
        gone = next(url for url in urls if page.rows[url]["state"] == "live")
        api.remove("pods", broker(instance(gone))["metadata"]["name"])
        await page.until(lambda page: sum(row["value"] is not None for row in page.rows.values()) == 101)


async def test_a_taken_port_is_named(page: Page) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(LabError, match=f"127.0.0.1:{port} for the page"):
            await serve_page(page.board, "127.0.0.1", port).__aenter__()


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (["--listen", "18080"], "'18080' is not ADDRESS:PORT"),
        (["--listen", "127.0.0.1:99999"], "is not ADDRESS:PORT"),
        (["--listen", "127.0.0.1:0", "--interval", "0"], "is not a number from 1 to 3600"),
        (["--listen", "127.0.0.1:0", "--interval", "nan"], "is not a number from 1 to 3600"),
        (["--listen", "127.0.0.1:0", "--devices", "127.0.0.1:80"], "is not a URL like"),
        ([], "the following arguments are required: --listen"),
    ],
)
def test_wrong_arguments_are_refused(words: list[str], reason: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["page", "http", "--kubeconfig", "k", "--run", "r", *words])
    assert reason in capsys.readouterr().err


def test_a_kubeconfig_that_is_not_there_is_named(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    words = ["--kubeconfig", str(tmp_path / "none"), "--listen", "127.0.0.1:0", "--run", str(tmp_path)]
    assert main(["page", "http", *words]) == 1
    assert f"Read the kubeconfig {tmp_path}/none" in caplog.text
