"""The page's server with real sockets against an API server's stand-in: what it follows, tells and refuses."""

import time
from pathlib import Path

import pytest
from pagekit import UID, URL, Page, serving, shows
from standins.api_server import FakeApi
from standins.http_lab import broker, instance


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
    now = time.time()
    for ago, line in enumerate((f"{URL} value 2.00", "http://127.0.0.1:4004/ value 1.00", f"{URL} value 3.00")):
        api.say(UID, f"http device {line}", at=now - 9 + 3 * ago)
    row = (await page.until(shows(value=3.0))).rows[URL]
    assert [value for _at, value in row["history"]] == [2.0, 3.0]


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
    assert [value for _at, value in row["history"]] == [*range(290, 0, -10), 5]
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
