"""The one border where every failure becomes application/problem+json (RFC 9457), with the members that SDKs read.

`register` handles what FastAPI raises and what is raised below; `Border` is the ASGI middleware around everything,
which also carries X-Request-Id in and out, and sets the headers that a request is owed whatever comes of it. A caller never sees the inside of an unexpected error, only its id.
"""

import asyncio
import logging
import re
import time
import uuid
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from obstore.exceptions import BaseError as StoreError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thresher.api.llamacloud import errors as llamacloud
from thresher.domain import ids
from thresher.domain.problem import Problem, ProblemCode
from thresher.storage.blobs import StoreUnusable
from thresher.storage.database import PASSING, DatabaseUnavailable

log = logging.getLogger(__name__)

RETRY_AFTER = "2"  # seconds; long enough for a database that restarts, short enough for a caller that waits

# A dependency is away or refuses us for the moment: the request itself may be right.
UNAVAILABLE = (DatabaseUnavailable, StoreUnusable, StoreError, *PASSING)

_BY_STATUS = {
    400: ProblemCode.VALIDATION_ERROR,
    401: ProblemCode.INVALID_API_KEY,
    404: ProblemCode.NOT_FOUND,
    405: ProblemCode.METHOD_NOT_ALLOWED,
    413: ProblemCode.BODY_TOO_LARGE,
    415: ProblemCode.UNSUPPORTED_MEDIA_TYPE,
    503: ProblemCode.SERVICE_UNAVAILABLE,
}

_CUT_OFF = Problem(
    ProblemCode.SERVICE_UNAVAILABLE,
    "The server is ending, and this request would have taken longer.",
    headers={"Retry-After": RETRY_AFTER, "Connection": "close"},
)

_REQUEST_ID = re.compile(r"[\x21-\x7e]{1,128}")


def problem_of(error: Exception, error_id: str) -> Problem:
    """The problem that an exception is for the caller. What is not the caller's fault is logged under `error_id`."""
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        errors = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]
        where = ".".join(str(part) for part in errors[0]["loc"]) if errors else "request"
        return Problem(ProblemCode.VALIDATION_ERROR, f"{where}: {errors[0]['msg'] if errors else error}", errors=errors)
    if isinstance(error, HTTPException) and error.status_code < 500:
        code = _BY_STATUS.get(error.status_code, ProblemCode.VALIDATION_ERROR)
        return Problem(code, _http_detail(error), headers=error.headers)
    if isinstance(error, UNAVAILABLE):
        log.error("%s: a dependency failed: %s: %s", error_id, type(error).__name__, error)
        return Problem(
            ProblemCode.SERVICE_UNAVAILABLE,
            "The server cannot reach its database or its store at the moment.",
            headers={"Retry-After": RETRY_AFTER},
        )
    log.error("%s: unexpected", error_id, exc_info=error)
    return Problem(ProblemCode.INTERNAL_SERVER_ERROR, f"An unexpected error occurred; it is logged as {error_id}.")


def _http_detail(error: HTTPException) -> str:
    if error.status_code == 404:
        return "There is nothing at this path."
    if error.status_code == 405:
        return f"This path does not take this method; it takes {(error.headers or {}).get('Allow', 'others')}."
    return str(error.detail)


def body_of(problem: Problem, error_id: str, base: str) -> dict[str, Any]:
    """The members of the answer. `base` is the server's URL without a slash at the end."""
    kind = problem.kind
    return {
        "id": error_id,
        "object": "error",
        "code": problem.code,
        "type": f"{base}/docs/problems/{kind.slug}",
        "status": kind.status,
        "title": kind.title,
        "detail": problem.detail,
        "created": int(time.time()),
        "metadata": {},
        "message": problem.detail,  # an SDK crashes on a null here, and reads its known texts from it
        "errors": list(problem.errors),
        "remedy": kind.remedy,
        **(kind.flags or {}),
        **problem.members,
    }


def answer(error: Exception, scope: Scope, public_url: str | None) -> Response:
    """The response for any exception, in the form of the API that the path is of."""
    error_id = ids.error_id()
    if scope.get("path", "").startswith(llamacloud.ROOT):  # what is no request at all has no path
        return llamacloud.refusal(error, problem_of(error, error_id), error_id)
    problem = problem_of(error, error_id)
    body = body_of(problem, error_id, base_url(scope, public_url))
    return Response(orjson.dumps(body), problem.kind.status, problem.headers, "application/problem+json")


def base_url(scope: Scope, public_url: str | None) -> str:
    """The server's URL as the caller knows it, without a slash at the end."""
    if public_url:
        return public_url.rstrip("/")
    host = Headers(scope=scope).get("host")
    if not host:
        name, port = scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else name
    return f"{scope.get('scheme', 'http')}://{host}"


def register(app: FastAPI, public_url: str | None) -> None:
    """Answer what FastAPI would otherwise answer in forms of its own."""

    async def handle(request: Request, error: Exception) -> Response:
        if isinstance(error, HTTPException) and error.status_code == 405:
            error = HTTPException(405, headers={"Allow": _allowed(request, error)})
        return answer(error, request.scope, public_url)

    for kind in (Problem, HTTPException, RequestValidationError):
        app.add_exception_handler(kind, handle)


def _allowed(request: Request, error: HTTPException) -> str:
    """Every method of this path; the framework itself names those of one route, though another may have the same path."""
    path = getattr(request.scope.get("route"), "path_format", None)
    taken = {method.upper() for method in request.app.openapi()["paths"].get(path, ())}
    if not taken:  # a page, or a file of one
        return (error.headers or {}).get("Allow", "GET, HEAD")
    head = {**request.scope, "method": "HEAD"}  # which the document leaves out
    if any(route.matches(head)[0] is Match.FULL for route in request.app.router.routes):
        taken.add("HEAD")
    return ", ".join(sorted(taken))


class Border:
    """Around everything: no exception leaves, and every answer carries the request's id."""

    def __init__(self, app: ASGIApp, public_url: str | None) -> None:
        self._app = app
        self._public_url = public_url

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request_id = given_or_new_id(Headers(scope=scope))
        started = False

        async def send_with_id(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                headers = MutableHeaders(scope=message)
                headers["X-Request-Id"] = request_id
                headers.update(scope.get("state", {}).get("answer_headers", {}))
            await send(message)

        try:
            await self._app(scope, receive, send_with_id)
        except ClientDisconnect:
            log.info("the client went away in the middle of its request")  # nobody is there to be answered
        except asyncio.CancelledError:
            if started or not scope["app"].state.closing():
                raise
            # The server's time to end is over. Left alone, uvicorn would log a traceback and answer in a form of its own.
            log.warning("%s %s was cut off by the end of the server", scope["method"], scope["path"])
            await answer(_CUT_OFF, scope, self._public_url)(scope, receive, send_with_id)
        except Exception as error:
            if started:  # too late for another answer; the server cuts the connection
                raise
            await answer(error, scope, self._public_url)(scope, receive, send_with_id)


def given_or_new_id(headers: Mapping[str, str]) -> str:
    """The caller's X-Request-Id, if it can be given back, or a new one."""
    given = headers.get("x-request-id", "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
