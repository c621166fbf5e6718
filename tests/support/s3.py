"""A store on loopback that speaks as much S3 as is needed: put, at once or in parts, read a range, list by prefix, delete many
at once; and give an object to whoever has a URL that was signed for it.
"""

import hmac
import time
from datetime import UTC, datetime
from hashlib import sha256
from types import TracebackType
from typing import Self
from urllib.parse import quote
from xml.etree import ElementTree
from xml.sax.saxutils import escape

from aiohttp import web


class S3:
    """`async with S3() as s3`: one bucket, named `bucket`. Only the signatures of URLs are checked, not those of headers."""

    PAGE = 1000  # keys in a listing, and in a deletion, as in S3

    def __init__(self) -> None:
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []  # keys, in the order in which they were written
        self.headers: dict[str, dict[str, str]] = {}  # what an object is served with
        self.deletions: list[int] = []  # keys in each request that deleted
        self.denied = ""  # a part of keys that may not be deleted
        self.uploads: dict[str, dict[int, bytes]] = {}  # the parts of each that is under way
        self._runner: web.AppRunner | None = None
        self.port = 0

    async def __aenter__(self) -> Self:
        app = web.Application(client_max_size=2**26)
        app.router.add_get("/bucket", self._list)
        app.router.add_post("/bucket", self._delete)
        app.router.add_put("/bucket/{key:.+}", self._put)
        app.router.add_get("/bucket/{key:.+}", self._get)
        app.router.add_post("/bucket/{key:.+}", self._in_parts)
        app.router.add_delete("/bucket/{key:.+}", self._give_up)
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.port = self._runner.addresses[0][1]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._runner is not None:
            await self._runner.cleanup()

    @property
    def environment(self) -> dict[str, str]:
        """What an operator sets for a store of their own."""
        return {
            "AWS_ACCESS_KEY_ID": "key",
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_REGION": "us-east-1",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ALLOW_HTTP": "true",
        }

    async def _in_parts(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if "uploads" in request.query:
            name = f"upload{len(self.puts)}-{len(self.uploads)}"
            self.uploads[name] = {}
            self._note_headers(request)
            return _xml(f"<InitiateMultipartUploadResult><UploadId>{name}</UploadId></InitiateMultipartUploadResult>")
        parts = self.uploads.pop(request.query["uploadId"])
        self.objects[key] = b"".join(parts[number] for number in sorted(parts))
        self.puts.append(key)
        return _xml("<CompleteMultipartUploadResult><ETag>&quot;e&quot;</ETag></CompleteMultipartUploadResult>")

    async def _give_up(self, request: web.Request) -> web.Response:
        del self.uploads[request.query["uploadId"]]
        return web.Response(status=204)

    async def _put(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if "uploadId" in request.query:
            parts = self.uploads[request.query["uploadId"]]
            parts[int(request.query["partNumber"])] = await request.read()
            return web.Response(headers={"ETag": '"e"'})
        self.objects[key] = await request.read()
        self._note_headers(request)
        self.puts.append(key)
        return web.Response(headers={"ETag": '"e"'})

    def _note_headers(self, request: web.Request) -> None:
        self.headers[request.match_info["key"]] = {
            name: request.headers[name] for name in ("Content-Type", "Content-Disposition") if name in request.headers
        }

    async def _get(self, request: web.Request) -> web.Response:
        key = request.match_info["key"]
        if "X-Amz-Signature" in request.query and not _is_signed(request):
            return web.Response(status=403)
        if "X-Amz-Signature" not in request.query and "Authorization" not in request.headers:
            return web.Response(status=403)
        data = self.objects.get(key)
        if data is None:
            return web.Response(status=404)
        if "Range" not in request.headers:
            headers = {"ETag": '"e"', "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT", **self.headers.get(key, {})}
            return web.Response(body=data, headers=headers)
        asked = request.http_range
        part = data[asked]
        start = asked.start or 0
        if start >= len(data):
            return web.Response(status=416)
        headers = {
            "ETag": '"e"',
            "Last-Modified": "Wed, 01 Jan 2025 00:00:00 GMT",
            "Content-Range": f"bytes {start}-{start + len(part) - 1}/{len(data)}",
        }
        return web.Response(status=206, body=part, headers=headers)

    async def _list(self, request: web.Request) -> web.Response:
        prefix, after = request.query.get("prefix", ""), request.query.get("continuation-token", "")
        keys = sorted(key for key in self.objects if key.startswith(prefix) and key > after)
        page = keys[: self.PAGE]
        more = len(keys) > len(page)
        found = "".join(
            f"<Contents><Key>{escape(key)}</Key><Size>{len(self.objects[key])}</Size><ETag>&quot;e&quot;</ETag>"
            "<LastModified>2025-01-01T00:00:00.000Z</LastModified></Contents>"
            for key in page
        )
        token = f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>" if more else ""
        return _xml(
            f"<ListBucketResult><IsTruncated>{str(more).lower()}</IsTruncated>{token}{found}</ListBucketResult>"
        )

    async def _delete(self, request: web.Request) -> web.Response:
        names = [node.text or "" for node in ElementTree.fromstring(await request.text()).iter() if _is_key(node.tag)]
        self.deletions.append(len(names))
        if len(names) > self.PAGE:
            return web.Response(status=400)
        return _xml(f"<DeleteResult>{''.join(map(self._delete_one, names))}</DeleteResult>")

    def _delete_one(self, key: str) -> str:
        if self.denied and self.denied in key:
            return f"<Error><Key>{escape(key)}</Key><Code>AccessDenied</Code><Message>kept</Message></Error>"
        self.objects.pop(key, None)
        return f"<Deleted><Key>{escape(key)}</Key></Deleted>"


def _is_signed(request: web.Request) -> bool:
    """Whether the URL is signed for this method, by our key and still good: Signature Version 4, in the query."""
    query, _, signature = request.rel_url.raw_query_string.partition("&X-Amz-Signature=")
    day, region, service, last = request.query["X-Amz-Credential"].split("/")[1:]
    at = request.query["X-Amz-Date"]
    head = f"host:{request.headers['Host']}\n"
    asked = "\n".join([request.method, request.rel_url.raw_path, query, head, "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join(["AWS4-HMAC-SHA256", at, f"{day}/{region}/{service}/{last}", sha256(asked.encode()).hexdigest()])
    key = b"AWS4secret"
    for part in (day, region, service, last):
        key = hmac.digest(key, part.encode(), sha256)
    begun = datetime.strptime(at, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    good = 0 < int(request.query["X-Amz-Expires"]) <= 604_800 and time.time() < begun + int(
        request.query["X-Amz-Expires"]
    )
    return good and hmac.digest(key, text.encode(), sha256).hex() == signature


def _is_key(tag: str) -> bool:
    return tag.rpartition("}")[2] == "Key"


def _xml(body: str) -> web.Response:
    return web.Response(text=f'<?xml version="1.0" encoding="UTF-8"?>{body}', content_type="application/xml")
