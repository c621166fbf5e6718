"""What a server process writes to standard error, and what it never writes there."""

import logging
import re
import sys

# PostgreSQL shows the row that a constraint refuses, and a row may hold what a caller has kept secret.
_ROW = re.compile(r"^DETAIL:  Failing row contains \(.*?\)\.$", re.MULTILINE | re.DOTALL)


class WithoutRows(logging.Formatter):
    """Leaves out what PostgreSQL tells of rows."""

    def format(self, record: logging.LogRecord) -> str:
        return _ROW.sub("DETAIL:  The row is not shown.", super().format(record))


def to_stderr(level: str) -> None:
    """Log everything from this level on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(WithoutRows("%(asctime)s %(levelname)s %(name)s %(message)s"))
    logging.basicConfig(level=level.upper(), handlers=[handler])
