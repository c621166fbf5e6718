"""The URL of a webhook's receiver, as far as its text tells."""

from thresher.api.olostep.urls import read_url
from thresher.domain import webhook
from thresher.domain.address import AllowList
from thresher.domain.url import InvalidUrl
from thresher.settings import Settings


def fault(text: str, settings: Settings) -> tuple[str, str] | None:
    """Why this is no receiver, and of which kind that is: "value_error" for what is no URL, "receiver" for one that is refused."""
    try:
        parsed = read_url(text, settings.max_url_bytes)
    except InvalidUrl as error:
        return str(error), "value_error"
    refused = webhook.refusal(parsed, AllowList(settings.webhook_allow), settings.nat64_prefixes)
    return (refused, "receiver") if refused else None
