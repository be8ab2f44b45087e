"""What the page's server refuses: other sites, wrong requests, too many readers and those that do not read."""

import asyncio
import itertools
import socket
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from edgelab.cli.main import main
from edgelab.core.errors import LabError
from edgelab.lab.page import server, site
from edgelab.lab.page.live import View
from edgelab.lab.page.server import serve_page
from edgelab.lab.page.view import Head
from pagekit import UID, URL, Page, serving, shows
from standins.api_server import FakeApi


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
        ("/base.css", "text/css"),
        ("/page.css", "text/css"),
        ("/live.js", "text/javascript"),
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


async def test_readers_are_limited(page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_MOST_READERS", 2)
    url = f"{page.base}/events"
    async with page.client.get(url), page.client.get(url), page.client.get(url) as third:
        assert third.status == 503


async def test_a_reader_that_stops_reading_is_let_go_while_others_go_on(
    api: FakeApi, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(site, "_READER_SECONDS", 0.2)
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
