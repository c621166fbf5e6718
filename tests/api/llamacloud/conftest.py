"""The official client of the parse API, on the application in this process."""

from collections.abc import AsyncIterator

import httpx
import pytest
from llama_cloud import AsyncLlamaCloud
from tests.api.conftest import KEY, Api


@pytest.fixture
async def llama(api: Api) -> AsyncIterator[AsyncLlamaCloud]:
    """The official client, which refuses what is not as its models say."""
    transport = httpx.ASGITransport(api.app, raise_app_exceptions=True)
    async with (
        httpx.AsyncClient(transport=transport) as http,
        AsyncLlamaCloud(
            api_key=KEY,
            base_url="http://thresher.test",
            http_client=http,
            max_retries=0,
            _strict_response_validation=True,
        ) as client,
    ):
        yield client
