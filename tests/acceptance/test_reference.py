"""The examples of the reference, run as they stand against a real server: each curl and each command of the pages below."""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from tests.acceptance.served import KEY, Served
from tests.files import pdf
from tests.serve.support import environment

DOCS = Path(__file__).parents[2] / "docs"
PAGE = "<!doctype html><html lang='en'><title>Example</title><article><h1>Example</h1><p>{}</p></article></html>"

# How long the whole of it may take is the server's business; that no command hangs is ours.
PATIENCE = 60


def commands(page: str, *having: str) -> Iterator[str]:
    """The commands of a page's sh blocks, one by one: of those blocks that have one of these words."""
    for block in re.findall(r"^```sh\n(.*?)^```$", (DOCS / page).read_text("utf-8"), re.MULTILINE | re.DOTALL):
        if any(word in block for word in having):
            # A quote that is open takes the next line along, and so does a backslash at the end.
            yield from (line for line in re.split(r"\n(?=curl |thresher )", block.strip()))


async def _page(request: web.Request) -> web.Response:
    if request.path == "/broken":
        return web.Response(status=500)
    return web.Response(
        text=PAGE.format("Running text of some length, for illustration. " * 20), content_type="text/html"
    )


@pytest.fixture
async def server(room: Path) -> AsyncIterator[Served]:
    """A server to which every host is one site on loopback, and that tries nothing twice."""
    app = web.Application()
    app.router.add_get("/{path:.*}", _page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        env = {
            "THRESHER_CONNECT_TO": f"*:80=127.0.0.1:{runner.addresses[0][1]}",
            "THRESHER_FETCH_ALLOW": "127.0.0.0/8",
            "THRESHER_RETRIES": "0",
        }
        async with Served(room / "data", env) as running:
            yield running
    finally:
        await runner.cleanup()


async def done_batch(server: Served) -> tuple[str, str]:
    """The ids of a batch that is done, one of whose pages is there, and of that item."""
    urls = {"urls": ["http://example.com/", "http://example.com/broken"]}
    auth = {"Authorization": f"Bearer {KEY}"}
    async with aiohttp.ClientSession(f"{server.url}/v1/", headers=auth) as client:
        made = await (await client.post("batches", json=urls)).json()
        batch = await (await client.get(f"batches/{made['id']}", params={"wait": "30"})).json()
        assert (batch["state"], batch["outcome"]) == ("done", "partial")
        items = await (await client.get(f"batches/{made['id']}/items", params={"status": "completed"})).json()
    return made["id"], items["items"][0]["retrieve_id"]


async def run(server: Served, folder: Path, command: str, **names: str) -> str:
    """Run a command as a reader does; its standard output. A refusal by the server fails it."""
    env = environment(
        KEY=KEY,
        PYTHONWARNINGS="ignore",
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        THRESHER_DATA_DIR=str(server.data_dir),
        **names,
    )
    script = f'curl() {{ command curl --silent --show-error --fail-with-body "$@"; }}\n{command}'
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(
        "bash", "-euo", "pipefail", "-c", script, env=env, cwd=folder, stdout=pipe, stderr=pipe
    )
    try:
        out, err = await asyncio.wait_for(process.communicate(), PATIENCE)
    finally:
        if process.returncode is None:
            process.kill()
    # 3: done, and not every item has a result, as is to be with a page that is broken.
    assert process.returncode in ((0, 3) if command.startswith("thresher") else (0,)), (command, out, err)
    return out.decode()


async def test_the_examples_of_the_reference_work_as_they_stand(server: Served, tmp_path: Path) -> None:
    (tmp_path / "batch.json").write_text('{"urls": ["http://example.com/"]}')
    (tmp_path / "items.jsonl").write_text('{"url": "http://example.com/1"}\n{"url": "http://example.com/2"}\n')
    (tmp_path / "urls.txt").write_text("http://example.com/\n")
    (tmp_path / "report.pdf").write_bytes(pdf.pdf(pdf.paragraphs("Report")))
    ran, opened, file = 0, None, ""
    for command in (*commands("api.md", "curl"), *commands("parsers.md", "curl"), *commands("webhooks.md", "curl")):
        fresh = "$BATCH" in command or "$ID" in command  # for a retry takes nothing twice
        batch, item = await done_batch(server) if fresh else ("", "")
        if "/items?offset=" in command or "/start" in command:
            batch = opened or batch
        names = {"BATCH": batch, "ID": item, "FILE": file}
        shown = await run(server, tmp_path, command.replace("http://127.0.0.1:8080", server.url), **names)
        file = json.loads(shown)["id"] if "@report.pdf" in command else file
        opened = json.loads(shown)["id"] if '"open": true' in command else opened
        ran += 1
    assert opened is not None
    assert file
    assert ran >= 21

    new, item = await done_batch(server)
    old, _ = await done_batch(server)
    for command in commands("cli.md", "thresher retry", "thresher apply", "thresher diff"):
        named = command.replace("batch_abc", new).replace("batch_new", new).replace("batch_old", old)
        await run(server, tmp_path, named.replace("ret_abc", item))
        ran += 1
    assert ran >= 28
    articles = [json.loads(line) for line in (tmp_path / "articles.jsonl").read_text("utf-8").splitlines()]
    assert json.loads(articles[-1]["json"])["title"] == "Example"
