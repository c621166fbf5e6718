"""The items of a create request: the hot part of its validation, one pass over up to a million of them."""

import secrets
from collections.abc import Container
from typing import Any

from thresher.api.olostep.faults import Faults
from thresher.api.olostep.urls import read_url, too_long
from thresher.domain import metadata, url
from thresher.domain.problem import Problem
from thresher.settings import Settings
from thresher.storage.batches import NewItem


def read_items(request: dict[str, Any], settings: Settings, faults: Faults) -> list[NewItem]:
    """The items, from `items` or from the alias `urls`. Faults are added; the result counts only if there are none."""
    entries = _entries(request, settings.max_items, faults)
    reader = _Reader(settings, faults)
    return [item for index, entry in enumerate(entries) if (item := reader.read(index, entry)) is not None]


def _entries(request: dict[str, Any], limit: int, faults: Faults) -> list[Any]:
    name = "urls" if request.get("items") is None and request.get("urls") is not None else "items"
    entries = request.get(name)
    if entries is None:
        faults.add((name,), "is required: an array of objects with a url", "missing")
        return []
    if not isinstance(entries, list):
        faults.add((name,), "must be an array")
        return []
    if not entries:
        faults.add((name,), "must not be empty")
    if len(entries) > limit:
        faults.add((name,), f"{len(entries)} items; the limit of one request is {limit}", "too_long")
        return []
    return [{"url": entry} for entry in entries] if name == "urls" else entries


class _Reader:
    """Reads items in order, remembering the custom_ids so far with where and for which URL they were used."""

    def __init__(self, settings: Settings, faults: Faults) -> None:
        self._max_url = settings.max_url_bytes
        self._max_id = settings.max_custom_id_bytes
        self._faults = faults
        self._ids: dict[str, tuple[int, str]] = {}

    def read(self, index: int, entry: Any) -> NewItem | None:
        """One item, or None when it has a fault."""
        if type(entry) is not dict:
            self._faults.add(("items", index), "must be an object with a url")
            return None
        pairs = self._metadata(index, entry.get("metadata"))
        ref: Any = entry.get("url")
        parsed = self._url(index, ref)
        custom_id = self._custom_id(index, entry.get("custom_id"))
        if parsed is None or custom_id is None:
            return None
        if not custom_id:
            custom_id = _made_up(self._ids)
        first = self._ids.setdefault(custom_id, (index, parsed.href))
        if first[1] != parsed.href:
            self._faults.add(
                ("items", index, "custom_id"),
                f"items[{first[0]}] and items[{index}] have the same custom_id {custom_id[:80]!r} for different URLs",
                "duplicate",
            )
            return None
        return NewItem(ref, url.bucket(parsed.host), custom_id, pairs)

    def _url(self, index: int, text: Any) -> url.Url | None:
        if type(text) is not str:
            self._faults.add(("items", index, "url"), "is required, as a string", "missing" if text is None else "type")
            return None
        try:
            return read_url(text, self._max_url)
        except url.InvalidUrl as error:
            self._faults.add(("items", index, "url"), str(error))
            return None

    def _custom_id(self, index: int, value: Any) -> str | None:
        """The custom_id as text, "" when there is none, None for a fault."""
        if value is None:
            return ""
        if type(value) is int:
            return str(value)
        fault = None
        if type(value) is not str:
            fault = "must be a string or an integer"
        elif "\0" in value:
            fault = "must not contain NUL characters"
        elif too_long(value, self._max_id):
            fault = f"{len(value.encode())} bytes; the limit is {self._max_id}"
        if fault:
            self._faults.add(("items", index, "custom_id"), fault)
            return None
        return str(value)

    def _metadata(self, index: int, value: Any) -> dict[str, str] | None:
        if value is None:
            return None
        try:
            return metadata.clean(value, f"items[{index}].metadata") or None
        except Problem as problem:
            self._faults.add_problem(("items", index, "metadata"), problem)
            return None


def _made_up(taken: Container[str]) -> str:
    """A custom_id much as the SDK makes them, longer, so that those of a million items in several requests differ."""
    while (made := "auto_" + secrets.token_hex(8)) in taken:
        pass
    return made
