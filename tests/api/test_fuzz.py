"""Whatever bytes are sent, the answer is never a failure of the server. What has a form is in tests/conformance."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.api.conftest import Api

_text = st.text(max_size=12) | st.sampled_from(["\0", "https://a.example/", "\ud800", "none", "[", "1e999", "%00"])
_item = st.fixed_dictionaries(
    {"url": st.just("https://a.example/") | _text}, optional={"custom_id": _text | st.integers(), "metadata": _text}
)
_query = st.lists(
    st.tuples(
        st.sampled_from(["status", "cursor", "limit", "formats", "formats[]", "retrieve_id", "offset", "x"]),
        st.text(max_size=20) | st.integers().map(str) | st.sampled_from(["html", "[]", '["text"]', "completed", "\0"]),
    ),
    max_size=4,
)

_often = settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@_often
@given(body=st.binary(max_size=200))
async def test_no_bytes_make_the_server_fail(api: Api, body: bytes) -> None:
    response = await api.client.post("/v1/batches", content=body)
    assert response.status_code == 400


@_often
@given(lines=st.lists(_item.map(json.dumps).map(str.encode) | st.binary(max_size=60), max_size=6))
async def test_no_lines_make_the_server_fail(api: Api, opened: str, lines: list[bytes]) -> None:
    headers = {"Content-Type": "application/x-ndjson"}
    response = await api.client.post(f"/v1/batches/{opened}/items", content=b"\n".join(lines), headers=headers)
    assert response.status_code in (200, 400), response.text


@_often
@given(query=_query)
async def test_no_spelling_of_a_query_makes_the_server_fail(api: Api, made: str, query: list[tuple[str, str]]) -> None:
    encodable: Any = tuple((name, text.encode("utf-8", "replace").decode()) for name, text in query)
    for path in (f"/v1/batches/{made}/items", "/v1/retrieve"):
        response = await api.client.get(path, params=httpx.QueryParams(encodable))
        assert response.status_code in (200, 400, 404), response.text


@_often
@given(name=st.binary(max_size=30))
async def test_no_path_makes_the_server_fail(api: Api, name: bytes) -> None:
    escaped = "".join(f"%{byte:02x}" for byte in name)
    response = await api.client.get(f"/v1/batches/{escaped}/items")
    assert response.status_code in (404, 405), response.text


@pytest.fixture
async def opened(api: Api) -> str:
    return str((await api.create(open=True))["id"])


@pytest.fixture
async def made(api: Api) -> str:
    return str((await api.create("https://a.example/"))["id"])
