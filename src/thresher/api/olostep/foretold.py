"""The forecast of a batch: what was asked, and what the database knows, put together. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thresher.api.olostep import forecast_view as view
from thresher.api.olostep.refusals import Refusals
from thresher.api.olostep.requests import CreateBatch
from thresher.domain import credit, reach
from thresher.domain.address import AllowList
from thresher.domain.choices import RobotsMode
from thresher.domain.duration import Lane, duration
from thresher.domain.embedded import nat64_prefix
from thresher.domain.forecast import HostLoad, Known, Refusal, Site, foresee
from thresher.domain.routes import Routes
from thresher.settings import Settings
from thresher.storage import submit
from thresher.storage.files import File
from thresher.storage.ledger import Statement
from thresher.storage.outlook import Measured, Queue, Wait, read_rules


@dataclass(frozen=True, slots=True)
class Asked:
    """A create request as far as it is right, what of it is refused, and the sites and the files of the rest, by positions in the body."""

    wanted: CreateBatch
    refusals: Refusals
    sites: list[Site]
    files: list[tuple[int, File]]
    robots: RobotsMode


@dataclass(frozen=True, slots=True)
class Met:
    """What the batch would meet: the account, hosts that are to wait, robots.txt rules, the queue, the pace of late."""

    statement: Statement
    waits: Mapping[str, Wait]
    rules: Mapping[str, str]
    queue: Queue
    measured: Measured | None


def tell(asked: Asked, met: Met, settings: Settings) -> dict[str, Any]:
    """The reply."""
    wanted, refusals = asked.wanted, asked.refusals
    told = foresee(asked.sites, asked.robots, _known(met, settings), _refusal(settings))
    told.add_files(((position, file.id, file.size) for position, file in asked.files), settings.document_max_bytes)
    lanes = {host.host: _lane(host, met, settings) for host in told.hosts.values()}
    pace = met.measured.pace if met.measured else None
    takes = duration(list(lanes.values()), met.queue.items, pace, settings.connections_per_host, told.files)
    most = submit.cost(wanted.items, credit.price(wanted.options))
    spending = view.credits_view(most, met.statement, settings.usd_per_credit)
    return {
        "object": "batch_forecast",
        "accepted": not refusals.count and spending["sufficient"],
        "counts": view.counts_view(refusals, told),
        "refused": view.refused_view(refusals),
        **view.failing_view(refusals.entries, told),
        "robots": view.robots_view(told, asked.robots),
        "hosts": view.hosts_view(told.hosts, lanes, asked.robots),
        "credits": spending,
        "duration": view.duration_view(takes, met.queue.items, met.measured, wanted.lifetime),
    }


def _known(met: Met, settings: Settings) -> Known:
    hopeless = {
        host: f"The host has asked for fewer requests, and is left alone for another {wait.seconds:.0f} seconds."
        for host, wait in met.waits.items()
        if wait.strikes and wait.seconds > settings.item_timeout
    }
    return Known(met.rules, read_rules, hopeless)


def _refusal(settings: Settings) -> Refusal:
    """What the dial will say, as far as the text of a URL tells: of where a connection for it would go."""
    routes, allow = Routes(settings.connect_to), AllowList(settings.fetch_allow)
    nat64 = [nat64_prefix(text) for text in settings.nat64_prefixes]
    return lambda host, port: reach.refusal(*routes.target(host, port), allow, nat64)


def _lane(host: HostLoad, met: Met, settings: Settings) -> Lane:
    rate = settings.requests_per_second_per_host
    interval = max(1 / rate if rate else 0.0, min(host.crawl_delay or 0.0, settings.max_crawl_delay))
    wait = met.waits.get(host.host)
    return Lane(
        host.host,
        host.urls,
        before=met.queue.of_hosts.get(host.host, 0),
        wait=wait.seconds if wait else 0.0,
        interval=interval,
        page=met.measured.pages.get(host.host) if met.measured else None,
    )
