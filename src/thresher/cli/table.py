"""Rows on standard output: a table on a terminal, elsewhere a line a row, its cells separated by tabs."""

import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.text import Text


def write(rows: "Sequence[Sequence[str | Text]]", header: Sequence[str] = ()) -> None:
    """Print the header, if there is one, and the rows. Text may have colours; no cell has tabs or line breaks."""
    if not sys.stdout.isatty():
        for row in (header, *rows) if header else rows:
            print("\t".join(str(cell) for cell in row))
        return
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*header, box=None, show_header=bool(header), pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell) if isinstance(cell, str) else cell for cell in row))  # a str would be markup
    Console().print(table)
