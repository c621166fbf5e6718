"""The country of a batch, from its creation to the records of its items, through real proxies."""

import json
from typing import Any

from tests.origins.proxy import ConnectProxy
from tests.support.cluster import Cluster, submit, until_done
from tests.support.origin import Origin

from thresher.storage.batches import Batch
from thresher.storage.database import Pool

GERMAN, FRENCH = "de-DE,de;q=0.9,en;q=0.1", "fr-FR,fr;q=0.9,en;q=0.1"


async def countries(pool: Pool, batch: Batch) -> list[list[Any]]:
    """What the attempts at each item of a batch, which must end well, say of their country."""
    batch = await until_done(pool, batch)
    assert batch.outcome == "all_ok"
    async with pool.acquire() as connection:
        rows = await connection.fetch("SELECT attempts FROM item WHERE batch_id = $1 ORDER BY ord", batch.id)
    return [[attempt.get("country") for attempt in row["attempts"]] for row in rows]


async def test_a_batch_is_fetched_through_the_proxies_of_its_country_in_its_language_and_says_so(
    cluster: Cluster, origin: Origin, pool: Pool
) -> None:
    def leads(_: str) -> tuple[str, int]:
        return "127.0.0.1", origin.port

    async with ConnectProxy(leads) as german, ConnectProxy(leads) as french, ConnectProxy(leads) as usual:
        pools = {"de": {"url": german.url()}, "FR": {"url": french.url()}, "default": {"url": usual.url()}}
        await cluster.start(1, THRESHER_PROXIES=json.dumps(pools))
        redirected = await submit(pool, ["http://a.example/to/b.example/page/de"], options={"country": "DE"})
        nowhere = await submit(pool, ["http://c.example/page/pl"], options={"country": "PL"})
        without = await submit(pool, ["http://d.example/page/none"])
        urls = [f"http://q{n}.example/to/r{n}.example/page/{n}" for n in range(6)]
        anywhere = await submit(pool, urls, options={"country": "RANDOM"})
        assert await countries(pool, redirected) == [["DE", "DE"]]
        assert await countries(pool, nowhere) == [[None]]
        assert await countries(pool, without) == [[None]]
        picked = [once for once, again in await countries(pool, anywhere) if once == again]
    assert picked.count("DE") + picked.count("FR") == 6
    # A tunnel for each request; robots.txt of all 16 hosts came the usual way, and what came that way after it, with it.
    assert (len(german.asked), len(french.asked)) == (2 + 2 * picked.count("DE"), 2 * picked.count("FR"))
    assert len(usual.asked) == 16
    languages = [GERMAN if country == "DE" else FRENCH for country in picked]
    assert origin.languages == {
        "/to/b.example/page/de": GERMAN,
        "/page/de": GERMAN,
        "/page/pl": "pl-PL,pl;q=0.9,en;q=0.1",
        **{f"/page/{n}": language for n, language in enumerate(languages)},
        **{f"/to/r{n}.example/page/{n}": language for n, language in enumerate(languages)},
    }
