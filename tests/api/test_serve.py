"""`serve` as a real process: it listens, drains on SIGTERM, and says in one line when it cannot start."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from thresher.settings import Settings

SERVE = "from thresher.api.app import serve; from thresher.settings import Settings; serve(Settings())"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@asynccontextmanager
async def process(settings: Settings, port: int) -> AsyncIterator[asyncio.subprocess.Process]:
    """The API in a process of its own, on this port of loopback."""
    env = {
        **os.environ,
        "DATABASE_URL": str(settings.database_url),
        "THRESHER_DATA_DIR": str(settings.data_dir),
        "THRESHER_PORT": str(port),
        "PYTHONPATH": str(Path(__file__).parents[2] / "src"),
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-c", SERVE, env=env, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        yield started
    finally:
        if started.returncode is None:
            started.kill()
        await started.communicate()


async def until_healthy(client: httpx.AsyncClient) -> None:
    async with asyncio.timeout(30):
        while True:
            try:
                if (await client.get("/readyz")).status_code == 200:
                    return
            except httpx.TransportError:
                await asyncio.sleep(0.05)  # nobody listens yet, so there is nothing to await


async def test_a_request_under_way_is_answered_after_sigterm_and_the_process_ends_with_zero(
    api_settings: Settings,
) -> None:
    port = free_port()
    async with process(api_settings, port) as server:
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            await until_healthy(client)
            health = await client.get("/healthz")
            assert "server" not in health.headers
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        body = b'{"items": [{"url": "https://a.example/"}]}'
        writer.write(
            b"POST /v1/batches HTTP/1.1\r\nHost: t\r\nAuthorization: Bearer thr_tests\r\n"
            b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n" % len(body)
        )
        assert b"100 Continue" in await reader.readuntil(b"\r\n\r\n")  # the route is reading its body
        server.send_signal(signal.SIGTERM)
        writer.write(body)
        answer = await asyncio.wait_for(reader.read(), 20)
        writer.close()
        assert answer.startswith(b"HTTP/1.1 200")
        assert await asyncio.wait_for(server.wait(), 20) == 0


async def test_who_waits_for_a_batch_is_answered_at_once_when_the_server_is_to_end(api_settings: Settings) -> None:
    port = free_port()
    async with (
        process(api_settings, port) as server,
        httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{port}", headers={"Authorization": "Bearer thr_tests"}, timeout=30
        ) as client,
    ):
        await until_healthy(client)
        made = (await client.post("/v1/batches", json={"open": True})).json()
        waiting = asyncio.create_task(client.get(f"/v1/batches/{made['id']}", params={"wait": 60}))
        assert (await client.get("/healthz")).status_code == 200  # asked later, so the other has come in by now
        assert not waiting.done()
        server.send_signal(signal.SIGTERM)
        assert (await asyncio.wait_for(waiting, 5)).json()["state"] == "open"
        assert await asyncio.wait_for(server.wait(), 20) == 0


async def test_a_port_in_use_is_one_line_and_exit_code_one(api_settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        async with process(api_settings, port) as server:
            _, errors = await asyncio.wait_for(server.communicate(), 30)
            assert server.returncode == 1
            assert errors.decode().splitlines() == [
                f"thresher: cannot listen on 127.0.0.1:{port}: Address already in use"
            ]


async def test_a_database_that_is_not_there_ends_the_start_with_exit_code_one(api_settings: Settings) -> None:
    nowhere = api_settings.model_copy(update={"database_url": f"postgresql://u:hunter2@127.0.0.1:{free_port()}/x"})
    async with process(nowhere, free_port()) as server:
        _, errors = await asyncio.wait_for(server.communicate(), 30)
        assert server.returncode == 1
        assert len(errors.splitlines()) == 1
        assert errors.startswith(b"thresher: PostgreSQL cannot be reached")
        assert b"hunter2" not in errors


async def test_a_database_that_is_not_migrated_is_said_to_be_so(empty_database_url: str, tmp_path: Path) -> None:
    async with process(Settings(database_url=empty_database_url, data_dir=tmp_path), free_port()) as server:
        _, errors = await asyncio.wait_for(server.communicate(), 30)
        assert server.returncode == 1
        assert errors.splitlines() == [b"thresher: the database has no tables of Thresher: run `thresher migrate`"]
