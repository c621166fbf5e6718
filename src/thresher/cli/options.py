"""Flags that several commands share, spelled and explained once."""

from pathlib import Path
from typing import Annotated

import typer

DataDirectory = Annotated[Path | None, typer.Option("--data-dir", help="Folder of the database and of the results.")]
# What it does to errors is seen to by cli/main.py, because a command line that cannot be parsed has errors too.
Json = Annotated[bool, typer.Option("--json", help="Write JSON: data on standard output, an error on standard error.")]
