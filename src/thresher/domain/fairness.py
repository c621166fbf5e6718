"""Fair order between batches in one integer, so that any priority queue can serve it.

Start-time fair queueing (Goyal, Vin, Cheng 1996): a clock V follows the tag of the latest claim; shard k of a
new batch gets the tag V + k*w, w being the number of running batches of its account, this one included, and the queue
serves the smallest tag first. A small batch behind a huge one is served next, and an account's tenth batch counts a tenth of
its first: ten together weigh about three, not ten.
"""

# The queue's priority is a 32-bit integer, highest first. The clock is rebased long before it can overflow.
REBASE_AT = 1_000_000_000
MAX_TAG = 2_000_000_000


def priority(tag: int) -> int:
    """The queue priority of a tag: the smaller the tag, the sooner it is served."""
    return -tag
