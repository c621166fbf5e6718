"""The API on a real database and a real store, driven in this process over ASGI."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from fastapi.routing import APIRoute

from thresher.api.app import create_app
from thresher.settings import Settings
from thresher.storage import accounts, keys
from thresher.storage.database import Pool

KEY = "thr_tests"


@dataclass(frozen=True, slots=True)
class Api:
    """A running application with the key of its first account."""

    app: FastAPI
    client: httpx.AsyncClient
    settings: Settings

    async def create(self, *urls: str, **fields: Any) -> dict[str, Any]:
        """A new batch of these URLs, with the custom_ids c0, c1, ..."""
        items = [{"url": url, "custom_id": f"c{n}"} for n, url in enumerate(urls)]
        response = await self.client.post("/v1/batches", json={"items": items, **fields})
        assert response.status_code == 200, response.text
        made: dict[str, Any] = response.json()
        return made

    async def get(self, path: str, **query: Any) -> dict[str, Any]:
        """The JSON of a GET that must succeed."""
        response = await self.client.get(path, params=query)
        assert response.status_code == 200, response.text
        found: dict[str, Any] = response.json()
        return found


# What a signature opens, and no key: tests/api/test_hosted.py, tests/api/llamacloud/test_files.py. And what is open to everyone.
SIGNED = frozenset({"/v1/hosted/{retrieve_id}/{file}", "/api/v1/beta/files/{file_id}/download"})
PARSING = frozenset(f"/api/{root}/supported_file_extensions" for root in ("parsing", "v1/parsing"))
OPEN = PARSING | frozenset({"/", "/healthz", "/readyz", "/docs", "/docs/problems", "/docs/problems/{slug}"})


def routes_of(app: FastAPI) -> list[APIRoute]:
    """Every route that a key opens, whether the documentation shows it or not."""
    found = [route for route in _walk(app) if isinstance(route, APIRoute)]
    shown = {(path, method) for path, operations in app.openapi()["paths"].items() for method in operations}
    assert {(route.path_format, method.lower()) for route in found for method in route.methods} >= {*shown}
    return [route for route in found if route.path not in SIGNED | OPEN]


def _walk(router: Any) -> Iterator[Any]:
    for route in router.routes:
        inner = getattr(route, "original_router", None)  # of a router that was included
        yield from [route] if inner is None else _walk(inner)


async def no_connection_is_held(api: Api) -> None:
    """Wait until every connection is back in the pool; the upkeep has one for a moment now and then."""
    pool = api.app.state.thresher.pool
    async with asyncio.timeout(20):
        while pool.get_idle_size() < pool.get_size():
            await asyncio.sleep(0.005)


@asynccontextmanager
async def running(settings: Settings, key: str = KEY) -> AsyncIterator[Api]:
    """The application between its start and its end."""
    app = create_app(settings)
    transport = httpx.ASGITransport(app, raise_app_exceptions=True)
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=transport, base_url="http://thresher.test", headers=headers) as client,
    ):
        yield Api(app, client, settings)


def settings_for(database_url: str, folder: Path, **changes: Any) -> Settings:
    """Settings of a test; whatever the environment says of the database is overruled."""
    return Settings(**{"database_url": database_url, "data_dir": folder, "reconcile_seconds": 3600, **changes})


@pytest.fixture
async def api_settings(database_url: str, tmp_path: Path) -> Settings:
    """Default settings on the test's own database, which knows the key KEY."""
    await accounts.bootstrap(database_url, KEY)
    return settings_for(database_url, tmp_path)


@pytest.fixture
async def api(api_settings: Settings) -> AsyncIterator[Api]:
    async with running(api_settings) as started:
        yield started


@pytest.fixture
async def stranger(pool: Pool, api: Api) -> str:
    """The key of another account."""
    key = "thr_stranger"
    async with pool.acquire() as connection:
        account = await accounts.create(connection, "stranger")
        assert account is not None
        await keys.add(connection, account, key, "test")
    return key
