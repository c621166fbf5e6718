"""/api/v1/beta/directories, as the official client drives it, and as nobody should."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from llama_cloud import AsyncLlamaCloud, NotFoundError, PermissionDeniedError, UnprocessableEntityError
from tests.api.conftest import Api

from thresher.storage.database import Pool

ROOT = "/api/v1/beta/directories"


async def test_the_client_makes_lists_changes_and_deletes_directories(llama: AsyncLlamaCloud, pool: Pool) -> None:
    directories = llama.beta.directories
    plain = await directories.create(name="plain")
    assert (plain.type, plain.expires_at, plain.deleted_at, plain.description) == ("user", None, None, None)
    assert plain.project_id == str(await pool.fetchval("SELECT project FROM account"))
    ends = datetime(2100, 1, 1, tzinfo=UTC)
    full = await directories.create(
        name="full",
        type="ephemeral",
        description="what is in it",
        system_metadata={"a": [1, {"b": None}]},
        extra_body={"expires_at": "2100-01-01T02:00:00+02:00", "connector_subscription_id": "c1", "unknown": 1},
    )
    assert (full.type, full.description, full.system_metadata, full.expires_at) == (
        "ephemeral",
        "what is in it",
        {"a": [1, {"b": None}]},
        ends,
    )
    passing = await directories.create(name="passing", type="ephemeral")
    assert passing.expires_at
    assert passing.created_at
    assert passing.expires_at - passing.created_at == timedelta(days=7)
    assert await directories.get(full.id) == await directories.get(full.id, project_id=plain.project_id)
    with pytest.raises(PermissionDeniedError):
        await directories.get(full.id, project_id="00000000-0000-0000-0000-000000000000")

    changed = await directories.update(full.id, name="fuller")
    assert (changed.name, changed.description) == ("fuller", "what is in it")
    assert str(changed.updated_at) > str(full.updated_at)
    assert (await directories.update(full.id, description="")).name == "fuller"

    async def listed(**query: Any) -> list[str]:
        return [one.name async for one in directories.list(**query)]

    await directories.delete(plain.id)
    assert await listed() == ["fuller", "passing"]
    assert await listed(page_size=1, include_deleted=True) == ["plain", "fuller", "passing"]
    assert await listed(name="fuller") == ["fuller"]
    assert await listed(type="user") == await listed(types=["index"]) == []
    assert await listed(types=["user", "ephemeral"], include_deleted=True) == ["plain", "fuller", "passing"]
    for call in (directories.get, directories.delete):
        with pytest.raises(NotFoundError, match="Directory not found"):
            await call(plain.id)
    with pytest.raises(UnprocessableEntityError):
        await directories.create(name="")


async def test_pages_of_directories_stay_good_and_tokens_are_of_one_listing(api: Api, stranger: str) -> None:
    for n in range(5):
        made = await api.client.post(ROOT, json={"name": f"{n}"}, headers={"Idempotency-Key": f"{n}"})
        again = await api.client.post(ROOT, json={"name": f"{n}"}, headers={"Idempotency-Key": f"{n}"})
        assert (made.status_code, made.content) == (201, again.content)
    first = await api.get(ROOT, page_size=2, types="user,ephemeral")
    assert ([one["name"] for one in first["items"]], first["total_size"]) == (["0", "1"], 5)
    for one in first["items"]:
        assert (await api.client.delete(f"{ROOT}/{one['id']}")).status_code == 204
    token = first["next_page_token"]
    second = await api.get(ROOT, page_size=3, page_token=token)
    assert [one["name"] for one in second["items"]] == ["2", "3", "4"]
    assert (second["next_page_token"], second["total_size"]) == (None, None)
    strangers = {"Authorization": f"Bearer {stranger}"}
    for wrong, headers in ((token, strangers), (token[:-4], {}), ("x", {}), ("é", {}), ("AAAA" * 9, {}), ("\0", {})):
        answer = await api.client.get(ROOT, params={"page_token": wrong}, headers=headers)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["query", "page_token"]), wrong


# What is sent to make a directory, and what of it is refused.
REFUSED: list[tuple[Any, str]] = [
    ({}, "name"),
    ({"name": None}, "name"),
    ({"name": "a\0b"}, "name"),
    ({"name": "a" * 3001}, "name"),
    ({"name": "a", "type": "index"}, "type"),
    ({"name": "a", "description": "\0"}, "description"),
    ({"name": "a", "connector_subscription_id": 1}, "connector_subscription_id"),
    ({"name": "a", "system_metadata": []}, "system_metadata"),
    ({"name": "a", "system_metadata": {"a": {"\0": 1}}}, "system_metadata"),
    ({"name": "a", "system_metadata": {"a": ["\0"]}}, "system_metadata"),
    ({"name": "a", "system_metadata": {"a": 10**30}}, "system_metadata"),
    ({"name": "a", "system_metadata": {"a": "é" * 9000}}, "system_metadata"),
    ({"name": "a", "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
    ({"name": "a", "expires_at": "9999-12-31T23:59:59-10:00"}, "expires_at"),
    ({"name": "a", "expires_at": 4102444800}, "expires_at"),
]
NOT_JSON = (b"", b"{", b'{"name": "\\ud800"}', b'{"name": "\xff"}', b'{"name":' + b"[" * 9000, b'"name"')


async def test_what_cannot_be_kept_is_refused_where_it_stands(api: Api) -> None:
    for body, field in REFUSED:
        answer = await api.client.post(ROOT, json=body)
        assert (answer.status_code, answer.json()["detail"][0]["loc"][:2]) == (422, ["body", field]), body
    nan = await api.client.post(ROOT, content=b'{"name": "a", "system_metadata": {"a": NaN}}')
    assert nan.json()["detail"][0]["loc"] == ["body", "system_metadata"]
    for content in NOT_JSON:
        answer = await api.client.post(ROOT, content=content)
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body"]), content[:20]
    large = await api.client.post(ROOT, content=b'{"name": "a", "pad": "' + b" " * 2**20 + b'"}')
    assert (large.status_code, large.json()["code"]) == (413, "body_too_large")
    for query in ("page_size=0", "page_size=1001", "type=nope", "types=user,nope", "include_deleted=2", "name=%00"):
        assert (await api.client.get(f"{ROOT}?{query}")).status_code == 422, query
    for wrong in (
        "dir-1",
        "DIR-00000000-0000-0000-0000-000000000000",
        "%00",
        "dfl-00000000-0000-0000-0000-000000000000",
    ):
        assert (await api.client.get(f"{ROOT}/{wrong}")).status_code == 404, wrong
    assert (await api.get(ROOT))["items"] == []
