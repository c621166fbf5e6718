"""The HTTP application, put together, and the server that runs it. Knows every part of the API and no detail of one."""

import asyncio
import logging
import math
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import asyncpg
import uvicorn
from fastapi import FastAPI
from starlette.types import Scope

import thresher
from thresher.api import account, dry_run, ops, parsers, problem_pages, problems, uploads
from thresher.api.auth import KnownKeys
from thresher.api.body import BodyLimit
from thresher.api.llamacloud import routes as llamacloud
from thresher.api.olostep import again, append, apply, deliveries, diff, explain, hosted, info, listing, retrieve
from thresher.api.olostep.export import router as export
from thresher.api.olostep.routes import router as olostep
from thresher.api.openapi import describe
from thresher.api.protocol import speaking_of
from thresher.api.state import open_state
from thresher.api.watch import Watch
from thresher.api.workbench import Workbench
from thresher.domain import plugins
from thresher.settings import Settings
from thresher.storage.blobs import StoreUnusable
from thresher.storage.database import DatabaseUnavailable
from thresher.storage.upkeep import keep_up

log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The application. `settings.database_url` is set, and the database is migrated."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with open_state(settings) as state:
            app.state.thresher = state
            app.state.watch = watch = Watch(state.pool, lambda: app.state.closing())
            app.state.workbench = workbench = Workbench(settings)
            upkeep = asyncio.create_task(keep_up(state.pool, state.blobs, settings), name="upkeep")
            try:
                yield
            finally:
                await watch.close()
                await workbench.close()
                upkeep.cancel()
                with suppress(asyncio.CancelledError):
                    await upkeep

    app = FastAPI(
        title="Thresher",
        version=thresher.__version__,
        summary="A self-hosted batch engine.",
        lifespan=lifespan,
        redirect_slashes=False,  # clients do not follow redirects; a slash too many is a 404 that says so
        docs_url=None,  # FastAPI's own page loads its script from elsewhere; api/ops.py serves one from here
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,  # which becomes the name of a method in generated clients
    )
    for fault in plugins.installed().faults:
        log.warning("a parser is left out: %s", fault)
    app.mount("/docs/assets", ops.Assets(packages=[("fastapi_swagger", "resources")]), name="swagger")
    app.state.closing = lambda: False
    app.state.known_keys = KnownKeys()
    app.state.readiness = ops.Readiness()
    problems.register(app, settings.public_url)
    # The one added last is the outermost.
    app.add_middleware(BodyLimit, limit=settings.max_request_bytes, unlimited=_is_streamed)
    app.add_middleware(problems.Border, public_url=settings.public_url)
    app.include_router(olostep)
    app.include_router(info.router)
    app.include_router(listing.router)
    app.include_router(append.router)
    app.include_router(again.router)
    app.include_router(diff.router)
    app.include_router(apply.router)
    app.include_router(export)
    app.include_router(explain.router)
    app.include_router(retrieve.router)
    app.include_router(hosted.router)
    app.include_router(dry_run.router)
    app.include_router(parsers.router)
    app.include_router(deliveries.router)
    app.include_router(account.router)
    for router in llamacloud.ROUTERS:
        app.include_router(router)
    app.include_router(ops.router)
    app.include_router(problem_pages.router)
    describe(app, settings)
    return app


def _is_streamed(scope: Scope) -> bool:
    return append.is_stream(scope) or uploads.is_upload(scope)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then answer what is under way and return. Blocking.

    Raises SystemExit(1) after one line on standard error if the address cannot be listened on or the start fails.
    """
    asyncio.run(_look(settings))
    listener = _listen(settings.host, settings.port)
    app = create_app(settings)
    config = uvicorn.Config(
        app,
        loop="uvloop",
        http=speaking_of(settings.public_url),
        ws="none",
        lifespan="on",
        log_config=None,
        log_level="warning",  # that it starts and stops step by step is no news beside our own lines
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=math.ceil(settings.stop_grace),
    )
    server = uvicorn.Server(config)
    app.state.closing = lambda: server.should_exit  # who waits for a batch need not wait for the drain's end
    host, port = listener.getsockname()[:2]
    log.info("listening on http://%s:%d", f"[{host}]" if ":" in host else host, port)
    # uvicorn raises the signal again when it has drained, for whoever was there before: nobody, so a drain ends with 0.
    before = {number: signal.signal(number, lambda *_: None) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        server.run(sockets=[listener])
    finally:
        listener.close()
        for number, handler in before.items():
            signal.signal(number, handler)
    if not server.started:
        raise SystemExit(1)


def _listen(host: str, port: int) -> socket.socket:
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        # A resolver's errors are negative and in words already; the others come with the address a second time.
        reason = os.strerror(error.errno) if error.errno and error.errno > 0 else error.strerror
        raise _refused(f"cannot listen on {host}:{port}: {reason}") from None


async def _look(settings: Settings) -> None:
    """Open what the application will need, once, so that what is missing is said in a line and not in a traceback."""
    try:
        async with open_state(settings):
            pass
    except (DatabaseUnavailable, StoreUnusable) as error:
        raise _refused(str(error)) from None
    except asyncpg.UndefinedTableError:
        raise _refused("the database has no tables of Thresher: run `thresher migrate`") from None


def _refused(reason: str) -> SystemExit:
    print(f"thresher: {reason}", file=sys.stderr)
    return SystemExit(1)
