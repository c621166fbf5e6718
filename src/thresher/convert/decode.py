"""Content codings undone under a cap: from the bytes that came over the wire to those of the document.

Used by the converter child, for robots.txt, and by whoever shows a stored body again. Knows no charsets.
"""

from thresher.convert.inflate import DECODERS, Bomb, Broken
from thresher.domain.failure import FailureCode, ItemFailed

MAX_CODINGS = 3  # a chain longer than this has no honest use


def decode_body(body: bytes, content_encoding: str | None, limit: int) -> bytes:
    """Undo the Content-Encoding. `limit` is in bytes and holds after each coding of a chain.

    Raises ItemFailed: `decompression_bomb` beyond the limit, `bad_encoding` for an unknown coding, a chain of more
    than three, and a stream that is damaged or ends early. An empty body is empty in any coding.
    """
    codings = [name.strip().lower() for name in (content_encoding or "").split(",")]
    codings = [name for name in codings if name not in ("", "identity")]
    if len(codings) > MAX_CODINGS:
        raise ItemFailed(FailureCode.BAD_ENCODING, f"{len(codings)} content codings on top of each other")
    for name in reversed(codings):
        decoder = DECODERS.get(name)
        if decoder is None:
            raise ItemFailed(FailureCode.BAD_ENCODING, f"unknown content coding {name[:40]!r}")
        if not body:
            break
        try:
            body = decoder(body, limit)
        except Bomb:
            raise ItemFailed(
                FailureCode.DECOMPRESSION_BOMB, f"the body decompresses to more than {limit} bytes"
            ) from None
        except Broken as error:
            raise ItemFailed(FailureCode.BAD_ENCODING, f"not a {name} stream: {error}") from None
    if len(body) > limit:
        raise ItemFailed(FailureCode.DECOMPRESSION_BOMB, f"the body has more than {limit} bytes")
    return body
