"""The country of a batch: a code in any case or RANDOM, what serves it, and what its items say of it."""

from dataclasses import replace
from typing import Any

import orjson
import pytest
from tests.api.conftest import Api, running, settings_for
from tests.api.worker import Worker

from thresher.api.olostep.views import country_view
from thresher.domain.country import COUNTRIES, canonical, pick
from thresher.domain.failure import FailureCode
from thresher.domain.states import ItemState
from thresher.settings import Settings
from thresher.storage.blobs import Blobs
from thresher.storage.database import Pool
from thresher.storage.items import Item


def test_there_are_as_many_codes_as_iso_3166_1_assigns() -> None:
    assert len(COUNTRIES) == 249
    assert all(len(code) == 2 and code.isupper() and code.isascii() for code in COUNTRIES)


@pytest.mark.parametrize(("text", "code"), [("us", "US"), ("De", "DE"), ("random", "RANDOM"), ("FR", "FR")])
def test_a_code_is_taken_in_any_case(text: str, code: str) -> None:
    assert canonical(text) == code


@pytest.mark.parametrize("text", ["", "UK", "EU", "XX", "USA", "none", "u s", "ß", "\0"])
def test_what_is_no_country_is_refused(text: str) -> None:
    assert canonical(text) is None


def test_a_country_is_served_by_its_own_pool_alone() -> None:
    assert [pick(wanted, {"DE", "FR"}) for wanted in (None, "DE", "PL")] == [None, "DE", None]


def test_random_is_any_country_that_is_served_and_stays_what_it_was() -> None:
    assert {pick("RANDOM", {"DE", "FR"}) for _ in range(100)} == {"DE", "FR"}
    assert {pick("RANDOM", {"DE", "FR"}, before="FR") for _ in range(20)} == {"FR"}
    assert pick("RANDOM", {"DE"}, before="FR") == "DE"
    assert pick("RANDOM", ()) is None


def proxied(settings: Settings, *pools: str) -> Settings:
    """A server that refuses what its pools cannot serve."""
    proxies = {name: {"url": "http://proxy.example:3128"} for name in pools}
    return settings_for(str(settings.database_url), settings.data_dir, country_strict=True, proxies=proxies)


async def test_a_strict_server_refuses_a_country_without_a_pool_and_says_which_there_are(
    api_settings: Settings,
) -> None:
    async with running(proxied(api_settings, "default", "FR", "DE")) as api:
        for country in ("fr", "random", "", None):
            await api.create("https://a.example/", country=country)
        refused = await api.client.post("/v1/batches", json={"urls": ["https://a.example/"], "batch_country": "pl"})
    assert refused.status_code == 400
    [error] = refused.json()["errors"]
    assert error["loc"] == ["body", "batch_country"]
    assert all(
        word in error["msg"] for word in ("PL", "THRESHER_COUNTRY_STRICT", "THRESHER_PROXIES", "only for DE, FR")
    )
    async with running(proxied(api_settings, "default")) as api:
        for country in ("DE", "RANDOM"):
            refused = await api.client.post("/v1/batches", json={"urls": ["https://a.example/"], "country": country})
            assert (refused.status_code, "for no country" in refused.json()["detail"]) == (400, True)


def test_a_failed_item_says_what_it_had_before_it_was_given_up_and_a_result_only_how_it_came() -> None:
    attempts = [{"code": "timeout", "country": "DE"}, {"code": "deadline"}]
    item = Item(
        1,
        0,
        None,
        "https://a.example/",
        "c0",
        None,
        ItemState.FAILED,
        1,
        None,
        None,
        None,
        attempts,
        None,
        options={"country": "DE"},
    )
    assert country_view(item) == {"country": "DE", "country_applied": True}
    assert country_view(replace(item, state=ItemState.COMPLETED)) == {"country": "DE", "country_applied": False}
    assert country_view(replace(item, attempts=[])) == {"country": "DE", "country_applied": False}


async def test_every_finished_item_of_a_batch_with_a_country_says_what_became_of_it(api: Api, pool: Pool) -> None:
    cases: list[tuple[str | None, str | None, dict[str, Any]]] = [
        ("de", "DE", {"country": "DE", "country_applied": True}),
        ("random", "FR", {"country": "FR", "country_applied": True}),
        ("pl", None, {"country": "PL", "country_applied": False}),
        (None, None, {}),
    ]
    for asked, through, said in cases:
        batch = (await api.create("https://a.example/", "https://a.example/b", country=asked))["id"]
        path = f"/v1/batches/{batch}"
        pending = (await api.get(f"{path}/items", status="pending"))["items"]
        records = [{"code": "http_5xx"}, {"code": "ok", "country": through} if through else {"code": "ok"}]
        worker = Worker(pool, Blobs(api.settings.packs_url), records)
        await worker.work(lambda item: FailureCode.TIMEOUT if item.ord else None)
        listed = (await api.get(f"{path}/items"))["items"]
        exported = [orjson.loads(line) for line in (await api.client.get(f"{path}/export")).content.splitlines()]
        retrieved = [await api.get("/v1/retrieve", retrieve_id=item["id"]) for item in listed]
        assert len(listed) == len(exported) == 2
        for reply in (*listed, *exported, *retrieved):
            assert {name: reply[name] for name in ("country", "country_applied") if name in reply} == said
        assert not any({"country", "country_applied"} & item.keys() for item in pending)
