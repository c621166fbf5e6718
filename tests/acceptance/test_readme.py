"""The first minute, and the move from Olostep, as the pages have them: their blocks are run against a real server."""

import asyncio
import json
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trustme
from aiohttp import web
from tests.acceptance.served import KEY, Served
from tests.files import pdf
from tests.serve.support import environment

ROOT = Path(__file__).parents[2]
README = ROOT / "README.md"
MOVING = ROOT / "docs" / "moving.md"
MOVING_FILES = ROOT / "docs" / "moving-llamacloud.md"

PAGE = (
    "<!doctype html><html lang='en'><title>Example</title><h1>Example page</h1><p>For <b>illustration</b>.</p></html>"
)


def blocks(language: str, page: Path = README) -> list[str]:
    """The fenced blocks of a page in one language, without those that only set variables for a person."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", page.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [block for block in found if not all(line.startswith("export ") for line in block.splitlines())]


async def _page(request: web.Request) -> web.Response:
    return web.Response(text=PAGE, content_type="text/html")


@pytest.fixture
async def server(room: Path) -> AsyncIterator[Served]:
    """A server to which example.com is a site on loopback, with a certificate that it trusts."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(room / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("example.com").configure_cert(context)
    app = web.Application()
    app.router.add_get("/", _page)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
        env = {
            "THRESHER_CONNECT_TO": f"example.com:443=127.0.0.1:{runner.addresses[0][1]}",
            "THRESHER_FETCH_ALLOW": "127.0.0.0/8",
            "THRESHER_EXTRA_CA": str(room / "ca.pem"),
        }
        async with Served(room / "data", env) as running:
            yield running
    finally:
        await runner.cleanup()


async def run(server: Served, folder: Path, *command: str, code: int = 0) -> str:
    """Run a command as the README's reader does, with the two variables that it exports; its standard output."""
    env = environment(
        OLOSTEP_BASE_API_URL=f"{server.url}/v1",
        OLOSTEP_API_KEY=KEY,
        PYTHONWARNINGS="ignore",
        # As after `. .venv/bin/activate`, on the machine where the server runs on its data dir.
        PATH=f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        THRESHER_DATA_DIR=str(server.data_dir),
    )
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, env=env, cwd=folder, stdout=pipe, stderr=pipe)
    try:
        out, err = await asyncio.wait_for(process.communicate(), 60)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == code, err.decode()
    return out.decode()


async def test_the_commands_of_the_readme_and_of_the_move_work_as_they_stand(server: Served, tmp_path: Path) -> None:
    (program,) = blocks("python")
    shown = await run(server, tmp_path, sys.executable, "-c", program)
    assert "https://example.com/ # Example page\n\nFor **illustration**." in shown
    assert "failed: https://example.com/no-such-page" in shown

    command, documents, *curls = blocks("sh")
    shell = ("bash", "-euo", "pipefail", "-c")
    assert await run(server, tmp_path, *shell, command, code=3) == ""
    page, missing = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text("utf-8").splitlines()]
    assert (page["url"], page["status"], page["error"]) == ("https://example.com/", "completed", None)
    assert page["markdown"].startswith("# Example page\n\nFor **illustration**.")
    assert (missing["status"], missing["http_status"], missing["error"]["code"]) == ("failed", 404, "http_4xx")
    (fields,) = re.findall(r"in the same order: (.*?)\. The exit code is 3", README.read_text("utf-8"), re.DOTALL)
    assert re.findall(r"`(\w+)`", fields) == list(page)

    (tmp_path / "report.pdf").write_bytes(pdf.pdf(pdf.paragraphs("Annual report", "All is well.")))
    assert await run(server, tmp_path, *shell, documents) == ""
    (report,) = [json.loads(line) for line in (tmp_path / "documents.jsonl").read_text("utf-8").splitlines()]
    assert (report["custom_id"], report["markdown"]) == ("report.pdf", "# Annual report\n\nAll is well.")

    shown = await run(server, tmp_path, *shell, "\n".join(curls))
    assert '"outcome":"partial"' in shown
    assert '"custom_id":"missing"' in shown
    assert '"code":"http_4xx"' in shown
    assert r'"markdown":"# Example page\n\nFor **illustration**.' in shown

    applied = json.loads(shown.splitlines()[-1])
    assert (applied["parser"], applied["total_urls"], applied["without_page"]) == ("@thresher/links", 1, 1)

    # The same server, by the lines that a program which used Olostep, or LlamaCloud, needs.
    sdk, langchain, files = (
        block.replace("http://127.0.0.1:8080", server.url).replace("thr_...", KEY)
        for block in (*blocks("python", MOVING), *blocks("python", MOVING_FILES))
    )
    assert await run(server, tmp_path, sys.executable, "-c", sdk) == "['https://example.com/']\n"
    assert '"total_urls": 1' in await run(server, tmp_path, sys.executable, "-c", langchain)
    (tmp_path / "invoice.pdf").write_bytes(pdf.pdf(pdf.paragraphs("Invoice 1", "To be paid.")))
    shown = await run(server, tmp_path, sys.executable, "-c", files)
    assert shown == "invoice.pdf completed \n# Invoice 1\n\nTo be paid.\n"
