"""What tests of the pages' servers share: one device, whose broker has said nothing yet; two cameras that run."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from camerakit import Cameras, VideoPage, cameras_of, video_page
from pagekit import URL, Page, serving
from standins.api_server import FakeApi
from standins.http_lab import broker, instance


@pytest.fixture
async def api() -> AsyncIterator[FakeApi]:
    made = FakeApi()
    await made.back()
    yield made
    await made.away()


@pytest.fixture
async def page(api: FakeApi, tmp_path: Path) -> AsyncIterator[Page]:
    """A page of one device, whose broker has said nothing yet."""
    api.put("instances", instance(URL))
    api.put("pods", broker(instance(URL)))
    async with serving(api, tmp_path) as made:
        yield made


@pytest.fixture
async def cameras(api: FakeApi, tmp_path: Path) -> AsyncIterator[Cameras]:
    async with cameras_of(api, tmp_path) as made:
        yield made


@pytest.fixture
async def video(api: FakeApi, tmp_path: Path) -> AsyncIterator[VideoPage]:
    async with video_page(api, tmp_path) as made:
        yield made
