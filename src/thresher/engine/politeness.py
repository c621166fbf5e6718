"""How gently a host is treated: how many requests at a time, how far apart, and how long it is left alone.

One shard of a bucket runs in the whole cluster, so what is kept inside the shard is kept by the cluster. What must outlast
the shard is noted in the database (storage/hosts.py), by whoever runs it. Nothing here waits or looks at a clock.
"""

from collections import deque
from dataclasses import dataclass, field

from thresher.domain.way import Way
from thresher.pipeline.file import File
from thresher.storage.hosts import Known, Note
from thresher.storage.pages import Page
from thresher.storage.shards import ShardItem

NOWHERE = ""  # the host of the lane of stored pages
FILES = "file:"  # and of the lane of files

PAUSE_SECONDS = 30.0  # for a host that asks for fewer requests without saying when to return; doubled each time
MAX_OWN_PAUSE_SECONDS = 1800.0  # beyond this, doubling helps nobody
MAX_PAUSE_SECONDS = 6 * 3600.0  # a host that asks for more is believed, but asked again


def pause_for(retry_after: float | None, strikes: int = 1) -> float:
    """Seconds to leave a host alone after it answered 429, 430, or 503 with Retry-After, for the `strikes`th time in a row."""
    if retry_after is None:
        return min(PAUSE_SECONDS * 2.0 ** min(strikes - 1, 10), MAX_OWN_PAUSE_SECONDS)
    return min(max(retry_after, 1.0), MAX_PAUSE_SECONDS)


@dataclass(slots=True)
class Task:
    """Items on their way, which ask alike for one page and so get the answer to one request. `page` is one that is stored.

    Or those that are one `file`; then there is no way. `begun`: their request was let through, so that something may have been sent.
    """

    items: list[ShardItem]
    way: Way | None = None
    page: Page | None = None
    begun: bool = False
    file: File | None = None

    @property
    def host(self) -> str:
        """Who is asked: nobody for a file."""
        return self.way.url.host if self.way else FILES


@dataclass(frozen=True, slots=True)
class Manners:
    """What the settings say: requests at a time at a host, seconds between two of them, and the longest Crawl-delay kept."""

    connections: int
    interval: float
    max_crawl_delay: float


@dataclass(slots=True)
class Lane:
    """The pages that are asked of one host in a shard, and what it allows. Moments are those of the monotonic clock.

    Until robots.txt has been heard (`told`), one page goes ahead alone: how far apart requests must be is in there. After a
    pause a host recovers: one connection, then twice as many after each round of answers, up to all.
    """

    host: str
    manners: Manners
    free_at: float = 0.0  # no request begins before
    paused_until: float = 0.0  # because it asked for that
    interval: float = 0.0
    strikes: int = 0
    limit: int = 0
    todo: deque[Task] = field(default_factory=deque)
    under_way: int = 0
    told: bool = False
    changed: bool = False  # there is something that others should know
    _launched: int = 0  # under way, but not begun yet
    _answers: int = 0  # since the limit was last raised

    @classmethod
    def of(cls, host: str, manners: Manners, known: Known | None, now: float) -> "Lane":
        """The lane of a host, with what the cluster knows of it."""
        lane = cls(host, manners, interval=manners.interval, limit=manners.connections)
        if known is not None:
            lane.free_at = now + known.wait if known.wait > 0 else 0.0
            lane.strikes = known.strikes
            lane.limit = min(manners.connections, known.connections or manners.connections)
        return lane

    @classmethod
    def of_store(cls, connections: int, host: str = NOWHERE) -> "Lane":
        """The lane of what is stored: no host is asked for it, so nothing but the number at a time holds it up."""
        return cls(host, Manners(connections, 0.0, 0.0), limit=connections, told=True)

    def wait(self, now: float) -> float:
        """Seconds until a request may begin, as far as time is what it waits for."""
        return max(0.0, self.free_at - now)

    def ready(self, now: float) -> bool:
        """Whether an item may be launched."""
        alone = self.interval > 0 or not self.told
        room = self.under_way < self.limit and not (alone and self._launched)
        return room and bool(self.todo) and now >= self.free_at

    def launch(self) -> Task:
        """Take the next item. `begin` and `leave` follow."""
        self.under_way += 1
        self._launched += 1
        return self.todo.popleft()

    def begin(self, task: Task, crawl_delay: float | None, now: float) -> bool:
        """A request of a launched item: may it begin now? Says what robots.txt wants first. Yes counts as begun."""
        self.told = True
        self.interval = max(self.interval, min(crawl_delay or 0.0, self.manners.max_crawl_delay))
        if now < self.free_at:
            return False
        if self.interval > 0:
            self.free_at = now + self.interval
        if not task.begun:
            task.begun = True
            self._launched -= 1
        return True

    def leave(self, task: Task) -> None:
        """A launched item is under way no longer."""
        self.under_way -= 1
        if not task.begun:
            self._launched -= 1
        task.begun = False

    def answered(self, now: float) -> None:
        """A request ended without a word that there are too many. During a pause that says nothing: it began before."""
        if not self.strikes or now < self.paused_until:
            return
        self._answers += 1
        if self._answers >= self.limit:
            self._answers, self.changed = 0, True
            self.limit = min(2 * self.limit, self.manners.connections)
            if self.limit == self.manners.connections:
                self.strikes = 0

    def refused(self, retry_after: float | None, now: float) -> None:
        """The host asks for fewer requests. Of those that were under way together, the first counts as a strike."""
        if now >= self.paused_until:
            self.strikes += 1
        self.paused_until = max(self.paused_until, now + pause_for(retry_after, self.strikes))
        self.free_at = max(self.free_at, self.paused_until)
        self.limit, self._answers, self.changed = 1, 0, True

    def note(self, now: float) -> Note:
        """What others should know."""
        paused = max(0.0, self.paused_until - now)
        return Note(self.host, paused, self.wait(now), self.limit if self.strikes else None, self.strikes)
