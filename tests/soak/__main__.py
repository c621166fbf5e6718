"""`python -m tests.soak [--rounds 5] [--pages 1000]`: fails with what has grown, or was left, or came without a name."""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

from tests.soak.soak import run


def main() -> int:
    parser = argparse.ArgumentParser(prog="make soak")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--pages", type=int, default=1000, help="in a round")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="thresher-soak-") as folder:
        _, wrong = asyncio.run(run(Path(folder) / "data", wanted.rounds, wanted.pages))
    print("\n".join(wrong) or f"{wanted.rounds * wanted.pages} pages: nothing grows, nothing is left")
    return 1 if wrong else 0


sys.exit(main())
