"""As many items in a request as the limits allow: 10,000 by default, 100,000 when the operator says so."""

import pytest
from tests.api.conftest import running

from thresher.settings import Settings
from thresher.storage.database import Pool

_STORED = "SELECT count(*) AS items, count(DISTINCT custom_id) AS ids FROM item"
_SHARDED = "SELECT sum(cardinality(ords)) AS items, max(cardinality(ords)) AS longest FROM shard"


@pytest.mark.parametrize("count", [10_000, 100_000])
async def test_a_batch_of_the_allowed_size_is_stored_and_sharded_whole(
    api_settings: Settings, pool: Pool, count: int
) -> None:
    allowed = api_settings.model_copy(update={"max_items": max(count, api_settings.max_items)})
    async with running(allowed) as api:
        made = await api.create(*(f"https://site{n % 700}.example/{n}" for n in range(count)))
        found = await api.get(f"/v1/batches/{made['id']}")
    assert (made["total_urls"], found["counts"]["pending"]) == (count, count)
    stored, sharded = await pool.fetchrow(_STORED), await pool.fetchrow(_SHARDED)
    assert stored is not None
    assert sharded is not None
    assert (stored["items"], stored["ids"]) == (count, count)
    assert sharded["items"] == count
    assert sharded["longest"] <= allowed.shard_size


async def test_one_item_more_than_the_default_limit_is_refused_with_the_limit(api_settings: Settings) -> None:
    async with running(api_settings) as api:
        items = [{"url": f"https://site.example/{n}"} for n in range(10_001)]
        answer = await api.client.post("/v1/batches", json={"items": items})
    assert answer.status_code == 400
    assert "10000" in answer.json()["detail"].replace(",", "")
