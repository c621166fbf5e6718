"""Links to profiles on social networks, told by their hosts. Buttons to share the page are no profiles."""

import re
from collections.abc import Iterator
from typing import Any

import ada_url

from thresher.convert.metadata import json_ld
from thresher.convert.parsers.page import Page

# By registered names: www, m and country names before them count as well.
_NETWORKS: dict[str, tuple[str, ...]] = {
    "facebook": ("facebook.com", "fb.com", "fb.me"),
    "instagram": ("instagram.com",),
    "x": ("x.com", "twitter.com"),
    "linkedin": ("linkedin.com",),
    "youtube": ("youtube.com",),
    "tiktok": ("tiktok.com",),
    "pinterest": ("pinterest.com", "pinterest.de", "pinterest.fr", "pinterest.co.uk", "pinterest.es", "pinterest.it"),
    "snapchat": ("snapchat.com",),
    "reddit": ("reddit.com",),
    "threads": ("threads.net", "threads.com"),
    "bluesky": ("bsky.app",),
    "telegram": ("t.me", "telegram.me"),
    "whatsapp": ("wa.me", "chat.whatsapp.com", "whatsapp.com"),
    "discord": ("discord.gg", "discord.com"),
    "github": ("github.com",),
    "gitlab": ("gitlab.com",),
    "medium": ("medium.com",),
    "twitch": ("twitch.tv",),
    "vimeo": ("vimeo.com",),
    "tumblr": ("tumblr.com",),
    "flickr": ("flickr.com",),
    "soundcloud": ("soundcloud.com",),
    "spotify": ("open.spotify.com",),
    "xing": ("xing.com",),
    "vk": ("vk.com",),
    "weibo": ("weibo.com",),
    "line": ("line.me",),
}
_BY_HOST = {host: network for network, hosts in _NETWORKS.items() for host in hosts}

# First segments of paths, and of queries, that share, log in, or explain the network itself.
_NO_PROFILE = re.compile(
    r"/(?:share\w*|sharer\.php|sharing|intent|dialog|plugins|hashtag|search|login|signup|submit|pin/create|tr|home|watch|embed|"
    r"oauth|explore|policy|policies|privacy|legal|terms|tos|help|about|settings|groups/share|cws/share|r/share|"
    r"sharearticle|uas|widgets?|iframe_api|player|r/msg|p|reel|status|tag|topics|app/user)(?:[/?#]|$)|/[^?#]*/(?:status(?:es)?|comments|posts|photos|videos)/|[^?#]*http|(?:/send)?/?\?text=|[^#]*[?&](?:u|url)=",
    re.IGNORECASE,
)
_MASTODON = re.compile(r"https://[^/]+/@\w+/?")


def parse(page: Page) -> dict[str, Any]:
    """{socials: {network: [urls]}}"""
    found: dict[str, dict[str, str]] = {}
    for url, is_me in _urls(page):
        if network := network_of(url, is_me=is_me):
            found.setdefault(network, {}).setdefault(_same(url), url)
    return {"socials": {network: [*urls.values()] for network, urls in found.items()}}


def _same(url: str) -> str:
    """What two spellings of one profile have in common: a query counts only where it is asked of a script."""
    parts = ada_url.parse_url(url.lower())
    path: str = parts["pathname"].rstrip("/")
    return (
        str(parts["hostname"]).removeprefix("www.")
        + path
        + (parts["search"] if path.endswith((".php", "playlist")) else "")
    )


def _urls(page: Page) -> Iterator[tuple[str, bool]]:
    """Candidates, and whether the page says that they are its author's own."""
    for element in page.tree.select("a[href], area[href], link[rel~=me i][href]"):
        if url := page.web(element.attr("href")):
            yield url, "me" in (element.attr("rel") or "").lower().split()
    for value in json_ld(page.tree):
        for reference in _same_as(value):
            if url := page.web(reference):
                yield url, False


def network_of(url: str, *, is_me: bool = False) -> str | None:
    """Whose profile a URL is. Of Mastodon, which is everywhere, only what a page calls its own."""
    parts = ada_url.parse_url(url)
    name: str = parts["hostname"]
    network = _BY_HOST.get(name)
    while network is None and "." in name:
        name = name.partition(".")[2]
        network = _BY_HOST.get(name)
    if network is None:
        return "mastodon" if is_me and _MASTODON.fullmatch(url) else None
    path = parts["pathname"] + parts["search"]
    return network if path.strip("/") and not _NO_PROFILE.match(path) else None


def _same_as(value: Any) -> Iterator[str]:
    stack = [value]
    while stack:
        one = stack.pop()
        if isinstance(one, dict):
            same = one.get("sameAs")
            yield from (text for text in (same if isinstance(same, list) else [same]) if isinstance(text, str))
            stack += one.values()
        elif isinstance(one, list):
            stack += one
