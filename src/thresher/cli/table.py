"""Rows on standard output: a table on a terminal, elsewhere a line a row, its cells separated by tabs."""

import sys
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING

from thresher.cli.terminal import harmless, put

if TYPE_CHECKING:
    from rich.text import Text


def write(rows: "Sequence[Sequence[str | Text]]", header: Sequence[str] = ()) -> None:
    """Print the header, if there is one, and the rows. Text may have colours, and has no control characters."""
    if sys.stdout is None or not sys.stdout.isatty():
        for row in (header, *rows) if header else rows:
            put("\t".join(harmless(str(cell)) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, show_header=bool(header), pad_edge=False)
    columns = len(rows[0])
    for number in range(columns):
        # Only the last is folded where the terminal is narrow: an id is of use as a whole.
        table.add_column(header[number] if header else "", no_wrap=number < columns - 1, overflow="fold")
    for row in rows:
        table.add_row(
            *(Text(harmless(cell)) if isinstance(cell, str) else cell for cell in row)
        )  # a str would be markup
    Console().print(table)


def day(time: datetime | None) -> str:
    """A moment as a cell."""
    return "-" if time is None else f"{time:%Y-%m-%d %H:%M} UTC"
