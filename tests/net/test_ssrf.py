"""Nobody reaches through Thresher what he should not: hundreds of inputs, in every position, seen by independent witnesses."""

import json
import subprocess
import sys
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import pytest
from tests.net.kit import MakeFetcher
from tests.net.ssrf.inputs import PUBLIC, Names, allowed, hostile
from tests.net.ssrf.rig import Outcome, Rig, Witness, attempted, fetched, responders, settled
from tests.origins.proxy import ConnectProxy
from tests.origins.raw import Exchange, RawOrigin, redirect, reply

from thresher.convert.converter import Converter
from thresher.domain.address import IPAddress, forbidden
from thresher.domain.url import parse
from thresher.net.fetch import Fetcher
from thresher.pipeline.item import Tools
from thresher.pipeline.robots import Robots
from thresher.settings import Settings
from thresher.storage.database import Pool

ROOT = Path(__file__).parents[2]
ORIGIN = "127.0.0.9"  # the only address that is allowed
INPUTS = hostile()
REFUSED = {"blocked_address", "invalid_url"}


@pytest.fixture(scope="module")
def witness() -> Witness:
    return Witness()


@asynccontextmanager
async def tools(fetcher: Fetcher, pool: Pool) -> AsyncIterator[Tools]:
    settings = Settings()
    converter = Converter(
        timeout=10, memory_bytes=512 * 2**20, max_decoded_bytes=settings.max_decoded_bytes, max_output_bytes=2**20
    )
    await converter.start()
    try:
        yield Tools(fetcher, converter, Robots(fetcher, pool, settings))
    finally:
        await converter.close()


def wrong(outcomes: list[Outcome]) -> list[Outcome]:
    """Those that did not end as they must. A robots.txt that redirects to no URL at all is none, and its page is fetched."""
    return [
        outcome
        for outcome in outcomes
        if outcome[2] not in (REFUSED | {"ok"} if outcome[0] == "robots" else REFUSED)
        or (outcome[0] == "robots" and outcome[2] == "ok" and ("item", outcome[1], "invalid_url") not in outcomes)
    ]


def enough(outcomes: list[Outcome]) -> bool:
    """At least three hundred different inputs in each position."""
    counts = Counter(position for position, *_ in outcomes)
    return len(counts) == 5 and min(counts.values()) >= 300


def beside_the_database(heard: list[tuple[str, object]], url: str) -> set[tuple[str, object]]:
    """What was heard but for the connections to the tests' database, should it be one over TCP."""
    parts = urlsplit(url)
    own = {parts.hostname, "127.0.0.1", "::1"} if parts.hostname else set()
    port = parts.port or 5432
    return {
        event for event in heard if not (isinstance(event[1], tuple) and event[1][1] == port and event[1][0] in own)
    }


async def test_no_input_in_any_position_makes_a_connection_to_a_forbidden_address(
    make_fetcher: MakeFetcher, pool: Pool, database_url: str, witness: Witness
) -> None:
    async with RawOrigin(responders(INPUTS), host=ORIGIN) as origin:
        fetcher = await make_fetcher(allow=[ORIGIN], lookup=Names(ORIGIN))
        async with tools(fetcher, pool) as worker:
            with witness.listening() as heard:
                outcomes = await Rig(worker, f"origin.example:{origin.port}", INPUTS).run()
    assert enough(outcomes)
    assert wrong(outcomes) == []
    assert beside_the_database(heard, database_url) == {("connect", (ORIGIN, origin.port))}


async def test_the_witness_hears_a_connection_that_nobody_guards(witness: Witness) -> None:
    async with RawOrigin({"/": reply(b"x")}) as canary:
        with witness.listening() as heard:
            async with aiohttp.ClientSession() as session, session.get(canary.url()) as response:
                assert response.status == 200
    assert ("connect", ("127.0.0.1", canary.port)) in heard


async def test_no_input_makes_a_proxy_connect_to_a_forbidden_address_and_no_allowed_one_is_refused(
    make_fetcher: MakeFetcher, pool: Pool, database_url: str, witness: Witness
) -> None:
    controls = allowed()
    assert len(controls) >= 40
    origin = RawOrigin(responders(INPUTS), host="127.0.0.8")  # which only the proxy knows
    async with origin, ConnectProxy(lambda _: (origin.host, origin.port)) as proxy:
        for number, url in enumerate(controls):
            origin.responders[f"/control/{number}"] = redirect(url)
        for path in ("/?u=http://127.0.0.1/@10.0.0.1", "/@127.0.0.1/"):
            origin.responders[path] = origin.responders["/"]
        # Nothing at all is in the allow-list: even the origin has a public address.
        fetcher = await make_fetcher(allow=(), lookup=Names(PUBLIC), proxies={"default": {"url": proxy.url()}})
        async with tools(fetcher, pool) as worker:
            with witness.listening() as heard:
                outcomes = await Rig(worker, "origin.example", INPUTS).run()
                hostile_asked, proxy.asked = proxy.asked, []
                items = {url: await attempted(worker, url) for url in controls}
                redirects = {
                    url: await fetched(fetcher, f"http://origin.example/control/{n}") for n, url in enumerate(controls)
                }
    assert enough(outcomes)
    assert wrong(outcomes) == []
    assert set(hostile_asked) == {f"{PUBLIC}:80"}
    assert {url: code for url, code in items.items() if code != "ok"} == {}
    assert {url: code for url, code in redirects.items() if code != "ok"} == {}
    targets = {ip_address(asked.rpartition(":")[0].strip("[]")) for asked in proxy.asked}
    assert len(targets) >= 12
    assert [target for target in targets if forbidden(target)] == []
    dialled = {("connect", ("127.0.0.1", proxy.port)), ("connect", (origin.host, origin.port))}
    assert beside_the_database(heard, database_url) == dialled


async def test_a_name_that_is_rebound_between_its_judgement_and_its_use_leads_where_it_was_judged(
    make_fetcher: MakeFetcher, proxied: ConnectProxy
) -> None:
    answers = [[PUBLIC], ["127.0.0.1"]]

    async def lookup(host: str) -> list[IPAddress]:
        return [ip_address(text) for text in answers.pop(0)]

    fetcher = await make_fetcher(allow=(), lookup=lookup, proxies={"default": {"url": proxied.url()}})
    codes = [await fetched(fetcher, f"http://rebound.example/{number}") for number in range(3)]
    later = await make_fetcher(allow=(), lookup=lookup, proxies={"default": {"url": proxied.url()}})
    codes.append(await fetched(later, "http://rebound.example/"))
    assert codes == ["ok", "ok", "ok", "blocked_address"]
    assert set(proxied.asked) == {f"{PUBLIC}:80"}


@pytest.fixture
async def proxied() -> AsyncIterator[ConnectProxy]:
    """A proxy before an origin that has a page of every path's, and closes after each."""
    closing = reply(b"x", headers={"Connection": "close"})
    origin = RawOrigin({f"/{name}": closing for name in ("", "0", "1", "2")})
    async with origin, ConnectProxy(lambda _: ("127.0.0.1", origin.port)) as proxy:
        yield proxy


@pytest.mark.parametrize(
    ("url", "secrets"),
    [
        ("http://inner.example/", ["10.11.12.13", "private", "RFC"]),
        ("http://origin.example:{port}/in", ["10.11.12.13", "private", "RFC"]),
        ("http://n0.origin.example:{port}/", ["10.11.12.13", "private", "RFC"]),
        ("http://six.inner.example/", ["fd00", "unique", "RFC"]),
    ],
)
async def test_what_the_caller_sees_of_a_refusal_names_no_address_and_no_reason(
    make_fetcher: MakeFetcher, pool: Pool, url: str, secrets: list[str]
) -> None:
    known = {"inner.example": ["10.11.12.13"], "six.inner.example": ["fd00::77"]}

    async def robots(exchange: Exchange) -> None:
        inner = exchange.headers["host"].startswith("n0.")
        await (redirect("http://inner.example/") if inner else reply(b"", 404))(exchange)

    responders = {"/in": redirect("http://inner.example/"), "/robots.txt": robots}
    async with RawOrigin(responders, host=ORIGIN) as origin:
        fetcher = await make_fetcher(allow=[ORIGIN], lookup=Names(ORIGIN, known))
        async with tools(fetcher, pool) as worker:
            result = await settled(worker, parse(url.format(port=origin.port)))
    assert result.failure is not None
    assert result.failure.code == "blocked_address"
    shown = json.dumps(result.record) + result.failure.detail
    assert not [secret for secret in secrets if secret in shown]


def test_canaries_at_every_address_of_a_world_of_its_own_hear_nothing() -> None:
    ways = (["unshare", "-n"], ["unshare", "-rn"])
    permitted = next((way for way in ways if _works([*way, "ip", "link", "set", "lo", "up"])), None)
    if permitted is None:
        pytest.skip("a network namespace needs unshare and ip, and the right to use them")
    run = subprocess.run(
        [*permitted, sys.executable, "-m", "tests.net.ssrf.namespace"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=100,
    )
    assert run.returncode == 0, run.stderr[-3000:]
    said = json.loads(run.stdout.splitlines()[-1])
    if said.get("skip"):
        pytest.skip(said["skip"])
    outcomes: list[Outcome] = [(position, url, code) for position, url, code in said["outcomes"]]
    assert enough(outcomes)
    assert wrong(outcomes) == []
    assert said["heard_of_hostile"] == [[PUBLIC, 80]]
    assert len(said["controls"]) >= 40
    assert {url: code for url, code in said["controls"].items() if code != "ok"} == {}
    assert len(said["heard_of_controls"]) >= 12
    assert [at for at, _ in said["heard_of_controls"] if forbidden(ip_address(at))] == []
    # The canaries do hear: a connect that nobody guards, to each of these.
    assert {"127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "::1", "fd00:ec2::254"} == set(
        said["heard_of_plain"]
    )


def _works(command: list[str]) -> bool:
    try:
        return subprocess.run(command, capture_output=True, timeout=10, check=False).returncode == 0
    except OSError:
        return False
