"""How long a server may be away: it is asked again, later each time, until that is over."""

import asyncio
from collections.abc import Callable

from thresher.cli.errors import CommandError

FIRST_WAIT, LAST_WAIT = 0.1, 2.0
QUIET_WAITS = 3  # a server that is back after these (0.7 s) is not spoken of


class Away(CommandError):
    """The server did not come back in time."""


class Patience:
    """Counts from the last answer. `tell` is given a sentence when the wait becomes noticeable, once each time."""

    def __init__(self, seconds: float, tell: Callable[[str], None]) -> None:
        self._seconds = seconds
        self._tell = tell
        self._waits = 0
        self._since: float | None = None

    def renew(self) -> None:
        """It has answered."""
        if self._waits > QUIET_WAITS:
            self._tell("The server is back.")
        self._waits, self._since = 0, None

    async def wait(self, url: str, error: BaseException | None) -> None:
        """Wait before the next try. Raises Away when it is over."""
        now = asyncio.get_running_loop().time()
        if self._since is None:
            self._since = now
        left = self._since + self._seconds - now
        if left <= 0:
            raise Away(f"the server at {url} does not answer ({_reason(error)}).")
        if self._waits == QUIET_WAITS:
            self._tell(f"The server at {url} does not answer ({_reason(error)}); trying for {left:.0f} s more.")
        await asyncio.sleep(min(FIRST_WAIT * 2**self._waits, LAST_WAIT, left))
        self._waits += 1


def _reason(error: BaseException | None) -> str:
    return str(error) or type(error).__name__ if error is not None else "its answer broke off"
