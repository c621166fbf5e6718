"""The receiving end of a connection: aiohttp's parser, made to take what browsers take and to say what it refuses.

A head that the parser refuses is looked at again, repaired (net/repair.py); what comes behind a whole answer is
nobody's; an answer that is mostly framing is broken off. Knows nothing of requests, redirects or failure codes.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from aiohttp import ClientPayloadError, StreamReader
from aiohttp.client_proto import ResponseHandler
from aiohttp.http_exceptions import BadHttpMessage, BadStatusLine, HttpProcessingError, LineTooLong
from aiohttp.http_parser import RawResponseMessage

from thresher.net.repair import head_and_rest, may_end, repaired

# Bytes of heads, chunk sizes and trailers that one answer may have beside as many bytes as its body. Without a bound,
# endless 100s, chunk extensions or one-byte chunks would keep the event loop busy until the attempt's timeout.
MAX_FRAMING = 2**20

_Messages = Sequence[tuple[RawResponseMessage, StreamReader]]
_Parsed = tuple[_Messages, bool, bytes]
_BANNER = 40  # bytes of something else than HTTP that are quoted


class Malformed(BadHttpMessage):
    """An answer that is not valid HTTP; the message says why, for a person, as the end of a sentence."""


class BrokenOff(ClientPayloadError):
    """A connection that ended within an answer, or whose answer broke its own rules; the message is a clause."""


class Receiver(ResponseHandler):
    """The protocol of one connection, made by the connector."""

    _answer: "_Answer | None" = None

    def set_response_params(self, **params: Any) -> None:
        """Called by aiohttp before each request."""

        def parser() -> Any:
            super(Receiver, self).set_response_params(**params)
            made, self._parser = self._parser, self._answer  # type: ignore[assignment]  # it has what aiohttp calls
            return made

        self._answer = None
        self._parser = self._answer = _Answer(parser, self.force_close)  # type: ignore[assignment]

    def connection_lost(self, exc: BaseException | None) -> None:
        """Called by the transport. A reset is no end: aiohttp takes a body without a length for complete then."""
        if self._answer is not None and self._answer.under_way:
            how = "closed" if exc is None else "reset"
            if self._answer.body is None:
                self.set_exception(BrokenOff(f"the server {how} the connection before its answer was complete"))
            elif exc is not None:
                self._answer.body.set_exception(BrokenOff("the server reset the connection"))
        super().connection_lost(exc)
        self._answer = None


class _Answer:
    """The parser of one answer, with the interface of aiohttp's. `again` makes another for the same request."""

    def __init__(self, again: Callable[[], Any], force_close: Callable[[], None]) -> None:
        self.body: StreamReader | None = None  # None until the head is complete; 1xx do not count
        self._again, self._force_close = again, force_close
        self._parser = again()
        self._head = bytearray()  # what has come of a head that is not complete
        self._refused: HttpProcessingError | None = None  # what the parser had against that
        self._wire = 0

    @property
    def under_way(self) -> bool:
        """Whether something of the answer has come, and not all."""
        return self._wire > 0 and (self.body is None or not self.body.is_eof())

    def feed_data(self, data: bytes) -> _Parsed:
        """What has come, parsed. Raises Malformed, after which the connection is of no use."""
        body = self.body
        if data:
            if body is not None and body.is_eof():
                raise Malformed("data that nobody asked for came behind the answer")
            self._wire += len(data)
            if self._wire > MAX_FRAMING + 2 * (body.total_bytes if body is not None else 0):
                if self._refused is not None and body is None:
                    raise _in_words(self._refused, self._head)
                raise self._refuse(Malformed(f"it has more than {MAX_FRAMING} bytes around its body"))
        if body is None and self._refused is not None:
            return self._second_look(data, self._refused)
        try:
            found: _Parsed = self._parser.feed_data(data)
        except HttpProcessingError as error:
            if body is None:
                return self._second_look(data, error)
            if body.is_eof():  # the answer is whole; what came behind it is nobody's
                raise
            raise self._refuse(_in_words(error, b"")) from error
        if body is None:
            self._begin(found[0])
            if self.body is None:
                self._head += data
        return found

    def feed_eof(self) -> Any:
        """The connection has ended."""
        return self._parser.feed_eof()

    def pause_reading(self) -> None:
        """Called by a body whose reader is behind."""
        self._parser.pause_reading()

    def _begin(self, messages: Iterable[tuple[RawResponseMessage, StreamReader]]) -> None:
        for message, body in messages:
            if message.code >= 200 or message.code in (0, 101):
                self.body = body
                return

    def _refuse(self, error: Malformed) -> Malformed:
        """The same error for whoever waits for the body: aiohttp would leave him waiting."""
        if self.body is not None:
            self.body.set_exception(BrokenOff(str(error.message)))
        return error

    def _second_look(self, data: bytes, error: HttpProcessingError) -> _Parsed:
        """The head by itself and repaired, once all of it is there, then what follows.

        In one go, what is wrong behind a page loses the page.
        """
        self._refused, seen = error, len(self._head)
        self._head += data
        messages: list[tuple[RawResponseMessage, StreamReader]] = []
        if not may_end(self._head, seen):
            if isinstance(error, BadStatusLine | LineTooLong) or not _is_http(self._head):
                raise _in_words(error, self._head) from error
            return messages, False, b""
        rest = bytes(self._head)
        while self.body is None:
            head, rest = head_and_rest(rest)
            if not head:
                break
            self._parser = self._again()
            try:
                messages += self._parser.feed_data(repaired(head))[0]
            except HttpProcessingError as still:
                raise _in_words(still, head) from error
            self._begin(messages)
        self._head = bytearray(rest)
        if self.body is not None:
            self._force_close()
            self._feed_body(rest)
        return messages, False, b""

    def _feed_body(self, data: bytes) -> None:
        """What came with a repaired head. What is wrong with it is said to whoever reads the body."""
        if self.body is None or self.body.is_eof() or not data:
            return
        try:
            self._parser.feed_data(data)
        except HttpProcessingError as broken:
            if not self.body.is_eof():
                self._refuse(_in_words(broken, b""))


def _is_http(data: bytes | bytearray) -> bool:
    start = data.lstrip(b"\r\n")[:_BANNER]
    return start.startswith(b"HTTP/"[: len(start)])


def _in_words(error: HttpProcessingError, data: bytes | bytearray) -> Malformed:
    if isinstance(error, Malformed):
        return error
    if not _is_http(data):
        line = data.lstrip(b"\r\n")[:_BANNER].splitlines()[0].decode("latin-1")
        return Malformed(f"it is not HTTP and begins with {line!r}")
    if isinstance(error, LineTooLong):
        return Malformed("a line of its head is too long")
    if isinstance(error, BadStatusLine):
        return Malformed("its status line is not one")
    return Malformed(error.message.partition("\n")[0].strip(" :"))
