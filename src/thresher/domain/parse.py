"""What a batch of the parse API is asked to do with its files, as it is kept in the options of the batch.

Which parameters change what is made is domain/documents.py; all others are kept, but nothing that is a secret.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

from thresher.domain.documents import DocumentOptions

# Of parameters: those that say nothing of what is made of a file.
_ABOUT_THE_JOB = frozenset(
    {"do_not_cache", "invalidate_cache", "webhook_url", "webhook_configurations", "custom_metadata", "priority", "type"}
    | {"disable_cache", "webhook_configuration_ids", "client_name", "user_metadata"}
)
# What the name of a secret ends with, as in openai_api_key, apiKey, WEBHOOK_SIGNING_SECRET, x-access-token.
_SECRET = re.compile(
    r"(?:(?:api|openai|access)[-_]?key|secret|password|authorization|(?:access|auth|bearer)[-_]?token"
    r"|webhook[-_]?headers|https?[-_]?proxy)\Z",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ParseJob:
    """`parameters` in the words of the first version of that API, as they were sent; `first_page` is the number that its

    `target_pages` has for the first one. `cached`: whether a result that there is already will do.
    """

    parameters: Mapping[str, Any]
    first_page: Literal[0, 1] = 0
    cached: bool = True

    @classmethod
    def asked(cls, parameters: Mapping[str, Any], *, first_page: Literal[0, 1] = 0) -> Self:
        """As a caller asks. Raises ValueError, naming the parameter, for one that cannot be meant."""
        kept = without_secrets({name: value for name, value in parameters.items() if value is not None})
        DocumentOptions.of(kept, first_page=first_page)
        cached = not (parameters.get("do_not_cache") or parameters.get("invalidate_cache"))
        return cls(kept, first_page, cached)

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """From the options of a batch that has them."""
        kept = options["parse"]
        return cls(kept["parameters"], kept["first_page"], kept["cached"])

    @property
    def options(self) -> dict[str, Any]:
        """As it stands among the options of a batch."""
        kept = {"parameters": self.parameters, "first_page": self.first_page, "cached": self.cached}
        return {"parse": kept | {"hash": self.hash}}

    @property
    def document(self) -> DocumentOptions:
        return DocumentOptions.of(self.parameters, first_page=self.first_page)

    @property
    def hash(self) -> str:
        """The same for what makes the same of a file."""
        said = {name: value for name, value in self.parameters.items() if name not in _ABOUT_THE_JOB}
        text = json.dumps([self.first_page, said], sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()


def without_secrets(value: Any) -> Any:
    """The same JSON value, but for what may be a key of somebody's: that is not kept."""
    if isinstance(value, Mapping):
        return {name: without_secrets(each) for name, each in value.items() if not _is_secret(name)}
    if isinstance(value, list):
        return [without_secrets(each) for each in value]
    return value


def _is_secret(name: str) -> bool:
    return _SECRET.search(name) is not None
