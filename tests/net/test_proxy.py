"""Proxies: they are asked for addresses that were resolved and vetted here, and nothing goes past them."""

import logging
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import trustme
from tests.net.kit import MakeContext, MakeFetcher, Names, failure
from tests.origins.proxy import ConnectProxy
from tests.origins.raw import Blackhole, RawOrigin, redirect, reply

from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.net.dial import Dial
from thresher.net.fetch import Fetcher
from thresher.net.proxies import Pool, pools
from thresher.settings import ProxyPool, Settings

PUBLIC = "93.184.216.34"


@pytest.fixture
async def proxy() -> AsyncIterator[ConnectProxy]:
    async with ConnectProxy() as proxy:
        yield proxy


def through(
    *proxies: ConnectProxy, credentials: str = "", proxy_dns: bool = False, country: str = "default"
) -> dict[str, Any]:
    return {country: {"url": [proxy.url(credentials) for proxy in proxies], "proxy_dns": proxy_dns}}


async def test_a_page_comes_through_the_proxy_from_the_address_that_was_vetted(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    names = Names([PUBLIC])
    async with RawOrigin({"/": reply(b"tunnelled"), "/b": reply(b"again")}) as origin:
        proxy.leads = lambda _: ("127.0.0.1", origin.port)
        fetcher = await make_fetcher(allow=(), lookup=names, proxies=through(proxy))
        fetched = await fetcher.fetch(parse("http://shop.example/"), timeout=5)
        again = await fetcher.fetch(parse("http://shop.example/b"), timeout=5)
    assert (fetched.body, again.body) == (b"tunnelled", b"again")
    assert (fetched.family, again.family) == (4, 4)
    assert proxy.asked == [f"{PUBLIC}:80"]
    assert names.asked == ["shop.example"]
    assert [(seen.path, seen.headers["host"]) for seen in origin.seen] == [
        ("/", "shop.example"),
        ("/b", "shop.example"),
    ]
    assert "proxy-authorization" not in proxy.heads[0].lower()


async def test_tls_is_spoken_with_the_server_inside_and_under_its_name(
    make_fetcher: MakeFetcher,
    server_context: MakeContext,
    authority: trustme.CA,
    authority_pem: Path,
    names_asked: list[str | None],
    proxy: ConnectProxy,
) -> None:
    context = server_context(authority.issue_cert("shop.example"))
    async with RawOrigin({"/": reply(b"secure")}, tls=context) as origin:
        proxy.leads = lambda _: ("127.0.0.1", origin.port)
        fetcher = await make_fetcher(
            allow=(), lookup=Names(["2606:4700::1111"]), proxies=through(proxy), extra_ca=authority_pem
        )
        fetched = await fetcher.fetch(parse("https://shop.example/"), timeout=5)
        wrong = await failure(fetcher, "https://other.example/")
    assert (fetched.body, fetched.family) == (b"secure", 6)
    assert proxy.asked == ["[2606:4700::1111]:443"] * 2
    assert names_asked == ["shop.example", "other.example"]
    assert wrong.failure.code is FailureCode.TLS_ERROR
    assert "another host name" in wrong.failure.detail


@pytest.mark.parametrize("proxy_dns", [False, True])
@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "https://[::ffff:10.0.0.1]/",
        "http://0x7f.1/",
        "http://localhost/",
        "http://a.localhost./",
        "http://93.184.216.34:25/",
        "http://mail.example:25/",
    ],
)
async def test_a_forbidden_address_or_port_is_not_asked_for(
    make_fetcher: MakeFetcher, proxy: ConnectProxy, proxy_dns: bool, url: str
) -> None:
    fetcher = await make_fetcher(allow=(), lookup=Names([PUBLIC]), proxies=through(proxy, proxy_dns=proxy_dns))
    assert (await failure(fetcher, url)).failure.code is FailureCode.BLOCKED_ADDRESS
    assert proxy.connections == 0


@pytest.mark.parametrize("answer", [["10.0.0.1"], [PUBLIC, "10.0.0.1"], ["10.0.0.1", PUBLIC], ["::1"]])
async def test_a_name_with_a_private_address_is_refused_before_the_proxy_is_asked(
    make_fetcher: MakeFetcher, proxy: ConnectProxy, answer: list[str]
) -> None:
    fetcher = await make_fetcher(allow=(), lookup=Names(answer), proxies=through(proxy))
    assert (await failure(fetcher, "http://inside.example/")).failure.code is FailureCode.BLOCKED_ADDRESS
    assert proxy.connections == 0


async def test_a_redirect_behind_the_proxy_is_vetted_like_any_other(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    async with RawOrigin({"/": redirect("http://169.254.169.254/latest/")}) as origin:
        proxy.leads = lambda _: ("127.0.0.1", origin.port)
        fetcher = await make_fetcher(allow=(), lookup=Names([PUBLIC]), proxies=through(proxy))
        failed = await failure(fetcher, "http://shop.example/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    assert proxy.asked == [f"{PUBLIC}:80"]


async def test_with_proxy_dns_the_name_goes_to_the_proxy_and_is_not_looked_up_here(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    names = Names(RuntimeError("nobody may ask"))
    async with RawOrigin({"/": reply(b"by name")}) as origin:
        proxy.leads = lambda _: ("127.0.0.1", origin.port)
        fetcher = await make_fetcher(allow=(), lookup=names, proxies=through(proxy, proxy_dns=True))
        fetched = await fetcher.fetch(parse("http://shop.example:8080/"), timeout=5)
        await fetcher.fetch(parse(f"http://{PUBLIC}/"), timeout=5)
    assert fetched.body == b"by name"
    assert proxy.asked == ["shop.example:8080", f"{PUBLIC}:80"]
    assert names.asked == []


@pytest.mark.parametrize("host", ["a..example", ".a.example", f"{'a' * 64}.example", "a." * 127 + "example"])
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_a_name_that_cannot_exist_is_not_found_whoever_would_resolve_it(
    make_fetcher: MakeFetcher, proxy: ConnectProxy, scheme: str, host: str
) -> None:
    routed = await make_fetcher(connect_to=[f"*:*=127.0.0.1:{proxy.port}"])
    for fetcher in (routed, await make_fetcher(allow=(), proxies=through(proxy, proxy_dns=True))):
        assert (await failure(fetcher, f"{scheme}://{host}/")).failure.code is FailureCode.DNS_NOT_FOUND
    assert proxy.connections == 0


async def test_the_proxies_of_a_pool_take_turns(make_fetcher: MakeFetcher, proxy: ConnectProxy) -> None:
    async with RawOrigin({"/": reply(b"x")}) as origin, ConnectProxy(lambda _: ("127.0.0.1", origin.port)) as other:
        proxy.leads = other.leads
        fetcher = await make_fetcher(allow=(), lookup=Names([PUBLIC]), proxies=through(proxy, other))
        for number in range(4):
            await fetcher.fetch(parse(f"http://shop{number}.example/"), timeout=5)
    assert (proxy.connections, other.connections) == (2, 2)


async def test_each_country_has_its_proxies_and_the_rest_goes_the_usual_way(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    page = {"/": reply(b"x"), "/in": redirect("http://169.254.169.254/latest/")}
    async with RawOrigin(page) as origin, ConnectProxy(lambda _: ("127.0.0.1", origin.port)) as usual:
        proxy.leads = usual.leads
        pools = {**through(usual), **through(proxy, country="DE"), "FR": {"url": "http://127.0.0.1:9"}}
        fetcher = await make_fetcher(allow=(), lookup=Names([PUBLIC]), proxies=pools)
        assert fetcher.countries == {"DE", "FR"}
        for country, asked in (("DE", (1, 0)), (None, (1, 1)), ("DE", (1, 1))):
            await fetcher.fetch(parse("http://shop.example/"), timeout=5, country=country)
            assert (len(proxy.asked), len(usual.asked)) == asked
        for url in ("http://10.0.0.1/", "http://shop.example/in"):
            assert (await failure(fetcher, url, country="DE")).failure.code is FailureCode.BLOCKED_ADDRESS
        assert (await failure(fetcher, "http://shop.example/", country="FR")).failure.code is FailureCode.PROXY_FAILED
    assert (proxy.asked, usual.asked) == ([f"{PUBLIC}:80"], [f"{PUBLIC}:80"])


def test_a_pool_of_no_country_is_refused_by_its_name() -> None:
    pool = ProxyPool.model_validate({"url": "http://a.example:3128"})
    for name in ("UK", "RANDOM", "GERMANY", ""):
        with pytest.raises(ValueError, match=f"pool '{name}' is neither 'default' nor an ISO 3166-1"):
            pools({"default": pool, "GB": pool, name: pool})


async def test_credentials_are_sent_to_the_proxy_and_shown_to_nobody(
    make_fetcher: MakeFetcher, proxy: ConnectProxy, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    proxy.answer = b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n"
    pools = through(proxy, credentials="us%40er:s3cret@")
    fetcher = await make_fetcher(allow=(), lookup=Names([PUBLIC]), proxies=pools)
    failed = await failure(fetcher, "http://shop.example/")
    assert "Proxy-Authorization: Basic dXNAZXI6czNjcmV0\r\n" in proxy.heads[0]
    settings = Settings(proxies=pools)
    pool = Pool("default", settings.proxies["default"])
    shown = f"{failed} {failed.failure} {failed.__cause__!r} {settings!r} {settings} {pool.next()!r} {caplog.text}"
    shown += settings.model_dump_json()
    assert "s3cret" not in shown
    assert "dXNAZXI6" not in shown


@pytest.mark.parametrize(
    ("answer", "code", "detail"),
    [
        (b"HTTP/1.1 407 No\r\n\r\n", FailureCode.PROXY_FAILED, "credentials (407)"),
        (b"HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno", FailureCode.PROXY_FAILED, "(403)"),
        (b"HTTP/1.1 500 Oh\r\n\r\n", FailureCode.PROXY_FAILED, "(500)"),
        (b"HTTP/1.1 302 Go\r\nLocation: http://10.0.0.1/\r\n\r\n", FailureCode.PROXY_FAILED, "(302)"),
        (b"HTTP/1.0 502 Bad\r\n\r\n", FailureCode.CONNECT_REFUSED, "answered 502"),
        (b"HTTP/1.1 503 Bad\r\n\r\n", FailureCode.CONNECT_REFUSED, "answered 503"),
        (b"HTTP/1.1 504 Late\r\n\r\n", FailureCode.CONNECT_TIMEOUT, "answered 504"),
        (b"", FailureCode.PROXY_FAILED, "closed the connection"),
        (b"HTTP/1.1 200 OK\r\n", FailureCode.PROXY_FAILED, "closed the connection"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", FailureCode.PROXY_FAILED, "not valid HTTP"),
        (b"HTTP/1.1 2000 OK\r\n\r\n", FailureCode.PROXY_FAILED, "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", FailureCode.PROXY_FAILED, "not valid HTTP"),
        (b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 100_000, FailureCode.PROXY_FAILED, "not valid HTTP"),
        (b"\0" * 100_000, FailureCode.PROXY_FAILED, "not valid HTTP"),
    ],
)
async def test_what_a_proxy_answers_instead_of_a_tunnel_has_its_code(
    make_fetcher: MakeFetcher, proxy: ConnectProxy, answer: bytes, code: FailureCode, detail: str
) -> None:
    proxy.answer = answer
    fetcher = await make_fetcher(allow=(), lookup=Names([PUBLIC]), proxies=through(proxy))
    failed = await failure(fetcher, "https://shop.example/")
    assert (failed.failure.code, failed.status) == (code, None)
    assert detail in failed.failure.detail
    assert PUBLIC not in failed.failure.detail


async def test_a_server_that_the_proxy_cannot_reach_is_tried_at_its_next_address(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    async with RawOrigin({"/": reply(b"second")}) as origin:
        proxy.leads = lambda target: ("127.0.0.1", origin.port) if target.startswith(PUBLIC) else None
        fetcher = await make_fetcher(allow=(), lookup=Names(["2606:4700::1111", PUBLIC]), proxies=through(proxy))
        fetched = await fetcher.fetch(parse("http://shop.example/"), timeout=5)
    assert (fetched.body, fetched.family) == (b"second", 4)
    assert proxy.asked == ["[2606:4700::1111]:80", f"{PUBLIC}:80"]


async def test_a_proxy_that_refuses_is_not_asked_for_the_next_address(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    proxy.answer = b"HTTP/1.1 407 No\r\n\r\n"
    fetcher = await make_fetcher(allow=(), lookup=Names(["2606:4700::1111", PUBLIC]), proxies=through(proxy))
    await failure(fetcher, "http://shop.example/")
    assert len(proxy.asked) == 1


async def test_a_proxy_that_is_down_has_its_code_and_nothing_goes_past_it(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"direct")}) as origin:
        pools = {"default": {"url": "http://127.0.0.1:9"}}
        failed = await failure(await make_fetcher(proxies=pools), origin.url())
        nameless = {"default": {"url": "http://proxy.example:3128"}}
        lost = await failure(await make_fetcher(proxies=nameless, lookup=Names([])), origin.url())
    assert (failed.failure.code, lost.failure.code) == (FailureCode.PROXY_FAILED, FailureCode.PROXY_FAILED)
    assert "ECONNREFUSED" in failed.failure.detail
    assert "no address" in lost.failure.detail
    assert origin.connections == 0


async def test_a_proxy_that_hangs_is_told_from_one_that_cannot_be_reached(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    proxy.answer, proxy.hold = b"HTTP/1.1 200", True
    slow = await make_fetcher(lookup=Names([PUBLIC]), proxies=through(proxy), connect_timeout=0.2)
    hung = await failure(slow, "http://shop.example/")
    assert (hung.failure.code, "proxy" in hung.failure.detail) == (FailureCode.CONNECT_TIMEOUT, True)
    with Blackhole() as hole:
        pools = {"default": {"url": f"http://127.0.0.1:{hole.port}"}}
        lost = await make_fetcher(lookup=Names([PUBLIC]), proxies=pools, connect_timeout=0.2)
        unreached = await failure(lost, "http://shop.example/")
    assert (unreached.failure.code, "proxy" in unreached.failure.detail) == (FailureCode.PROXY_FAILED, True)


async def test_pages_go_through_the_pool_of_the_settings_and_webhooks_do_not(proxy: ConnectProxy) -> None:
    settings = Settings(proxies=through(proxy), webhook_allow="127.0.0.1", max_redirects=0)  # type: ignore[arg-type]
    async with RawOrigin({"/": reply(b"x")}) as origin:
        proxy.leads = lambda _: ("127.0.0.1", origin.port)
        async with Fetcher.from_settings(settings) as fetcher:
            assert (await fetcher.fetch(parse(f"http://{PUBLIC}/"), timeout=5)).body == b"x"
        webhooks = Dial.from_settings(settings, "webhook")
        async with webhooks.session() as session, session.get(origin.url()) as response:
            assert response.status == 200
        webhooks.close()
    assert proxy.asked == [f"{PUBLIC}:80"]


async def test_a_routed_host_is_asked_for_where_it_was_routed_to(
    make_fetcher: MakeFetcher, proxy: ConnectProxy
) -> None:
    async with RawOrigin({"/": reply(b"routed")}) as origin:
        proxy.leads = lambda _: ("127.0.0.1", origin.port)
        rules = [f"shop.example:80={PUBLIC}:8080", "inner.example:80=10.0.0.1:80"]
        fetcher = await make_fetcher(allow=(), connect_to=rules, proxies=through(proxy))
        assert (await fetcher.fetch(parse("http://shop.example/"), timeout=5)).body == b"routed"
        refused = await failure(fetcher, "http://inner.example/")
    assert refused.failure.code is FailureCode.BLOCKED_ADDRESS
    assert proxy.asked == [f"{PUBLIC}:8080"]


async def test_with_a_pool_no_socket_is_made_past_the_proxy(proxy: ConnectProxy) -> None:
    pools = {name: ProxyPool.model_validate(pool) for name, pool in through(proxy, country="DE").items()}
    dial = Dial(allow=("127.0.0.1",), connect_to=(), extra_ca=None, connect_timeout=1, limit=1, proxies=pools)
    async with (
        RawOrigin({"/": reply(b"direct")}) as origin,
        dial.session(country="DE") as session,
        dial.session() as direct,
    ):
        make_socket = session.connector._socket_factory  # type: ignore[union-attr]
        with pytest.raises(OSError, match="not one that may be dialled"):
            make_socket((2, 1, 6, "", ("127.0.0.1", origin.port)))
        async with direct.get(origin.url()) as response:  # there are no default proxies
            assert await response.read() == b"direct"
        with pytest.raises(KeyError):
            dial.session(country="FR")  # not past the proxies of a country, whoever asks for one that has none
    dial.close()
    assert proxy.connections == 0


@pytest.mark.parametrize(
    "url",
    [
        "socks5://u:s3cret@h:1",
        "https://u:s3cret@h:1",
        "http://u:s3cret@h:1/path",
        "u:s3cret@h:1",
        "http://u:s3cret@",
        "x",
    ],
)
def test_a_url_that_is_no_proxy_is_refused_by_its_pool_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match="proxy pool 'de'") as caught:
        Pool("de", ProxyPool.model_validate({"url": url}))
    assert "s3cret" not in str(caught.value)
