"""Running heads and feet of a PDF's pages, told from one another. The library leaves out both or neither: so a page is looked

at with them and without, and what it has before the rest is its head, what it has behind it its foot.
"""

from dataclasses import replace

from thresher.convert.document import DocumentPage
from thresher.domain.documents import DocumentOptions


def matter(options: DocumentOptions) -> bool:
    """Whether a page without both is of use: else it is shown with both, or with neither."""
    if options.hide_headers and options.hide_footers:
        return False
    around = (*options.around_header, *options.around_footer)
    return options.hide_headers or options.hide_footers or any(around)


def shown(page: DocumentPage, body: DocumentPage, options: DocumentOptions) -> DocumentPage:
    """The page with its head and its foot as they were asked for; `body` is the page without both.

    As it is where they cannot be told apart. Its text has them in any case.
    """
    if not (page.items and body.items and body.markdown):
        return page
    length = len(body.items)
    starts = range(len(page.items) - length + 1)
    start = next((n for n in starts if page.items[n : n + length] == body.items), None)
    head, found, foot = f"\n\n{page.markdown}\n\n".partition(f"\n\n{body.markdown}\n\n")
    if start is None or not found:
        return page
    parts = [
        "" if options.hide_headers else _between(options.around_header, head.strip()),
        body.markdown,
        "" if options.hide_footers else _between(options.around_footer, foot.strip()),
    ]
    first, end = start if options.hide_headers else 0, start + length if options.hide_footers else None
    return replace(page, markdown="\n\n".join(filter(None, parts)), items=page.items[first:end])


def _between(around: tuple[str, str], said: str) -> str:
    return f"{around[0]}{said}{around[1]}" if said else ""
