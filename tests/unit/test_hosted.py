"""URLs of contents: the same for an hour, good for as long as was asked for, and nobody else's to make."""

import hashlib
import hmac
from urllib.parse import parse_qs, urlsplit

import pytest

from thresher.domain import hosted

SECRET = bytes(range(32))
ID = "ret_" + "a" * 26
WEEK = 604_800.0


def parts(path: str) -> tuple[str, str, str, str]:
    """(id, file, expires, signature) of a URL."""
    split = urlsplit(path)
    query = parse_qs(split.query)
    _, _, _, retrieve_id, name = split.path.split("/")
    return retrieve_id, name, query["expires"][0], query["signature"][0]


def test_a_url_that_was_made_is_genuine_and_its_signature_can_be_made_by_hand() -> None:
    for format_, file in hosted.FILES.items():
        made = parts(hosted.path(SECRET, ID, format_, 1_700_000_000.5, WEEK))
        assert made[:2] == (ID, file.name)
        assert hosted.is_genuine(SECRET, made[:2], *made[2:])
        assert made[3] == hmac.new(SECRET, "\n".join(made[:3]).encode(), hashlib.sha256).hexdigest()


@pytest.mark.parametrize("seconds", [0.5, 1.0, 60.0, 3600.0, 86_400.0, WEEK])
def test_a_url_is_good_for_what_was_asked_and_hardly_longer(seconds: float) -> None:
    for now in (1_700_000_000.0, 1_700_001_234.9, 1_700_003_599.999):
        good = int(parts(hosted.path(SECRET, ID, "html", now, seconds))[2]) - now
        assert seconds <= good <= seconds + max(1, min(3600, seconds / 8))


def test_a_url_stays_the_same_between_two_full_hours() -> None:
    start = 1_699_999_200  # a full hour
    urls = [hosted.path(SECRET, ID, "html", start + after, WEEK) for after in (1, 1800, 3600, 3601)]
    assert urls[0] == urls[1] == urls[2] != urls[3]


def test_nothing_else_is_genuine() -> None:
    whole = parts(hosted.path(SECRET, ID, "html", 1_700_000_000, WEEK))
    odd = (
        "",
        "x",
        "é",
        "\0",
        "\ud800",
        "9" * 40,
        whole[0] + "\n",
        "markdown.md",
        str(int(whole[2]) + 1),
        whole[3].upper(),
    )
    for place in range(4):
        for text in odd:
            other = (*whole[:place], text, *whole[place + 1 :])
            assert not hosted.is_genuine(SECRET, other[:2], *other[2:]), (place, text)
    assert not hosted.is_genuine(SECRET[::-1], whole[:2], *whole[2:])
