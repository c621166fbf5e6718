"""How long a batch takes by its hosts and by the server, and how many paths are compared with rules."""

import pytest

from thresher.domain import forecast
from thresher.domain.choices import RobotsMode
from thresher.domain.duration import NO_PACE, NO_PAGE, Duration, Lane, Pace, duration
from thresher.domain.forecast import Known, foresee, sites_of
from thresher.domain.robots import Rules, parse


@pytest.mark.parametrize(
    ("lane", "seconds"),
    [
        (Lane("h", 8), 1.0),  # four at a time, half a second each
        (Lane("h", 9), 1.5),
        (Lane("h", 5, before=4), 1.5),
        (Lane("h", 2, wait=30.0), 30.5),
        (Lane("h", 5, interval=2.0), 8.5),
        (Lane("h", 5, interval=0.01), 1.0),
    ],
)
def test_a_host_takes_its_pause_and_then_an_interval_or_a_share_of_a_page_each(lane: Lane, seconds: float) -> None:
    found = duration([lane, Lane("nothing", 0, wait=99.0)], 0, Pace(100.0, 0.5), 4)
    assert (found.slowest, found.seconds) == ((lane, seconds), seconds)


def test_the_server_takes_what_is_before_the_batch_as_well_and_what_was_not_measured_is_not_guessed() -> None:
    lanes = [Lane("a", 4), Lane("b", 4, interval=1.0)]
    assert duration(lanes, 92, Pace(10.0, 0.5), 4).seconds == 10.0
    assert duration(lanes, 92, None, 4) == Duration(8, None, NO_PACE, (lanes[1], 3.0), None)
    assert duration(lanes, 92, Pace(10.0, None), 4) == Duration(8, None, NO_PAGE, (lanes[1], 3.0), 10.0)
    assert duration(lanes[1:], 6, Pace(10.0, None), 4).seconds == 3.0, "asked so seldom that no page need be measured"
    assert duration([], 92, None, 4).seconds == 0.0


def test_sites_whose_rules_would_take_too_long_count_as_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forecast, "MOST_COMPARISONS", 10)
    texts = {f"https://{n}.example": "Disallow: /x\nDisallow: /y\n" * n for n in range(1, 4)}

    def read(text: str) -> Rules:
        return parse(b"User-agent: *\nCrawl-delay: 1\n" + text.encode(), "thresher")

    urls = (f"{origin}/{page}" for origin in reversed(texts) for page in ("x", "a", "./a"))
    sites = sites_of((position, url, None) for position, url in enumerate(urls))
    told = foresee(sites, RobotsMode.OBEY, Known(texts, read, {}), lambda host, port: None)
    assert (told.disallowed, told.allowed, told.unknown, told.unique_urls) == (2, 4, 3, 6)
    assert {host.host: (host.robots_known, host.crawl_delay, host.urls) for host in told.hosts.values()} == {
        "1.example": (True, 1.0, 1),
        "2.example": (True, 1.0, 1),
        "3.example": (False, 1.0, 2),
    }
    assert [one.position for one in told.failing] == [6, 3]
