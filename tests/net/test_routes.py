"""connect-to rules, and TLS: who is dialled changes, who is spoken to does not."""

import asyncio
import datetime
from pathlib import Path

import pytest
import trustme
from tests.net.kit import MakeContext, MakeFetcher, failure
from tests.origins.raw import RawOrigin, redirect, reply

from thresher.domain.failure import FailureCode
from thresher.domain.routes import Routes
from thresher.domain.url import parse


@pytest.mark.parametrize(
    ("rule", "asked", "target"),
    [
        ("a.example:80=127.0.0.1:8080", ("a.example", 80), ("127.0.0.1", 8080)),
        ("A.Example:80=127.0.0.1:8080", ("a.example", 80), ("127.0.0.1", 8080)),
        ("a.example:80=127.0.0.1:8080", ("a.example", 81), ("a.example", 81)),
        ("a.example:80=127.0.0.1:8080", ("b.example", 80), ("b.example", 80)),
        ("*:443=127.0.0.1:8443", ("any.example", 443), ("127.0.0.1", 8443)),
        ("*:*=127.0.0.1:*", ("any.example", 81), ("127.0.0.1", 81)),
        ("*:*=*:9", ("any.example", 81), ("any.example", 9)),
        ("::=:9", ("any.example", 81), None),
        (":=:9", ("any.example", 81), ("any.example", 9)),
        ("[::1]:80=[::2]:81", ("::1", 80), ("::2", 81)),
        ("a.example:80=b.example:81", ("a.example", 80), ("b.example", 81)),
    ],
)
def test_a_rule_sends_what_it_matches_to_its_target(
    rule: str, asked: tuple[str, int], target: tuple[str, int] | None
) -> None:
    if target is None:
        with pytest.raises(ValueError, match="connect-to rule"):
            Routes([rule])
    else:
        assert Routes([rule]).target(*asked) == target


def test_the_first_rule_that_matches_counts() -> None:
    routes = Routes(["a.example:*=127.0.0.2:1", "*:*=127.0.0.3:2"])
    assert routes.target("a.example", 80) == ("127.0.0.2", 1)
    assert routes.target("b.example", 80) == ("127.0.0.3", 2)


@pytest.mark.parametrize(
    "rule", ["", "a", "a:80", "a=b", "a:80=b", "a:x=b:1", "a:80=b:70000", "::1:80=b:1", "a b:80=c:1", "*.a:80=b:1"]
)
def test_a_malformed_rule_is_named(rule: str) -> None:
    with pytest.raises(ValueError, match="connect-to rule") as caught:
        Routes([rule])
    assert repr(rule) in str(caught.value)


async def test_a_routed_host_keeps_its_name_in_host_header_and_tls(
    make_fetcher: MakeFetcher,
    server_context: MakeContext,
    authority: trustme.CA,
    authority_pem: Path,
    names_asked: list[str | None],
) -> None:
    context = server_context(authority.issue_cert("shop.example"))
    async with RawOrigin({"/a": redirect("/b"), "/b": reply(b"secure")}, tls=context) as origin:
        fetcher = await make_fetcher(connect_to=[f"shop.example:443=127.0.0.1:{origin.port}"], extra_ca=authority_pem)
        fetched = await fetcher.fetch(parse("https://shop.example/a"), timeout=5)
    assert (fetched.body, fetched.url) == (b"secure", "https://shop.example/b")
    assert {seen.headers["host"] for seen in origin.seen} == {"shop.example"}
    assert names_asked == ["shop.example"]
    assert fetched.ms["connect"] > fetched.ms["tls"] > 0


async def test_a_rule_for_any_host_serves_a_whole_internet_from_one_origin(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"x")}) as origin:
        fetcher = await make_fetcher(allow=["127.0.0.1"], connect_to=[f"*:80=127.0.0.1:{origin.port}"])
        for host in ("one.example", "two.example", "8.8.8.8", "[2606:4700::1]"):
            assert (await fetcher.fetch(parse(f"http://{host}/"), timeout=5)).status == 200
    assert [seen.headers["host"] for seen in origin.seen] == ["one.example", "two.example", "8.8.8.8", "[2606:4700::1]"]


async def test_a_rule_to_a_name_is_resolved_and_judged_as_that_name(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"x")}, host="127.0.0.1") as origin:
        rules = [f"shop.example:80=localhost:{origin.port}"]
        fetcher = await make_fetcher(allow=["localhost"], connect_to=rules)
        assert (await fetcher.fetch(parse("http://shop.example/"), timeout=5)).body == b"x"
        refused = await failure(await make_fetcher(allow=["shop.example"], connect_to=rules), "http://shop.example/")
    assert refused.failure.code is FailureCode.BLOCKED_ADDRESS


async def test_a_target_outside_the_allow_list_is_refused(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({}) as canary:
        fetcher = await make_fetcher(allow=(), connect_to=[f"*:80=127.0.0.1:{canary.port}"])
        for host in ("shop.example", "8.8.8.8"):
            assert (await failure(fetcher, f"http://{host}/")).failure.code is FailureCode.BLOCKED_ADDRESS
    assert canary.connections == 0


async def test_a_certificate_of_an_unknown_authority_is_refused(
    make_fetcher: MakeFetcher, server_context: MakeContext, authority: trustme.CA
) -> None:
    async with RawOrigin({}, tls=server_context(authority.issue_cert("127.0.0.1"))) as origin:
        failed = await failure(await make_fetcher(), origin.url())
    assert failed.failure.code is FailureCode.TLS_ERROR
    assert "unknown authority" in failed.failure.detail
    assert origin.seen == []


async def test_a_certificate_for_another_host_is_refused(
    make_fetcher: MakeFetcher, server_context: MakeContext, authority: trustme.CA, authority_pem: Path
) -> None:
    async with RawOrigin({}, tls=server_context(authority.issue_cert("other.example"))) as origin:
        fetcher = await make_fetcher(extra_ca=authority_pem, connect_to=[f"*:443=127.0.0.1:{origin.port}"])
        failed = await failure(fetcher, "https://shop.example/")
    assert failed.failure.code is FailureCode.TLS_ERROR
    assert "for another host name" in failed.failure.detail
    assert origin.seen == []


async def test_an_expired_certificate_is_refused(
    make_fetcher: MakeFetcher, server_context: MakeContext, authority: trustme.CA, authority_pem: Path
) -> None:
    past = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
    context = server_context(authority.issue_cert("127.0.0.1", not_before=past, not_after=past.replace(month=2)))
    async with RawOrigin({}, tls=context) as origin:
        failed = await failure(await make_fetcher(extra_ca=authority_pem), origin.url())
    assert failed.failure.code is FailureCode.TLS_ERROR
    assert "expired" in failed.failure.detail


async def test_a_server_that_speaks_no_tls_is_a_tls_error(make_fetcher: MakeFetcher) -> None:
    def answer_plainly(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(answer_plainly, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        failed = await failure(await make_fetcher(), f"https://127.0.0.1:{port}/")
    assert failed.failure.code is FailureCode.TLS_ERROR
    assert "does not speak TLS" in failed.failure.detail
