"""The soak, shortened: that it runs, and that what it looks for is not there. `make soak` is the long one."""

from pathlib import Path

import pytest
from tests.serve.conftest import room as room  # a private folder, and the promise that no process of it is left
from tests.soak import soak, web
from tests.soak.watch import Holding


@pytest.mark.timeout(180)
async def test_mixed_pages_leave_nothing_behind_and_each_ends_by_name(room: Path) -> None:
    rounds, wrong = await soak.run(room / "data", 1, 50, THRESHER_ATTEMPT_TIMEOUT="3", THRESHER_RETRIES="0")
    assert wrong == []
    assert rounds[0].codes.total() == 50
    assert len(rounds[0].codes) >= 4


def test_a_round_has_every_kind_of_page_and_no_url_twice() -> None:
    urls = [url for number in range(5) for url in web.urls(number, 1000)]
    assert len(set(urls)) == 5000
    ordinary = sum(map(web.is_ordinary, urls))
    assert ordinary == 5000 * (100 - web.BROKEN - web.BOMBS - web.REFUSALS) // 100


def test_what_has_grown_is_said() -> None:
    def held(memory: int, files: int, processes: int) -> soak.Round:
        return soak.Round(
            1.0,
            soak.Counter(),
            [],
            Holding({"worker": memory * soak.MIB}, {"worker": files}, {"worker": processes}),
            0,
        )

    calm = held(100, 40, 2)
    assert list(soak._faults([calm, calm, calm])) == []
    assert len(list(soak._faults([calm, calm, held(150, 40, 2)]))) == 1
    assert len(list(soak._faults([calm, calm, held(150, 90, 3)]))) == 3
