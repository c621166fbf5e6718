"""`make fuzz`: the application against its own document, for as long as one likes."""

import argparse
import asyncio
import logging
import os
import secrets
import sys
import tempfile
from pathlib import Path

from tests.conformance.fuzz import Report, run
from tests.conformance.rules import configuration
from tests.conformance.stage import staged
from tests.support.postgres import TestServer, fresh


async def _fuzz(seed: int, examples: int, seconds: int) -> Report:
    server = TestServer(os.environ.get("THRESHER_TEST_DATABASE_URL"))
    await server.start()
    try:
        with tempfile.TemporaryDirectory(prefix="thresher-fuzz-") as folder:
            async with fresh(server.url, server.template) as url, staged(url, Path(folder)) as stage:
                settings = configuration(
                    stage.key, stage.ids, stage.signed, seed=seed, examples=examples, steps=8, seconds=seconds
                )
                return await asyncio.to_thread(run, stage.app, settings)
    finally:
        await server.stop()


def main() -> int:
    """1 if anything was found, which is printed."""
    parser = argparse.ArgumentParser(prog="make fuzz", description=__doc__)
    parser.add_argument("--seconds", type=int, default=300, help="stop after so many, 0: after one turn of every phase")
    parser.add_argument("--examples", type=int, default=100, help="requests per operation and turn")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(2**32), help="of an earlier run, to repeat it")
    chosen = parser.parse_args()
    logging.basicConfig(level=logging.ERROR)
    print(f"seed {chosen.seed}, {chosen.examples} examples, {chosen.seconds or 'any number of'} seconds", flush=True)
    report = asyncio.run(_fuzz(chosen.seed, chosen.examples, chosen.seconds))
    found = [*report.errors, *map(str, report.distinct())]
    print(report.table(), *found, sep="\n\n")
    print(f"{sum(report.sent.values())} requests in {report.seconds:.0f} s, {len(found)} findings, seed {chosen.seed}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
