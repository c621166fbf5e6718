"""How fast a batch goes, measured: items finished a second, those of the last half minute or so counting most.

The measure is an average that forgets: with each settle what was measured before is worth less, the less the longer
ago. It needs two numbers in a row (the rate, and when it was moved), however long the batch. Times are in seconds.
"""

import math

MEMORY = 30.0  # what was finished so long ago counts a third of what was finished now
STALE = 60.0  # without a settle for so long nothing is said any more of how fast it goes
_NOTHING = 1e-3  # a shorter time between two settles is no time


def weights(quiet: float) -> tuple[float, float]:
    """After `quiet` seconds without a settle: what the old rate is to be multiplied with, and what each new item adds."""
    quiet = max(0.0, quiet)
    kept = math.exp(-quiet / MEMORY)
    return kept, (1 - kept) / quiet if quiet > _NOTHING else 1 / MEMORY


def measured(rate: float, running: float) -> float:
    """The items a second that a rate stands for, when the batch has run for `running` seconds: it began at nothing."""
    return rate / -math.expm1(-max(running, _NOTHING) / MEMORY)
