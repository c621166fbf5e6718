"""Tables as rows of texts. Tables that only lay a page out are passed over."""

from typing import Any

from turbohtml import Element

from thresher.convert.parsers.page import Page, tidy

# One that says so, or has other tables in it.
_LAYOUT = '[role="presentation" i], [role="none" i], :has(table)'


def parse(page: Page) -> dict[str, Any]:
    """{tables: [{caption, header, rows}]}"""
    tables = (_table(element) for element in page.tree.select(f"table:not({_LAYOUT})"))
    return {"tables": [table for table in tables if table["header"] or table["rows"]]}


def _table(table: Element) -> dict[str, Any]:
    rows = [[tidy(cell) for cell in row] for row in table.rows()]
    heads = _heads(table)
    header = [" ".join(dict.fromkeys(filter(None, column))) for column in zip(*rows[:heads], strict=True)]
    caption = table.select_one("caption")
    return {
        "caption": tidy(caption.text) or None if caption is not None else None,
        "header": header if any(header) else [],
        "rows": [row for row in rows[heads:] if any(row)],
    }


def _heads(table: Element) -> int:
    """How many rows from the top are the header: those of thead, else those of nothing but header cells."""
    rows = table.select("tr")
    count = 0
    for row in rows:
        parent = row.parent
        in_head = isinstance(parent, Element) and parent.tag == "thead"
        if not in_head and (row.select_one("td") is not None or row.select_one("th") is None):
            break
        count += 1
    return count if count < len(rows) or table.select_one("thead") is not None else 0
