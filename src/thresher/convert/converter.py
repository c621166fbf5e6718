"""What converts: a child for pages, and from the first document on one for documents, so that these delay and harm no page.

A document takes minutes where a page has seconds, and its libraries 1.3 GB of address space: hence limits and a child of
its own. Which of the two a body is for is the first one's to say, as it is the one that looks into it; but for files whose
first bytes say it already.
"""

import asyncio
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from thresher.convert.document import How, Source
from thresher.convert.documents.made import Bounds
from thresher.convert.process import Limits
from thresher.convert.sandbox import Converted, Elsewhere, Sandbox
from thresher.settings import Settings

_PLAIN = How()
_LARGE_FILE = 2**18  # bytes: of text, what is converted in some ten milliseconds
# How files begin that are documents, or else nothing that is converted: PDF, packages, older Office, RTF.
_SIGNED = (b"%PDF-", b"PK\3\4", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", b"{\\rtf")


@dataclass(frozen=True, slots=True)
class DocumentLimits:
    """Of the child for documents: seconds, processor seconds, bytes beyond its start, bytes of a file; and the bounds of one document."""

    timeout: float = 300.0
    cpu_seconds: float = 240.0
    memory_bytes: int = 2**31
    max_bytes: int = 2**27
    bounds: Bounds = field(default_factory=Bounds)


class Converter:
    """Converts one page and one document at a time. Belongs to one event loop.

    `timeout` is in seconds for one page, from the moment the child can begin with it; `cpu_seconds` are those of
    the processor, as many unless told; the rest are bytes.
    """

    def __init__(
        self,
        *,
        timeout: float,
        memory_bytes: int,
        max_decoded_bytes: int,
        max_output_bytes: int,
        cpu_seconds: float | None = None,
        documents: DocumentLimits | None = None,
    ) -> None:
        own = documents or DocumentLimits()
        largest = max(max_decoded_bytes, own.max_bytes)
        self._pages = Sandbox(
            timeout, Limits(cpu_seconds or timeout, memory_bytes, max_decoded_bytes, max_output_bytes)
        )
        limits = Limits(own.cpu_seconds, own.memory_bytes, largest, max_output_bytes)
        self._documents = Sandbox(own.timeout, limits, own.bounds)
        self._largest_page = max_decoded_bytes

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """As the operator wants it."""
        installed = Path(sys.prefix) / "share/tessdata"
        data = settings.ocr_data or (installed if installed.is_dir() else None)
        bounds = Bounds(
            settings.document_max_pages,
            settings.document_max_unpacked_bytes,
            settings.document_max_parts,
            str(data.absolute()) if data else "",
        )
        return cls(
            timeout=settings.convert_timeout,
            cpu_seconds=settings.convert_cpu_seconds,
            memory_bytes=settings.convert_memory_bytes,
            max_decoded_bytes=settings.max_decoded_bytes,
            max_output_bytes=settings.max_output_bytes,
            documents=DocumentLimits(
                settings.document_timeout,
                settings.document_cpu_seconds,
                settings.document_memory_bytes,
                settings.document_max_bytes,
                bounds,
            ),
        )

    @property
    def pid(self) -> int | None:
        """The process id of the child for pages, if one lives."""
        return self._pages.pid

    @property
    def documents_pid(self) -> int | None:
        """The process id of the child for documents, if one lives: none does before the first document."""
        return self._documents.pid

    @property
    def missing(self) -> tuple[str, ...]:
        """What this kernel lacks to confine a child by: "seccomp", "landlock", "memory"."""
        return self._pages.missing

    @property
    def faults(self) -> tuple[str, ...]:
        """Which parsers of packages a child has left out, and why."""
        return self._pages.faults

    async def start(self) -> None:
        """Start the child for pages. Raises SpawnFailed where none can be started."""
        await self._pages.start()
        await self._documents.start(child=False)

    async def convert(self, source: Source, meta: dict[str, Any] | None = None, how: How = _PLAIN) -> Converted:
        """Convert `source`; `meta` (JSON values) goes into the frame's header, and what a parser makes into a part of it.

        Raises ItemFailed with the child's code; `conversion_limit` over time, processor time, memory or output;
        `conversion_failed` if two children died of it. Raises SpawnFailed if no child can be started, RuntimeError if not running.
        """
        if self._is_for_documents(source):
            return await self._documents.convert(source, meta or {}, how)
        try:
            return await self._pages.convert(source, meta or {}, how)
        except Elsewhere:
            return await self._documents.convert(source, meta or {}, how)

    def _is_for_documents(self, source: Source) -> bool:
        """More than the child for pages has room for; or a file that it would send back or that takes it long.

        What a URL has is looked into first: most that is packed there is no document, and needs no second child.
        """
        if source.name is None:
            return len(source.body) > self._largest_page
        return len(source.body) > _LARGE_FILE or source.body.startswith(_SIGNED)

    async def close(self) -> None:
        """End the children and fail what waits. Safe to call twice; no process and no descriptor is left."""
        await asyncio.gather(self._pages.close(), self._documents.close())
