"""The forecast of a batch as models, for /openapi.json and /docs alone: it is written by forecast_view.py."""

from typing import Literal

from pydantic import Field

from thresher.api.olostep.schemas import Schema


class ForecastCounts(Schema):
    total: int
    refused: int = Field(description="Items for which a create would refuse the whole body.")
    failing: int = Field(description="Of the others, those of which it is known by now that they will fail.")
    unique_urls: int = Field(description="Different URLs, as a browser reads them, of all that are not refused.")
    files: int = Field(description="Different files of these.")
    duplicates: int = Field(description="Items more than that.")


class Place(Schema):
    index: int = Field(description="In the array of items, from 0.")
    custom_id: str | None
    url: str | None = Field(description="Shortened, if it is long.")
    code: str = Field(description="Of what is refused: invalid_ or duplicate_ and the field; else a failure code.")
    reason: str


class ForecastRobots(Schema):
    mode: Literal["obey", "report", "ignore"]
    allowed: int | None = Field(description="Items; null where robots.txt is not asked.")
    disallowed: int | None
    unknown: int | None
    unknown_hosts: int | None


class ForecastHost(Schema):
    host: str
    items: int
    urls: int = Field(
        description="Requests for pages there: one for all items with the same URL that are asked for alike."
    )
    robots_known: bool | None
    crawl_delay: float | None = Field(description="Seconds, as its robots.txt states it.")
    interval: float = Field(description="Seconds that will be kept between two requests.")
    pause: float = Field(description="Seconds until the host may be asked again.")


class ForecastHosts(Schema):
    total: int
    largest: list[ForecastHost] = Field(description="Up to 20, those with the most items first.")


class ForecastCredits(Schema):
    most: int = Field(description="What a create would reserve.")
    most_usd: float
    available: int | None = Field(description="Null: any number.")
    sufficient: bool = Field(description="false: a create would be a 402.")


class SlowestHost(Schema):
    host: str
    seconds: float
    urls: int
    before: int = Field(description="Items of other batches that are before them there.")
    pause: float
    interval: float
    seconds_per_page: float | None = Field(description="As measured there, or of all hosts.")


class ForecastServer(Schema):
    seconds: float | None
    urls: int
    before: int = Field(description="Items of other batches that are served before the last of this one.")


class Measured(Schema):
    of: Literal["account", "cluster"]
    batches: int
    items_per_second: float
    seconds_per_page: float | None


class ForecastDuration(Schema):
    seconds: float | None = Field(description="Null where there is no measure for it.")
    reason: str | None = Field(description="Why it is null.")
    within_timeout: bool | None
    slowest_host: SlowestHost | None
    server: ForecastServer
    measured: Measured | None


class BatchForecast(Schema):
    """With `dry_run`: what would become of the batch."""

    object: Literal["batch_forecast"]
    accepted: bool = Field(description="Whether a create would be taken.")
    counts: ForecastCounts
    refused: list[Place] = Field(description="The first 100.")
    failing: list[Place] = Field(description="The first 100.")
    failing_by_code: dict[str, int]
    robots: ForecastRobots
    hosts: ForecastHosts
    credits: ForecastCredits
    duration: ForecastDuration
