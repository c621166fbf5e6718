"""Links to calendars and bookings: of services that are known by their hosts, and of files and subscriptions."""

import re
from collections.abc import Iterator
from typing import Any

from thresher.convert.parsers.page import Page, name_of

# Where customers have paths of their own: not the front page, nor those about the service.
_OWN = r"(?!(?:pricing|about|legal|privacy|terms|blog|help|log-?in|sign-?up|features|product|integrations)\b)\w"

# How the URLs of each begin, behind the scheme.
_PROVIDERS: dict[str, str] = {
    "google": r"calendar\.google\.com/|(?:www\.)?google\.com/calendar/|calendar\.app\.google/",
    "outlook": r"outlook\.(?:live|office|office365)\.com/(?:calendar|owa/calendar|book|bookwithme|bookings)|book\.ms/|bookings\.cloud\.microsoft/",
    "yahoo": r"calendar\.yahoo\.com/",
    "icloud": r"[\w-]+\.icloud\.com/published/",
    "calendly": r"calendly\.com/" + _OWN,
    "cal.com": r"(?:app\.)?cal\.com/" + _OWN,
    "acuity": r"[\w-]+\.acuityscheduling\.com/|acuityscheduling\.com/schedule|[\w-]+\.as\.me/",
    "hubspot": r"meetings[\w-]*\.hubspot\.com/" + _OWN,
    "savvycal": r"savvycal\.com/" + _OWN,
    "youcanbookme": r"[\w-]+\.youcanbook\.me/",
    "doodle": r"doodle\.com/(?:bp|mm|poll|meeting)",
    "tidycal": r"tidycal\.com/" + _OWN,
    "zcal": r"zcal\.co/" + _OWN,
    "koalendar": r"koalendar\.com/" + _OWN,
    "simplybook": r"[\w-]+\.simplybook\.(?:me|it|pro)/",
    "setmore": r"(?:[\w-]+|booking)\.setmore\.com/",
    "square": r"book\.squareup\.com/|squareup\.com/appointments/",
    "appointlet": r"appt\.link/|[\w-]+\.appointlet\.com/",
    "oncehub": r"(?:go|meetme|secure)\.(?:oncehub|scheduleonce)\.com/|meetme\.so/",
    "chilipiper": r"[\w-]+\.chilipiper\.com/",
    "picktime": r"(?:www\.)?picktime\.com/" + _OWN,
    "zoho": r"[\w-]+\.zohobookings\.(?:com|eu|in)/",
    "teamup": r"teamup\.com/" + _OWN,
    "addevent": r"(?:www\.)?addevent\.com/|evt\.to/",
    "luma": r"(?:lu\.ma|luma\.com)/" + _OWN,
    "motion": r"app\.usemotion\.com/meet",
    "reclaim": r"app\.reclaim\.ai/m/",
    "fantastical": r"fantastical\.app/" + _OWN,
    "timely": r"book(?:ings)?\.gettimely\.com/",
    "timetree": r"timetreeapp\.com/" + _OWN,
    "vagaro": r"(?:www\.)?vagaro\.com/" + _OWN,
    "booksy": r"booksy\.com/" + _OWN,
    "microsoft": r"(?:www\.)?microsoft\.com/.{0,40}/bookings",
    "trafft": r"[\w-]+\.trafft\.com/",
    "wix": r"bookings\.wix\.com/",
}
_KNOWN = re.compile(
    r"(?:https?|webcals?)://(?:" + "|".join(f"(?P<p{n}>{form})" for n, form in enumerate(_PROVIDERS.values())) + ")",
    re.IGNORECASE,
)
_NAMES = tuple(_PROVIDERS)
_FILE = re.compile(r"webcals?:|https?://[^?#]*\.(?:ics|ical|ifb)(?:[?#]|$)", re.IGNORECASE)


def parse(page: Page) -> dict[str, Any]:
    """{calendars: [{url, provider, text}]}"""
    found: dict[str, dict[str, str]] = {}
    for url, text in _references(page):
        if (provider := provider_of(url)) is not None:
            found.setdefault(url, {"url": url, "provider": provider, "text": text})
    return {"calendars": [*found.values()]}


def _references(page: Page) -> Iterator[tuple[str, str]]:
    """Targets of links, and what is embedded."""
    for element, target in page.anchors():
        yield target, name_of(element)
    for element in page.tree.select("iframe[src], iframe[data-src], link[type='text/calendar' i][href], [data-url]"):
        reference = element.attr("src") or element.attr("data-src") or element.attr("href") or element.attr("data-url")
        if reference and (embedded := page.resolver.resolve(reference)):
            yield embedded, ""


def provider_of(url: str) -> str | None:
    """Whose calendar a URL is, if it is one."""
    if (known := _KNOWN.match(url)) and known.lastgroup:
        return _NAMES[int(known.lastgroup[1:])]
    return "ics" if _FILE.match(url) else None
