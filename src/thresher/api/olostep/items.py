"""The items of a create or an append: the hot part of its validation, in one pass over them."""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, NamedTuple
from uuid import UUID

import orjson

from thresher.api.olostep.choices import OWN, Own, OwnReader
from thresher.api.olostep.faults import Faults, kind_of, path
from thresher.api.olostep.refusals import Refusals
from thresher.api.olostep.unsent import UnsentFiles
from thresher.api.olostep.urls import read_url, too_long
from thresher.domain import metadata, refs, url
from thresher.domain.problem import Problem
from thresher.settings import Settings
from thresher.storage.files import File
from thresher.storage.submit import NewItem

MAX_LINE = 2**20  # bytes
FILE_ID = "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"
FETCHING = ("headers", "timeout")  # choices that nothing could make of a file
_NOTHING = Own()
_FILE_ID = re.compile(FILE_ID)
MIN_ID, MAX_ID = -(2**63), 2**64 - 1  # larger ones are read inexactly, so that two could become one


def read_items(
    request: dict[str, Any], settings: Settings, faults: Faults, refusals: Refusals | None = None
) -> list[NewItem]:
    """The items, from `items` or from an alias of it. Faults are added; the result counts only if there are none.

    With `refusals`, items that have faults are noted there and left out, and there may be as many items as in a batch.
    """
    entries = _entries(request, faults, settings.max_items if refusals is None else settings.max_batch_items)
    if refusals is not None:
        refusals.entries = entries
    if refusals is None:
        reader = _Reader(settings, faults, items_name(request))
    else:
        reader = _Reader(settings, refusals, items_name(request), unsent=UnsentFiles(settings, refusals))
    return [item for index, entry in enumerate(entries) if (item := reader.read(index, entry)) is not None]


def read_lines(lines: Iterable[tuple[int, bytes]], settings: Settings, faults: Faults) -> list[NewItem]:
    """The items of numbered lines, an object each; blank lines are none. Faults as in `read_items`."""
    reader = _Reader(settings, faults, "line")
    return [item for number, line in lines if (item := reader.read_line(number, line)) is not None]


def items_name(request: dict[str, Any]) -> str:
    """Where a request has its items: in `items`, in `batch_array`, as it was called once, or as strings in `urls`."""
    return next((name for name in ("items", "batch_array", "urls") if request.get(name) is not None), "items")


def wait_fault(value: object) -> str | None:
    """Why a `wait_before_scraping` is none; None if it is one."""
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        return "must be a number of milliseconds, 0 or more"
    return None


def _entries(request: dict[str, Any], faults: Faults, most: int) -> list[Any]:
    name = items_name(request)
    entries = request.get(name)
    if entries is None:
        faults.add((name,), "is required: an array of objects with a url or a file_id", "missing")
        return []
    if not isinstance(entries, list):
        faults.add((name,), "must be an array")
        return []
    if len(entries) > most:
        faults.add((name,), f"{len(entries)} items; the limit of one request is {most}", "too_long")
        return []
    return [{"url": entry} for entry in entries] if name == "urls" else entries


class _Refers(NamedTuple):
    """What an item refers to: as it is stored, what is equal of all that refer to the same, its bucket, and the file if it is
    known by now.
    """

    ref: str
    identity: str
    bucket: int
    file: File | None = None


class _Reader:
    """Reads items in order, remembering the custom_ids so far with where and for what they were used.

    `place` is what faults call them: the name of their array, or "line".
    """

    def __init__(self, settings: Settings, faults: Faults, place: str, unsent: UnsentFiles | None = None) -> None:
        self._place, self._unsent = place, unsent
        self._own = OwnReader(settings, faults)
        self._max_url = settings.max_url_bytes
        self._max_id = settings.max_custom_id_bytes
        self._faults = faults
        self._ids: dict[str, tuple[int, str]] = {}
        self._times: Counter[str] = Counter()  # how often the same came without a custom_id

    def read_line(self, number: int, line: bytes) -> NewItem | None:
        """One item as a line of JSON, or None when it is blank or has a fault."""
        if len(line) > MAX_LINE:  # a blank one too: it may be cut, and with it what follows
            self._faults.add((self._place, number), f"longer than {MAX_LINE} bytes, the limit of a line", "too_long")
            return None
        if not line.strip():
            return None
        try:
            entry = orjson.loads(line)
        except ValueError as error:
            self._faults.add((self._place, number), f"not valid JSON: {error}", "json_invalid")
            return None
        return self.read(number, entry)

    def read(self, index: int, entry: Any) -> NewItem | None:
        """One item, or None when it has a fault."""
        if type(entry) is not dict:
            self._faults.add((self._place, index), "must be an object with a url or a file_id")
            return None
        before = self._faults.count
        pairs = self._metadata(index, entry.get("metadata"))
        wait = entry.get("wait_before_scraping")
        if wait is not None and (fault := wait_fault(wait)):
            self._faults.add((self._place, index, "wait_before_scraping"), fault)
        own = _NOTHING if OWN.isdisjoint(entry) else self._own.read(entry, (self._place, index))
        refers = self._refers(index, entry)
        custom_id = self._custom_id(index, entry.get("custom_id"))
        if refers is None or custom_id is None:
            return None
        if not custom_id:
            custom_id = self._made_up(refers.identity)
        first = self._ids.setdefault(custom_id, (index, refers.identity))
        if first[1] != refers.identity:
            self._faults.add(
                (self._place, index, "custom_id"),
                f"{self._at(first[0])} and {self._at(index)} have the same custom_id {custom_id[:80]!r} for different URLs or files",
                "duplicate",
            )
            return None
        if self._faults.count > before:
            return None
        return NewItem(refers.ref, refers.bucket, custom_id, pairs, own.options, own.headers, own.price, refers.file)

    def _made_up(self, identity: str) -> str:
        """A custom_id much as the SDK makes them, but of the URL: so that batches can be compared. Another for each time that it
        comes in this request.
        """
        while True:
            made = hashlib.blake2b(f"{self._times[identity]} {identity}".encode(), digest_size=8).hexdigest()
            self._times[identity] += 1
            if (custom_id := f"auto_{made}") not in self._ids:
                return custom_id

    def _at(self, index: int) -> str:
        return path((self._place, index))

    def _refers(self, index: int, entry: dict[str, Any]) -> _Refers | None:
        known = entry.get("file_id") is not None
        if not known and (self._unsent is None or entry.get("file") is None):
            return self._url(index, entry.get("url"))
        for name in FETCHING:
            if entry.get(name) is not None:
                self._faults.add((self._place, index, name), "is for what is fetched, and a file is not")
        if known or self._unsent is None:
            return self._file(index, entry)
        file = self._unsent.read(entry["file"], (self._place, index, "file"))
        return self._to(file.id, index, file) if file else None

    def _url(self, index: int, text: Any) -> _Refers | None:
        loc = (self._place, index) if self._place == "urls" else (self._place, index, "url")
        if type(text) is not str:
            self._faults.add(loc, "is required, as a string", "missing" if text is None else "type")
            return None
        try:
            parsed = read_url(text, self._max_url)
        except url.InvalidUrl as error:
            self._faults.add(loc, str(error))
            return None
        return _Refers(text, parsed.href, url.bucket(parsed.host))

    def _file(self, index: int, entry: dict[str, Any]) -> _Refers | None:
        """Whether there is such a file is for whoever asks the database."""
        value = entry["file_id"]
        fault = None
        if type(value) is not str:
            fault = f"must be a string, not {kind_of(value)}"
        elif not _FILE_ID.fullmatch(value):
            fault = f"{value[:40]!r} is not the id of a file"
        elif entry.get("url") is not None:
            fault = "stands beside a url; an item has one of the two"
        if fault:
            self._faults.add((self._place, index, "file_id"), fault)
            return None
        return self._to(UUID(value), index)

    def _to(self, file_id: UUID, index: int, file: File | None = None) -> _Refers:
        ref = refs.of_file(file_id)
        return _Refers(ref, ref, refs.file_bucket(index), file)

    def _custom_id(self, index: int, value: Any) -> str | None:
        """The custom_id as text, "" when there is none, None for a fault."""
        if value is None:
            return ""
        if type(value) is int:
            return str(value)
        if type(value) is float and value.is_integer() and MIN_ID <= value <= MAX_ID:  # 743.0, an integer in JSON
            return str(int(value))
        fault = None
        if type(value) is not str:
            fault = "must be a string, or an integer of 64 bits at most"
        elif "\0" in value:
            fault = "must not contain NUL characters"
        elif too_long(value, self._max_id):
            fault = f"{len(value.encode())} bytes; the limit is {self._max_id}"
        if fault:
            self._faults.add((self._place, index, "custom_id"), fault)
            return None
        return str(value)

    def _metadata(self, index: int, value: Any) -> dict[str, str] | None:
        if value is None:
            return None
        try:
            return metadata.clean(value, path((self._place, index, "metadata"))) or None
        except Problem as problem:
            self._faults.add_problem((self._place, index, "metadata"), problem)
            return None
