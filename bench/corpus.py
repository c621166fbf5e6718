"""The pages that an origin serves: those of a folder, or made ones. Each is its gzip bytes.

Knows nothing of URLs or sockets.
"""

import gzip
from pathlib import Path

from bench import generated

MADE_PAGES = 100
_LEVEL = 6  # what web servers use


def pages(folder: Path | None, median_bytes: int = generated.MEDIAN_BYTES) -> list[bytes]:
    """The pages of FOLDER/pages or FOLDER (`*.html.gz` and `*.html`), or 100 made ones. Raises ValueError for none."""
    if folder is None:
        return [_zipped(generated.page(seed, median_bytes).encode()) for seed in range(MADE_PAGES)]
    for place in (folder / "pages", folder):
        files = sorted([*place.glob("*.html.gz"), *place.glob("*.html")])
        if files:
            return [file.read_bytes() if file.suffix == ".gz" else _zipped(file.read_bytes()) for file in files]
    raise ValueError(f"{folder} has no *.html.gz and no *.html, nor has {folder / 'pages'}")


def _zipped(page: bytes) -> bytes:
    return gzip.compress(page, _LEVEL, mtime=0)
