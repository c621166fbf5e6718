"""Every setting: its default, its unit, its reason. docs/settings.md is generated from this module.

Precedence: command-line flag, environment (`THRESHER_<NAME>`), TOML file (`THRESHER_CONFIG`), default. Frozen after
the start; what a process needs is passed to it, nothing reads the environment later.
"""

import json
import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AliasChoices, BaseModel, ConfigDict, Field, SecretStr, field_validator
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    TomlConfigSettingsSource,
)

StrList = Annotated[tuple[str, ...], NoDecode]

KIB, MIB, GIB = 2**10, 2**20, 2**30

DEFAULT_POOL = "default"  # of proxies; every other pool has the name of a country


def default_data_dir() -> Path:
    """Where data lives unless told otherwise: /var/lib/thresher for root, the user's own data folder for others."""
    if os.geteuid() == 0:
        return Path("/var/lib/thresher")
    return Path(os.environ.get("XDG_DATA_HOME") or Path.home() / ".local/share") / "thresher"


class ProxyPool(BaseModel):
    """One pool of proxies: `http://[USER:PASSWORD@]HOST:PORT`, used in turn."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[tuple[SecretStr, ...], Field(min_length=1)]
    proxy_dns: bool = False

    @field_validator("url", mode="before")
    @classmethod
    def _one_is_a_list(cls, value: Any) -> Any:
        return (value,) if isinstance(value, str) else value


class Settings(BaseSettings):
    """All settings. Lists are written with commas in the environment, as arrays in TOML."""

    model_config = SettingsConfigDict(
        env_prefix="THRESHER_",
        frozen=True,
        extra="ignore",
        populate_by_name=True,
        env_ignore_empty=True,
        hide_input_in_errors=True,  # what is wrong may hold a password
    )

    # -- where things are
    data_dir: Path = Field(
        default_factory=default_data_dir,
        description="Folder of the embedded database, the packs and the run-time files. Created with mode 0700.",
    )
    database_url: str | None = Field(
        None,
        validation_alias=AliasChoices("DATABASE_URL", "THRESHER_DATABASE_URL", "database_url"),
        description="PostgreSQL to use (`postgresql://...`). Unset: the embedded one, under the data dir.",
    )
    blob_url: str | None = Field(
        None, description="Where packs are stored: `file:///path` or `s3://bucket/prefix`. Unset: under the data dir."
    )
    database_os_user: str | None = Field(
        None,
        description="Only as root: the unprivileged user that runs the embedded PostgreSQL, which refuses to run as root. "
        "Unset: the first of thresher, postgres, nobody that exists.",
    )

    # -- the server
    host: str = Field(
        "127.0.0.1", description="Address the API listens on. Loopback by default: opening it is a decision."
    )
    port: int = Field(8080, ge=0, le=65535, description="Port the API listens on; 0 takes a free one.")
    public_url: str | None = Field(
        None, description="The base URL that clients see, for links in answers. Unset: the request's own."
    )
    bootstrap_key: str | None = Field(
        None,
        description="An API key that exists from the next start on, besides those that there are. Unset: the first start prints a new one, once.",
    )
    workers: int = Field(
        default_factory=lambda: os.cpu_count() or 1,
        ge=0,
        le=256,
        description="Worker processes of `thresher serve`. One per core: conversion is CPU work.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="What is logged, to standard error."
    )
    items_object: Literal["list", "batch"] = Field(
        "list", description="The `object` member of the items reply, for clients that compare it."
    )

    # -- accounts
    requests_per_minute: int = Field(
        0,
        ge=0,
        le=100_000,
        description="Requests that one API key may make in a minute, in the whole cluster; 0: any number.",
    )
    usd_per_credit: float = Field(
        0.0, ge=0, description="What one credit costs in US dollars, for the `cost_usd` of batches."
    )

    # -- the command line
    url: str | None = Field(
        None,
        description="The server that the batch commands talk to, say `http://server:8080`. Unset: the one that runs on the data dir; if there is none, one is run for as long as the command needs it.",
    )
    api_key: str | None = Field(
        None,
        validation_alias=AliasChoices("THRESHER_API_KEY", "OLOSTEP_API_KEY", "api_key"),
        repr=False,
        description="The API key for the server at `THRESHER_URL`. A server on the data dir needs none from you.",
    )

    client_patience: float = Field(
        60.0, ge=0, description="Seconds that the batch commands keep trying to reach a server that does not answer."
    )

    # -- limits of a request
    max_items: int = Field(10_000, ge=1, le=1_000_000, description="Items in one JSON request.")
    max_batch_items: int = Field(
        1_000_000, ge=1, le=10_000_000, description="Items in one batch, however many requests bring them."
    )
    max_request_bytes: int = Field(64 * MIB, ge=KIB, description="Bytes in one request body.")
    max_file_bytes: int = Field(
        512 * MIB,
        ge=KIB,
        description="Bytes of one file that is uploaded, which goes to the blob store as it comes in. What is converted has a limit of its own: document_max_bytes.",
    )
    max_url_bytes: int = Field(8 * KIB, ge=256, description="Bytes in one URL.")
    max_custom_id_bytes: int = Field(4096, ge=1, description="Bytes in one custom_id.")
    max_page: int = Field(
        1000, ge=1, description="Items in one page of the items reply; a larger `limit` is cut to it."
    )
    default_page: int = Field(100, ge=1, description="Items in a page when the request has no `limit`.")

    max_inline_bytes: int = Field(
        6_000_000,
        ge=KIB,
        description="Bytes of content in one answer of `/v1/retrieve`; of more, it gives URLs, and says `size_exceeded`. "
        "A page of items with contents ends before it has more.",
    )
    hosted_url_seconds: float = Field(
        604_800.0, gt=0, le=3_153_600_000.0, description="Seconds that the URLs of contents are good for. 7 days."
    )

    # -- fetching
    user_agent: str = Field(
        "Thresher/0.1",
        description="The honest user agent, sent to every site and looked up in robots.txt. Add a way to reach you.",
    )
    fetch_allow: StrList = Field(
        (),
        description="Networks (CIDR) or hosts that pages may be fetched from although they are not on the public internet.",
    )
    webhook_allow: StrList = Field((), description="The same for webhooks.")
    connect_to: StrList = Field(
        (),
        description="`HOST:PORT=ADDRESS:PORT` pairs, like curl's --connect-to; `*` matches any host. The target must be in the allow-list of the request's purpose.",
    )
    nat64_prefixes: StrList = Field(
        (),
        description="NAT64 prefixes of the network that Thresher runs in, such as `64:ff9b:1::/96`: addresses under them are judged by the IPv4 address inside. The well-known one needs no mention. See security.md.",
    )
    proxies: Annotated[dict[str, ProxyPool], NoDecode] = Field(
        default_factory=dict,
        repr=False,
        description='Proxies that pages are fetched through, in pools: `default`, and by ISO 3166-1 alpha-2 code those for batches with that `country`. As JSON: `{"default": {"url": "http://user:password@host:3128"}, "DE": {...}}`; as tables in TOML (`[proxies.default]`). `url` may be a list, used in turn. `proxy_dns = true` leaves names to the proxy, and with them the protection of what it can reach. See security.md.',
    )
    country_strict: bool = Field(
        False,
        description="Whether a `country` for which there is no proxy pool is refused. If not, the pages of such a batch are fetched like those of any other, and its items say so.",
    )
    extra_ca: Path | None = Field(
        None, description="PEM file of certificate authorities to trust besides the system's."
    )
    connections_per_host: int = Field(
        4, ge=1, le=64, description="Requests under way at one host in the whole cluster."
    )
    requests_per_second_per_host: float = Field(
        0.0,
        ge=0,
        description="Requests begun in a second at one host in the whole cluster; 0: as many as the host answers. A slower `Crawl-delay` in its robots.txt counts in any case.",
    )
    max_crawl_delay: float = Field(
        30.0,
        ge=0,
        description="Seconds between two requests that a robots.txt may ask for with `Crawl-delay`; a longer delay is cut to it, for most of these are mistakes. 0 takes no notice of them.",
    )
    fetches_per_worker: int = Field(128, ge=1, description="Requests under way in one worker process.")
    connect_timeout: float = Field(10.0, gt=0, description="Seconds to resolve, connect and shake hands, per hop.")
    attempt_timeout: float = Field(
        60.0,
        gt=0,
        description="Seconds for one attempt at an item: every redirect, the whole body, and its conversion.",
    )
    max_redirects: int = Field(10, ge=0, description="Redirects followed in one attempt.")
    max_body_bytes: int = Field(20 * MIB, ge=KIB, description="Bytes of a body as it comes over the wire.")
    fetch_memory_bytes: int = Field(
        256 * MIB,
        ge=1 * MIB,
        description="Bytes of large bodies (beyond 256 KiB) that a worker process holds at a time, from the fetch to the end of the conversion. One that does not fit waits.",
    )
    max_decoded_bytes: int = Field(64 * MIB, ge=KIB, description="Bytes of a body after decompression.")

    # -- converting
    convert_timeout: float = Field(
        20.0, gt=0, description="Seconds for converting one page, after which the converter child is replaced."
    )
    convert_cpu_seconds: float = Field(
        15.0, gt=0, description="Seconds of processor time for converting one page: on a busy machine fewer than pass."
    )
    convert_memory_bytes: int = Field(
        1 * GIB,
        ge=256 * MIB,
        description="Address space that a converter child may use beyond what it has at its start.",
    )
    max_output_bytes: int = Field(64 * MIB, ge=KIB, description="Bytes of all that is made of one page.")

    # -- documents
    document_timeout: float = Field(
        300.0, gt=0, description="Seconds for converting one document, which has many pages and a child of its own."
    )
    document_cpu_seconds: float = Field(
        240.0, gt=0, description="Seconds of processor time for converting one document."
    )
    document_memory_bytes: int = Field(
        2 * GIB,
        ge=256 * MIB,
        description="Address space that a child for documents may use beyond what it has at its start; it is started at the first document.",
    )
    document_max_bytes: int = Field(
        128 * MIB,
        ge=KIB,
        description="Bytes of one file that is converted; it is held in memory then. A larger one is skipped as size_limit_exceeded by the parse API, and fails as too_large otherwise.",
    )
    document_max_pages: int = Field(2000, ge=1, description="Pages (slides, sheets) converted of one document.")
    document_max_unpacked_bytes: int = Field(
        512 * MIB,
        ge=MIB,
        description="Bytes of what is packed in one document (DOCX, XLSX, PPTX, ODT, ODS, EPUB), in all.",
    )
    document_max_parts: int = Field(10_000, ge=1, description="Files packed in one document, and parts of one mail.")
    ocr_data: Path | None = Field(
        None,
        description="Folder with Tesseract's data (*.traineddata) for pages that are pictures. By default the one that thresher[ocr] has installed; without any, scans fail as no_text.",
    )

    # -- the life of a batch
    retries: int = Field(3, ge=0, le=10, description="Further attempts after a failure that a retry can help.")
    item_timeout: float = Field(
        600.0,
        gt=0,
        description="Seconds from an item's dispatch to its forced end; counted anew while it only waits for its turn at a host, also after a redirect to another. What is read from the store has the time of two documents besides.",
    )
    batch_timeout: float = Field(
        86_400.0,
        gt=0,
        description="Seconds from a batch's creation, of an open one from its start, to its forced end; a request may ask for fewer.",
    )
    file_retention: float = Field(
        2_592_000.0,
        ge=0,
        le=3_153_600_000.0,
        description="Seconds that an uploaded file is kept, unless it is deleted before. 30 days; 0: until it is deleted. Results of it are kept as all others.",
    )
    ephemeral_directory_seconds: float = Field(
        604_800.0,
        gt=0,
        le=3_153_600_000.0,
        description="Seconds from the creation of an ephemeral directory to its end, if its creator does not say when. 7 days. Files that are uploaded into it are kept no longer.",
    )
    retention: float = Field(
        2_592_000.0,
        gt=0,
        le=3_153_600_000.0,
        description="Seconds from a batch's end to its purge: items and results go, a tombstone with the counts stays. 30 days; at most 100 years.",
    )
    shard_size: int = Field(
        100,
        ge=1,
        le=1000,
        description="Items in a shard, the unit that a worker claims: 50 to 200 keeps the queue small and slices short.",
    )
    shards_per_worker: int = Field(16, ge=2, description="Shards that a worker process holds at a time.")
    slice_seconds: float = Field(
        20.0,
        gt=0,
        description="Seconds after which a worker hands the rest of a shard back, so that others get a turn.",
    )
    heartbeat: float = Field(10.0, gt=0, description="Seconds of silence after which a worker's shards are taken over.")
    max_starts: int = Field(
        3,
        ge=1,
        description="Times a shard may be taken over from dead workers before it is halved to find the item that kills them.",
    )
    settle_items: int = Field(64, ge=1, le=1000, description="Finished items that are written together.")
    settle_seconds: float = Field(
        0.25,
        gt=0,
        description="Seconds that a finished item waits at most for others to be written with. The last ones of a batch do not wait.",
    )
    reconcile_seconds: float = Field(
        60.0,
        gt=0,
        description="Seconds between two rounds of upkeep: of the reconciler, which repairs and enforces deadlines, and of the purge.",
    )
    stop_grace: float = Field(
        10.0,
        gt=0,
        description="Seconds that workers have, after SIGTERM or a batch's cancel, to end what is under way.",
    )

    # -- webhooks
    webhook_times: Annotated[tuple[float, ...], NoDecode] = Field(
        (0, 120, 360, 780, 1680),
        description="Seconds after the event at which it is attempted to deliver it, until the receiver answers 2xx: at 0, 2, 6, 13 and 28 minutes. After the last attempt it is given up.",
    )
    webhook_timeout: float = Field(
        30.0, gt=0, le=300, description="Seconds that the receiver of a webhook has to answer."
    )

    @field_validator("webhook_times")
    @classmethod
    def _ascending(cls, value: tuple[float, ...]) -> tuple[float, ...]:
        if not 1 <= len(value) <= 50 or value[0] != 0 or value[-1] > 2_592_000 or list(value) != sorted(value):
            raise ValueError(
                "must be 1 to 50 numbers up to 2592000: the first is 0, none is smaller than the one before"
            )
        return value

    @field_validator("fetch_allow", "webhook_allow", "webhook_times", "connect_to", "nat64_prefixes", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("proxies", mode="before")
    @classmethod
    def _json(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except ValueError:
            raise ValueError("must be a JSON object, as the text is not valid JSON") from None

    @field_validator("proxies")
    @classmethod
    def _canonical_names(cls, value: dict[str, ProxyPool]) -> dict[str, ProxyPool]:
        named = {name if name == DEFAULT_POOL else name.upper(): pool for name, pool in value.items()}
        if len(named) < len(value):
            raise ValueError("two pools have names that differ in nothing but case")
        return named

    @field_validator("user_agent")
    @classmethod
    def _one_line(cls, value: str) -> str:
        if not value.strip() or not value.isascii() or not value.isprintable():
            raise ValueError("must be one line of printable ASCII, as it goes into a header")
        return value

    @field_validator("url")
    @classmethod
    def _base(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not value.startswith(("http://", "https://")):
            raise ValueError("must begin with http:// or https://")
        return value.rstrip("/").removesuffix("/v1")

    @field_validator("data_dir")
    @classmethod
    def _absolute(cls, value: Path) -> Path:
        return value.expanduser().absolute()

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        file = os.environ.get("THRESHER_CONFIG")
        sources: tuple[PydanticBaseSettingsSource, ...] = (init_settings, env_settings)
        return (*sources, TomlConfigSettingsSource(settings_cls, Path(file))) if file else sources

    @property
    def packs_url(self) -> str:
        """The blob store's URL, resolved: `file://` under the data dir unless set."""
        return self.blob_url or (self.data_dir / "blobs").as_uri()
