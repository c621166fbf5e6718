"""Metadata of a batch: given back by a refused create, and changed by PATCH, also by two at once."""

import asyncio
from typing import Any

from tests.api.conftest import Api

from thresher.storage.database import Pool

NO_METADATA = "No metadata field provided. Only metadata can be updated."


async def change(api: Api, batch: str, body: Any) -> dict[str, Any]:
    """The answer to a PATCH, its status added."""
    answer = await api.client.patch(f"/v1/batches/{batch}", json=body)
    return {**answer.json(), "status_code": answer.status_code}


async def test_a_change_is_merged_whatever_the_batch_is_at_and_gone_with_it(api: Api, pool: Pool) -> None:
    batch = (await api.client.post("/v1/batches", json={"open": True, "metadata": {"a": "1", "b": "2"}})).json()["id"]
    changed = await change(api, batch, {"metadata": {"a": None, "b": 3, "c": True, "d": "x"}})
    assert changed.pop("status_code") == 200
    assert changed["metadata"] == {"b": "3", "c": "true", "d": "x"}
    assert changed == await api.get(f"/v1/batches/{batch}")
    await api.client.post(f"/v1/batches/{batch}/cancel")
    for body, after in (
        ({}, {"b": "3", "c": "true", "d": "x"}),
        ({"b": "", "c": "no"}, {"c": "no", "d": "x"}),
        (None, {}),
        ({"e": "1"}, {"e": "1"}),
        ("", {}),
        (brackets := {f"k{n}": "[{}]" * 100 for n in range(50)}, brackets),  # as text, and as many as there may be
    ):
        assert (await change(api, batch, {"metadata": body}))["metadata"] == after
    await api.client.delete(f"/v1/batches/{batch}")
    gone = await change(api, batch, {"metadata": {}})
    assert (gone["status_code"], gone["code"]) == (410, "batch_purged")


WRONG: list[tuple[Any, str, str]] = [
    ({}, "invalid_metadata", NO_METADATA),
    ({"metadata": {}, "country": "DE"}, "invalid_metadata", NO_METADATA),
    ({"name": "x"}, "invalid_metadata", NO_METADATA),
    ([], "validation_error", "The request body must be a JSON object, not an array."),
    ({"metadata": []}, "validation_error", "Metadata must be an object. Got array."),
    ({"metadata": {"a": {}}}, "validation_error", 'Metadata value for key "a" must be a string. Got object.'),
    (
        {"metadata": {"x": "y", **{f"n{n}": n for n in range(50)}}},
        "validation_error",
        "Metadata can have a maximum of 50 keys. You provided 51 keys.",
    ),
    (
        {"metadata": {f"n{n}": n for n in range(50)}},
        "validation_error",
        "Metadata can have a maximum of 50 keys. You provided 51 keys.",
    ),
]


async def test_a_wrong_change_is_refused_in_the_documented_words_and_changes_nothing(api: Api) -> None:
    batch = (await api.create("https://a.example/", metadata={"a": "1"}))["id"]
    for body, code, detail in WRONG:
        refused = await change(api, batch, body)
        assert (refused["status_code"], refused["code"], refused["detail"]) == (400, code, detail)
    assert (await api.get(f"/v1/batches/{batch}"))["metadata"] == {"a": "1"}


async def test_changes_at_once_all_count(api: Api) -> None:
    batch = (await api.create("https://a.example/"))["id"]
    answers = await asyncio.gather(*(change(api, batch, {"metadata": {f"k{n}": n}}) for n in range(20)))
    assert {answer["status_code"] for answer in answers} == {200}
    assert (await api.get(f"/v1/batches/{batch}"))["metadata"] == {f"k{n}": str(n) for n in range(20)}


async def test_a_refused_create_gives_the_metadata_back_if_they_are_right(api: Api, pool: Pool) -> None:
    for given, back in (({"n": 1, "yes": True}, {"n": "1", "yes": "true"}), ({"n": []}, {}), (None, {})):
        for items in ([], [{"url": "nonsense"}] * 30):
            answer = await api.client.post("/v1/batches", json={"items": items, "metadata": given})
            assert (answer.status_code, answer.json()["metadata"]) == (400, back)
    await pool.execute("UPDATE account SET credit_limited = true")
    answer = await api.client.post("/v1/batches", json={"urls": ["https://a.example/"], "metadata": {"n": 1}})
    assert (answer.status_code, answer.json()["metadata"]) == (402, {"n": "1"})
