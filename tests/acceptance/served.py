"""A running `thresher serve`, its processes, and an HTTP client that knows its key."""

import asyncio
import contextlib
import json
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
import psutil
from tests.serve.support import environment, until

from thresher.storage.database import Connection, connect

KEY = "thr_acceptance"


class Served:
    """`async with Served(data_dir, environment) as server`; or `start`, `kill` and `start` again."""

    def __init__(self, data_dir: Path, env: dict[str, str]) -> None:
        self.data_dir = data_dir
        self._env = environment(
            THRESHER_BOOTSTRAP_KEY=KEY,
            THRESHER_HEARTBEAT="2",
            THRESHER_RECONCILE_SECONDS="1",
            THRESHER_WORKERS="2",
            THRESHER_STOP_GRACE="2",
            **env,
        )
        self._process: asyncio.subprocess.Process | None = None
        self.url = ""
        self.http = httpx.AsyncClient()

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.stop()
        await self.http.aclose()

    async def start(self, **more: str) -> None:
        """Start it, and return when it answers."""
        command = (sys.executable, "-m", "thresher.cli.main", "serve", "--port", "0", "--data-dir", str(self.data_dir))
        self._process = await asyncio.create_subprocess_exec(*command, env=self._env | more)
        runfile = self.data_dir / "server.json"
        await until(lambda: self._ready(runfile), "thresher serve is ready", 60)
        self.url = json.loads(runfile.read_text())["url"]
        await self.http.aclose()
        self.http = httpx.AsyncClient(base_url=self.url, headers={"Authorization": f"Bearer {KEY}"}, timeout=60)

    def _ready(self, runfile: Path) -> bool:
        assert self._process is not None
        assert self._process.returncode is None, "thresher serve has ended"
        if not runfile.exists() or json.loads(runfile.read_text())["pid"] != self._process.pid:
            return False
        try:
            return httpx.get(json.loads(runfile.read_text())["url"] + "/readyz").status_code == 200
        except httpx.TransportError:
            return False

    async def stop(self) -> None:
        if self._process is not None and self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            assert await asyncio.wait_for(self._process.wait(), 40) == 0
        self._process = None

    @property
    def root(self) -> psutil.Process:
        """`thresher serve` itself."""
        assert self._process is not None
        return psutil.Process(self._process.pid)

    def processes(self, part: str = "") -> list[psutil.Process]:
        """The processes under the server, those whose command line has `part`."""
        assert self._process is not None
        found = []
        for process in psutil.Process(self._process.pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                if part in " ".join(process.cmdline()):
                    found.append(process)
        return found

    async def kill_everything(self) -> None:
        """kill -9: the supervisor, PostgreSQL, the API, the workers, their children; at once."""
        assert self._process is not None
        everyone = self.processes()
        for process in [psutil.Process(self._process.pid), *everyone]:
            with contextlib.suppress(ProcessLookupError):  # a connection's own process may just have ended
                os.kill(process.pid, signal.SIGKILL)
        await self._process.wait()
        self._process = None

    @asynccontextmanager
    async def database(self) -> AsyncIterator[Connection]:
        """The server's own database, behind its back: its processes are told where it is."""
        connection = await connect(self.processes("main api")[0].environ()["DATABASE_URL"], "acceptance")
        try:
            yield connection
        finally:
            await connection.close()

    async def create(self, urls: list[str]) -> dict[str, Any]:
        answer = await self.http.post("/v1/batches", json={"items": [{"url": url, "custom_id": url} for url in urls]})
        assert answer.status_code == 200, answer.text
        batch: dict[str, Any] = answer.json()
        return batch

    async def info(self, batch_id: str) -> dict[str, Any]:
        """The batch; asked again, as a client would, while the server says that it is not available."""
        while (answer := await self.http.get(f"/v1/batches/{batch_id}")).status_code == 503:
            await asyncio.sleep(float(answer.headers["Retry-After"]) / 10)
        assert answer.status_code == 200, answer.text
        batch: dict[str, Any] = answer.json()
        counts = batch["counts"]
        assert counts["total"] == sum(count for state, count in counts.items() if state != "total")
        return batch

    async def until_completed(self, batch_id: str, at_least: int | None = None, seconds: float = 90) -> dict[str, Any]:
        """Until the batch is completed, or so many of its items are."""
        async with asyncio.timeout(seconds):
            while True:
                batch = await self.info(batch_id)
                if batch["status"] == "completed" or (at_least is not None and batch["completed_urls"] >= at_least):
                    return batch
                await asyncio.sleep(0.05)

    async def items(self, batch_id: str, **query: Any) -> list[dict[str, Any]]:
        """All items, page by page."""
        found: list[dict[str, Any]] = []
        while True:
            answer = await self.http.get(f"/v1/batches/{batch_id}/items", params=query)
            assert answer.status_code == 200, answer.text
            page = answer.json()
            found += page["items"]
            if "cursor" not in page:
                assert len(found) == page["items_count"]
                return found
            query["cursor"] = page["cursor"]
