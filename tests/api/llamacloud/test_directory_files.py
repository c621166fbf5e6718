"""Files in directories, as the official client drives them, and as nobody should."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from llama_cloud import AsyncLlamaCloud, ConflictError, NotFoundError
from tests.api.conftest import Api
from tests.api.llamacloud import kit

from thresher.storage.database import Pool

ROOT = "/api/v1/beta/directories"


async def test_the_client_brings_files_in_renames_moves_lists_and_deletes_them(
    api: Api, llama: AsyncLlamaCloud, pool: Pool
) -> None:
    files = llama.beta.directories.files
    inbox, archive = [await llama.beta.directories.create(name=name) for name in ("inbox", "archive")]
    march, april = [str((await kit.put(api, pool, f"{name}.pdf", b"%PDF")).id) for name in ("March", "April")]
    external = str((await kit.put(api, pool, "May.pdf", b"%PDF", "ext-5")).id)

    one = await files.add(inbox.id, file_id=march)
    assert (one.display_name, one.unique_id, one.metadata) == ("March.pdf", "March.pdf", {})
    assert (one.directory_id, one.file_id, one.project_id, one.download_url) == (
        inbox.id,
        march,
        inbox.project_id,
        None,
    )
    metadata: dict[str, Any] = {"a": "x", "b": 1, "c": 1.5, "d": True, "e": None, "f": ["y", "z"]}
    two = await files.add(inbox.id, file_id=april, display_name="../A\r\n", unique_id="u" * 3000, metadata=metadata)
    assert (two.display_name, two.unique_id, two.metadata) == ("../A\r\n", "u" * 3000, metadata)
    three = await files.add(inbox.id, file_id=external)
    assert (three.display_name, three.unique_id) == ("May.pdf", "ext-5")
    assert (await files.get(two.id, directory_id=inbox.id)).to_dict() == two.to_dict()
    with pytest.raises(ConflictError, match=one.id):
        await files.add(inbox.id, file_id=april, unique_id="March.pdf")
    for file_id in (str(uuid4()), "nonsense"):
        with pytest.raises(NotFoundError, match="File not found"):
            await files.add(inbox.id, file_id=file_id)

    async def listed(directory: str = inbox.id, **query: Any) -> list[str]:
        return [one.id async for one in files.list(directory, **query)]

    changed = await files.update(one.id, directory_id=inbox.id, display_name="Mar.pdf", metadata={"only": "this"})
    assert (changed.display_name, changed.unique_id, changed.metadata) == ("Mar.pdf", "March.pdf", {"only": "this"})
    assert changed.updated_at
    assert await listed(page_size=1) == [one.id, two.id, three.id]
    assert await listed(display_name="Mar.pdf") == await listed(display_name_contains="MAR") == [one.id]
    assert await listed(unique_id="u" * 3000) == await listed(file_id=april) == [two.id]
    assert await listed(updated_at_on_or_after=changed.updated_at) == [one.id]
    assert await listed(updated_at_on_or_before=two.updated_at) == [two.id]
    assert await listed(updated_at_on_or_before=changed.updated_at - timedelta(days=1)) == []
    assert await listed(display_name="Mar.pdf", unique_id="u" * 3000) == []

    with pytest.raises(ConflictError):
        await files.update(three.id, directory_id=inbox.id, unique_id="March.pdf")
    moved = await files.update(one.id, directory_id=inbox.id, target_directory_id=archive.id, unique_id="x")
    assert (moved.id, moved.directory_id, moved.unique_id) == (one.id, archive.id, "x")
    assert (await listed(), await listed(archive.id)) == ([two.id, three.id], [one.id])
    with pytest.raises(NotFoundError):
        await files.get(one.id, directory_id=inbox.id)
    with pytest.raises(NotFoundError, match="Directory not found"):
        await files.update(one.id, directory_id=archive.id, target_directory_id=f"dir-{uuid4()}")

    await files.delete(two.id, directory_id=inbox.id)
    assert (await listed(), await listed(include_deleted=True)) == ([three.id], [two.id, three.id])
    again = await files.add(inbox.id, file_id=april, unique_id="u" * 3000)
    await llama.beta.directories.delete(archive.id)
    for call in (files.get(one.id, directory_id=archive.id), files.delete(two.id, directory_id=inbox.id)):
        with pytest.raises(NotFoundError):
            await call
    assert await listed() == [three.id, again.id]


async def test_the_client_uploads_into_a_directory_and_what_is_uploaded_ends_with_it(
    api: Api, llama: AsyncLlamaCloud, pool: Pool
) -> None:
    files = llama.beta.directories.files
    passing = await llama.beta.directories.create(name="passing", type="ephemeral")
    mail = ("mail.eml", b"From: a@b.example\r\n\r\nboundary --\r\n", "message/rfc822")
    one = await files.upload(passing.id, upload_file=mail)
    assert (one.display_name, one.unique_id, one.metadata) == ("mail.eml", "mail.eml", {})
    two = await files.upload(
        passing.id,
        upload_file=mail,
        display_name="Mail",
        external_file_id="ext-1",
        metadata='{"pages": 3, "of": ["a"]}',
    )
    assert (two.display_name, two.unique_id, two.metadata) == ("Mail", "ext-1", {"pages": 3, "of": ["a"]})
    with pytest.raises(ConflictError, match=one.id):
        await files.upload(passing.id, upload_file=mail)
    made = await pool.fetch("SELECT * FROM file ORDER BY seq")
    assert [str(file["id"]) for file in made] == [one.file_id, two.file_id], "what was refused has left no file"
    assert {file["expires_at"] for file in made} == {passing.expires_at}
    assert await pool.fetchval("SELECT count(*) FROM content WHERE dropped_at IS NULL") == 1

    shown = await files.get(one.id, directory_id=passing.id, expand=["download_url"])
    [url, _] = [each.download_url async for each in files.list(passing.id, expand=["download_url"])]
    for signed in (shown.download_url, url):
        assert signed
        assert (await api.client.get(signed.url, headers={"Authorization": ""})).content == mail[1]

    path = f"{ROOT}/{passing.id}/files/upload"
    for fields, status in (
        ({"metadata": "[1]"}, 422),
        ({"metadata": "{"}, 422),
        ({"metadata": '{"a": "\\u0000"}'}, 422),
        ({"unique_id": "a" * 3001}, 422),
        ({"unique_id": "a\0"}, 422),
        ({"display_name": "", "unique_id": "empty counts as absent", "unknown": "1"}, 201),
    ):
        answer = await api.client.post(path, data=fields, files={"upload_file": mail})
        assert answer.status_code == status, fields
        assert status == 201 or answer.json()["detail"][0]["loc"][:2] == ["body", *fields]
    assert (await api.client.post(path, files={"file": mail})).status_code in (400, 422)
    with pytest.raises(NotFoundError):
        await files.upload(f"dir-{uuid4()}", upload_file=mail)
    assert await pool.fetchval("SELECT count(*) FROM file") == 3


async def test_a_directory_of_three_thousand_files_is_paged_without_a_gap_while_files_come_and_go(
    api: Api, pool: Pool
) -> None:
    directory = (await api.client.post(ROOT, json={"name": "large"})).json()["id"]
    path, file = f"{ROOT}/{directory}/files", (await kit.put(api, pool, "a.txt", b"text")).id
    await pool.execute(
        "INSERT INTO directory_file (account_id, directory_id, file_id, display_name, unique_id)"
        " SELECT 1, $1, $2, n, n FROM generate_series(1, 3000) n",
        UUID(directory.removeprefix("dir-")),
        file,
    )
    seen: list[str] = []
    page = await api.get(path, page_size=400)
    assert page["total_size"] == 3000
    while True:
        seen += [one["display_name"] for one in page["items"]]
        if page["next_page_token"] is None:
            break
        gone = [one["id"] for one in page["items"][-50:]]  # the place of the token among them
        assert (await api.client.post(f"{path}/bulk-delete", json={"directory_file_ids": gone * 2})).status_code == 204
        added = {"file_id": str(file), "unique_id": f"new {len(seen)}", "display_name": "new"}
        assert (await api.client.post(path, json=added)).status_code == 201
        page = await api.get(path, page_size=400, page_token=page["next_page_token"])
    assert [name for name in seen if name != "new"] == [f"{n}" for n in range(1, 3001)]
    assert seen.count("new") == 7, "what comes meanwhile is at the end"


async def test_what_cannot_be_kept_of_a_file_is_refused_where_it_stands_and_a_bulk_delete_is_all_or_nothing(
    api: Api, pool: Pool
) -> None:
    directory = (await api.client.post(ROOT, json={"name": "d"})).json()["id"]
    path, file = f"{ROOT}/{directory}/files", str((await kit.put(api, pool, "a.txt", b"text")).id)
    made = (await api.client.post(path, json={"file_id": file})).json()
    wrong: tuple[dict[str, Any], ...] = (
        {"display_name": ""},
        {"display_name": "\0"},
        {"display_name": "a" * 3001},
        {"unique_id": "a" * 3001},
        {"metadata": {"a": {"b": 1}}},
        {"metadata": {"a": [1]}},
        {"metadata": {"\0": 1}},
        {"metadata": {"a": "\0"}},
        {"metadata": {"a": ["\0"]}},
        {"metadata": {"a": 2**64}},
        {"metadata": {"a": "a" * 16_400}},
    )
    for method, place, more in (("POST", path, {"file_id": file}), ("PATCH", f"{path}/{made['id']}", {})):
        for fields in wrong:
            answer = await api.client.request(method, place, json={**more, **fields})
            assert (answer.status_code, answer.json()["detail"][0]["loc"][1]) == (422, *fields), fields
    for query in ("page_size=0", "file_id=x", "expand=content", "updated_at_on_or_after=7", "display_name=%00"):
        assert (await api.client.get(f"{path}?{query}")).status_code == 422, query
    beyond = datetime.max.replace(tzinfo=UTC).isoformat().replace("+00:00", "-14:00")
    assert (await api.client.get(path, params={"updated_at_on_or_after": beyond})).status_code == 422
    bulk = f"{path}/bulk-delete"
    for unknown in (f"dfl-{uuid4()}", "dfl-x", "\0"):
        answer = await api.client.post(bulk, json={"directory_file_ids": [made["id"], unknown]})
        assert (answer.status_code, answer.json()["detail"]) == (404, "File not found in this directory")
    many = [f"dfl-{uuid4()}" for _ in range(100)]
    assert "100 files not found" in (await api.client.post(bulk, json={"directory_file_ids": many})).json()["detail"]
    for count in (0, 101):
        answer = await api.client.post(bulk, json={"directory_file_ids": [made["id"]] * count})
        assert (answer.status_code, answer.json()["detail"][0]["loc"]) == (422, ["body", "directory_file_ids"])
    assert (await api.get(path))["items"] == [made]
