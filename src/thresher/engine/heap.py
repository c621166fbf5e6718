"""The C heap of a worker, told to give back what it no longer needs. Does nothing where the C library is another.

A worker holds bodies of up to tens of megabytes for moments, and small objects for hours. glibc's allocator adapts to the
former by taking even large blocks from the heap, between the small ones, and gives each thread a heap of its own: what
is free then is in pieces, and the process grows. Measured by `make soak` over many rounds.
"""

import contextlib
import ctypes

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -3, -8  # malloc.h

_LARGE = (
    256 * 1024
)  # bytes: such blocks are mapped, and unmapped when they are freed. Setting it also ends the adapting
_TRIM = 4 * 2**20  # bytes that are free at the top of the heap before they are given back
_ARENAS = 2  # the loop's thread allocates nearly everything; the others look up names and compress


def keep_small() -> None:
    """To be called once, early."""
    with contextlib.suppress(OSError, AttributeError):
        mallopt = ctypes.CDLL(None).mallopt
        for parameter, value in ((_M_MMAP_THRESHOLD, _LARGE), (_M_TRIM_THRESHOLD, _TRIM), (_M_ARENA_MAX, _ARENAS)):
            mallopt(parameter, value)
