"""How the commands take the refusals of a server; it is one in this process, which refuses what the test says."""

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from thresher.cli.client.patience import Patience
from thresher.cli.client.remote import Refused, Remote
from thresher.cli.endpoint import Endpoint
from thresher.cli.errors import ExitCode


async def test_a_server_that_is_asked_too_fast_is_asked_again_and_one_that_forbids_it_is_not() -> None:
    answers = [(429, "rate_limit_exceeded"), (429, "rate_limit_exceeded"), (200, "fine"), (403, "access_denied")]

    async def handle(request: web.Request) -> web.Response:
        status, code = answers.pop(0)
        return web.json_response({"code": code, "detail": "the reason"}, status=status)

    async def find() -> Endpoint | None:
        return None

    app = web.Application()
    app.router.add_get("/v1/batches/batch_x", handle)
    async with TestServer(app) as server:
        endpoint = Endpoint(str(server.make_url("")).rstrip("/"), "key")
        async with Remote(endpoint, find, Patience(60, lambda _: None)) as remote:
            assert (await remote.batch("batch_x"))["code"] == "fine"
            with pytest.raises(Refused, match="the reason") as refused:
                await remote.batch("batch_x")
    assert refused.value.code is ExitCode.KEY
    assert not answers
