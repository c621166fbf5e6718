"""What an operator asks: is it alive, can it serve, what is there. No key is needed."""

import asyncio
import time
from typing import Literal

import asyncpg
from fastapi import APIRouter, Request
from fastapi.openapi.docs import get_swagger_ui_html
from fastapi.staticfiles import StaticFiles
from pydantic import BaseModel
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse
from starlette.types import Receive, Scope, Send

from thresher.api.openapi import problems
from thresher.api.problems import RETRY_AFTER
from thresher.api.state import State, state_of
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage.blobs import Blobs, StoreUnusable

router = APIRouter(tags=["operations"])

PATIENCE = 3.0  # seconds for each dependency
FRESH = 2.0  # seconds that an answer is good for, so that asking often does not load what is asked about


class Readiness:
    """The dependencies, looked at one at a time per process and remembered for a moment."""

    def __init__(self) -> None:
        self._lock = asyncio.Lock()
        self._until = 0.0
        self._found: dict[str, str] = {}

    async def look(self, state: State) -> dict[str, str]:
        """Each dependency by name: "ok", or what is wrong, without any secret."""
        async with self._lock:
            if time.monotonic() >= self._until:
                database, blobs = await asyncio.gather(_database(state), _blobs(state.blobs))
                self._found = {"database": database, "blobs": blobs}
                self._until = time.monotonic() + FRESH
            return self._found


async def _database(state: State) -> str:
    try:
        async with asyncio.timeout(PATIENCE), state.pool.acquire() as connection:
            await connection.execute("SELECT FROM batch LIMIT 0")
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        return f"unavailable ({type(error).__name__})"
    return "ok"


async def _blobs(blobs: Blobs) -> str:
    try:
        async with asyncio.timeout(PATIENCE):
            await blobs.probe()
    except (StoreUnusable, TimeoutError) as error:
        return f"not writable ({type(error).__name__})"
    return "ok"


class Alive(BaseModel):
    status: Literal["ok"]


class Ready(Alive):
    dependencies: dict[Literal["database", "blobs"], Literal["ok"]]


@router.get("/healthz", response_model=Alive, summary="Whether this process is alive")
async def healthz() -> JSONResponse:
    return JSONResponse({"status": "ok"})


@router.get(
    "/readyz",
    response_model=Ready,
    responses=problems(503),
    summary="Whether this process can serve: each dependency by name",
)
async def readyz(request: Request) -> JSONResponse:
    readiness: Readiness = request.app.state.readiness
    found = await readiness.look(state_of(request))
    away = [f"{name} {text}" for name, text in found.items() if text != "ok"]
    if away:
        raise Problem(
            ProblemCode.SERVICE_UNAVAILABLE,
            f"Not ready: {', '.join(away)}.",
            headers={"Retry-After": RETRY_AFTER},
            members={"dependencies": found},
        )
    return JSONResponse({"status": "ok", "dependencies": found})


@router.get("/", include_in_schema=False)
async def front_door() -> RedirectResponse:
    """Whoever opens the server's address in a browser wants to know what it is."""
    return RedirectResponse("docs")


@router.get("/docs", include_in_schema=False)
async def swagger_ui() -> HTMLResponse:
    """The API to look at and to try. Relative URLs, so that it works below any path of a proxy."""
    return get_swagger_ui_html(
        openapi_url="openapi.json",
        title="Thresher API",
        swagger_js_url="docs/assets/swagger-ui-bundle.js",
        swagger_css_url="docs/assets/swagger-ui.css",
        swagger_favicon_url="docs/assets/favicon-32x32.png",
    )


class Assets(StaticFiles):
    """The files of that page, always whole: a range that cannot be given is no problem here, in no form."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        whole = [(name, value) for name, value in scope["headers"] if name != b"range"]
        await super().__call__({**scope, "headers": whole}, receive, send)
