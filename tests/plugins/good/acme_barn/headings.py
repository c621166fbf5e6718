import re
from typing import Any

from thresher.plugin import NoMatch, Page

HEADING = re.compile(r"<h[1-6][^>]*>([^<]+)")


def parse(page: Page) -> dict[str, Any]:
    headings = HEADING.findall(page.html)
    if not headings:
        raise NoMatch("The page has no headings.")
    return {"headings": headings}
