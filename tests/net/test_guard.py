"""What must never be dialled is not: each test has a canary where the forbidden connection would arrive."""

import asyncio
import socket

import pytest
from tests.net.kit import MakeFetcher, Names, failure
from tests.origins.raw import RawOrigin, redirect, reply

from thresher.domain.address import IPAddress
from thresher.domain.failure import FailureCode
from thresher.domain.url import parse
from thresher.net.connector import Passage, passage
from thresher.net.dial import Dial


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0x7f.1",
        "127.1",
        "127.0.0.1.",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[::127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
        "0",
        "localhost",
        "LOCALHOST",
    ],
)
async def test_no_notation_of_a_loopback_address_is_dialled(make_fetcher: MakeFetcher, host: str) -> None:
    async with RawOrigin({}) as canary:
        failed = await failure(await make_fetcher(allow=()), f"http://{host}:{canary.port}/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    assert canary.connections == 0


async def test_the_failure_does_not_reveal_the_address(make_fetcher: MakeFetcher) -> None:
    fetcher = await make_fetcher(allow=(), lookup=Names(["10.11.12.13"]))
    failed = await failure(fetcher, "http://inside.example/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    text = f"{failed} {failed.failure.detail} {failed.__cause__}"
    assert "10.11" not in text
    assert "private" not in text


async def test_a_redirect_to_a_private_address_is_refused(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({}, host="127.0.0.3") as canary, RawOrigin({}, host="127.0.0.2") as origin:
        origin.responders["/"] = redirect(canary.url())
        failed = await failure(await make_fetcher(allow=["127.0.0.2/32"]), origin.url())
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    assert canary.connections == 0
    assert len(origin.seen) == 1


@pytest.mark.parametrize(
    "location",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "gopher://127.0.0.1/",
        "javascript:1",
        "http://u:secret@127.0.0.1/",
        "http://",
        "//:80",
    ],
)
async def test_a_redirect_to_what_is_no_plain_http_url_is_refused(make_fetcher: MakeFetcher, location: str) -> None:
    async with RawOrigin({"/": redirect(location)}) as origin:
        failed = await failure(await make_fetcher(), origin.url())
    assert failed.failure.code is FailureCode.INVALID_URL
    assert "secret" not in failed.failure.detail
    assert len(origin.seen) == 1


async def test_an_answer_with_one_private_address_among_good_ones_is_refused_whole(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({}, host="127.0.0.2") as good:
        fetcher = await make_fetcher(allow=["127.0.0.2"], lookup=Names(["127.0.0.2", "127.0.0.3"]))
        failed = await failure(fetcher, f"http://mixed.example:{good.port}/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    assert good.connections == 0


async def test_a_name_that_is_rebound_after_vetting_is_dialled_where_it_was_vetted(make_fetcher: MakeFetcher) -> None:
    names = Names(["127.0.0.2"], ["127.0.0.3"])
    async with RawOrigin({"/": reply(b"x", headers={"Connection": "close"})}, host="127.0.0.2") as good:
        canary = RawOrigin({}, host="127.0.0.3")
        canary.port = good.port  # the same port, so that only the address tells them apart
        async with canary:
            fetcher = await make_fetcher(allow=["127.0.0.2"], lookup=names)
            target = parse(f"http://rebound.example:{good.port}/")
            for _ in range(2):
                assert (await fetcher.fetch(target, timeout=5)).body == b"x"
    assert names.asked == ["rebound.example"]  # the second connection took the vetted answer too
    assert (good.connections, canary.connections) == (2, 0)


async def test_a_name_that_is_private_at_the_next_lookup_is_refused_then(make_fetcher: MakeFetcher) -> None:
    names = Names(["127.0.0.2"], ["127.0.0.3"])
    async with RawOrigin({"/": reply(b"x", headers={"Connection": "close"})}, host="127.0.0.2") as good:
        target = f"http://rebound.example:{good.port}/"
        await (await make_fetcher(allow=["127.0.0.2"], lookup=names)).fetch(parse(target), timeout=5)
        failed = await failure(await make_fetcher(allow=["127.0.0.2"], lookup=names), target)
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    assert len(names.asked) == 2


@pytest.mark.parametrize("host", ["localhost", "localhost.", "a.localhost", "A.B.LocalHost.", "ｌｏｃａｌｈｏｓｔ"])
@pytest.mark.parametrize(
    "answer", [socket.gaierror(socket.EAI_NONAME, "scripted"), [], ["8.8.8.8"], ["8.8.8.8", "::1"]]
)
async def test_a_name_of_the_machine_itself_is_loopback_whatever_the_lookup_says(
    make_fetcher: MakeFetcher, host: str, answer: list[str] | Exception
) -> None:
    async with RawOrigin({"/": reply(b"mine")}) as canary:
        refused = await failure(await make_fetcher(allow=(), lookup=Names(answer)), f"http://{host}:{canary.port}/")
        assert refused.failure.code is FailureCode.BLOCKED_ADDRESS
        assert canary.connections == 0
        if answer != ["8.8.8.8", "::1"]:
            fetcher = await make_fetcher(allow=["127.0.0.1"], lookup=Names(answer))
            assert (await fetcher.fetch(parse(f"http://{host}:{canary.port}/"), timeout=5)).body == b"mine"


async def test_a_trailing_dot_makes_no_other_host_for_the_rules(make_fetcher: MakeFetcher) -> None:
    names = Names(["127.0.0.1"])
    async with RawOrigin({"/": reply(b"mine")}) as origin:
        rule = f"intra.example:80=127.0.0.1:{origin.port}"
        fetcher = await make_fetcher(allow=["127.0.0.1"], connect_to=[rule])
        assert (await fetcher.fetch(parse("http://intra.example./"), timeout=5)).url == "http://intra.example./"
        fetcher = await make_fetcher(allow=["intra.example"], lookup=names)
        assert (await fetcher.fetch(parse(f"http://intra.example.:{origin.port}/"), timeout=5)).body == b"mine"
    assert names.asked == ["intra.example."]  # with its dot, it is not looked for in the machine's search domains


async def test_an_address_under_a_known_nat64_prefix_is_judged_by_what_is_inside(make_fetcher: MakeFetcher) -> None:
    names = Names(["64:ff9b:1::10.0.0.1"])
    failed = await failure(await make_fetcher(lookup=names, nat64=["64:ff9b:1::/96"]), "http://six.example/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    names = Names(["64:ff9b:1::8.8.8.8"])
    blocked = await failure(await make_fetcher(lookup=names, connect_timeout=0.2), "http://six.example/")
    assert blocked.failure.code is FailureCode.BLOCKED_ADDRESS
    # Let through, and there is no such network here.
    passed = await failure(
        await make_fetcher(lookup=names, nat64=["64:ff9b:1::/96"], connect_timeout=0.2), "http://six.example/"
    )
    assert passed.failure.code in {FailureCode.CONNECT_REFUSED, FailureCode.CONNECT_TIMEOUT}


async def test_an_allowed_host_name_may_be_private_and_no_other_name_there(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"mine")}) as origin:
        fetcher = await make_fetcher(allow=["intra.example"], lookup=Names(["127.0.0.1"]))
        assert (await fetcher.fetch(parse(f"http://intra.example:{origin.port}/"), timeout=5)).body == b"mine"
        for other in ("other.example", "127.0.0.1"):
            failed = await failure(fetcher, f"http://{other}:{origin.port}/")
            assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    assert origin.connections == 1


async def test_a_name_is_dialled_at_its_next_address_if_the_first_refuses(make_fetcher: MakeFetcher) -> None:
    async with RawOrigin({"/": reply(b"second")}, host="127.0.0.2") as origin:
        fetcher = await make_fetcher(lookup=Names(["127.0.0.9", "127.0.0.2"]))
        fetched = await fetcher.fetch(parse(f"http://two.example:{origin.port}/"), timeout=5)
    assert fetched.body == b"second"


@pytest.mark.parametrize("port", [22, 25, 6667])
async def test_a_bad_port_of_a_public_address_is_refused(make_fetcher: MakeFetcher, port: int) -> None:
    failed = await failure(await make_fetcher(lookup=Names(["8.8.8.8"])), f"http://public.example:{port}/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS
    failed = await failure(await make_fetcher(), f"http://8.8.8.8:{port}/")
    assert failed.failure.code is FailureCode.BLOCKED_ADDRESS


async def test_a_bad_port_of_an_allowed_address_is_dialled(make_fetcher: MakeFetcher) -> None:
    failed = await failure(await make_fetcher(), "http://127.0.0.77:25/")
    assert failed.failure.code is FailureCode.CONNECT_REFUSED


async def test_the_socket_factory_alone_would_refuse_too() -> None:
    dial = Dial(allow=(), connect_to=(), extra_ca=None, connect_timeout=1, limit=1)
    async with RawOrigin({}) as canary, dial.session() as session:
        make_socket = session.connector._socket_factory  # type: ignore[union-attr]
        info = (socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", canary.port))
        for way in (None, Passage(host="harmless.example")):
            if way:
                passage.set(way)
            with pytest.raises(OSError, match="not one that may be dialled"):
                make_socket(info)
    dial.close()
    assert canary.connections == 0


async def test_a_proxy_of_the_environment_is_ignored(
    make_fetcher: MakeFetcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with RawOrigin({}) as proxy, RawOrigin({"/": reply(b"direct")}) as origin:
        monkeypatch.setenv("http_proxy", proxy.url())
        monkeypatch.setenv("HTTP_PROXY", proxy.url())
        monkeypatch.setenv("all_proxy", proxy.url())
        fetched = await (await make_fetcher()).fetch(parse(origin.url()), timeout=5)
    assert fetched.body == b"direct"
    assert proxy.connections == 0


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (socket.EAI_NONAME, FailureCode.DNS_NOT_FOUND),
        (socket.EAI_NODATA, FailureCode.DNS_NOT_FOUND),
        (socket.EAI_AGAIN, FailureCode.DNS_FAILED),
        (socket.EAI_FAIL, FailureCode.DNS_FAILED),
        (socket.EAI_SYSTEM, FailureCode.DNS_FAILED),
    ],
)
async def test_a_name_that_does_not_exist_is_told_from_a_resolver_that_failed(
    make_fetcher: MakeFetcher, number: int, code: FailureCode
) -> None:
    fetcher = await make_fetcher(lookup=Names(socket.gaierror(number, "scripted")))
    assert (await failure(fetcher, "http://name.example/")).failure.code is code


async def test_a_name_without_addresses_does_not_exist(make_fetcher: MakeFetcher) -> None:
    failed = await failure(await make_fetcher(lookup=Names([])), "http://name.example/")
    assert failed.failure.code is FailureCode.DNS_NOT_FOUND


async def test_a_resolver_that_does_not_answer_is_a_dns_failure(make_fetcher: MakeFetcher) -> None:
    async def silent(host: str) -> list[IPAddress]:
        await asyncio.Event().wait()
        return []

    failed = await failure(await make_fetcher(lookup=silent, connect_timeout=0.1), "http://name.example/")
    assert failed.failure.code is FailureCode.DNS_FAILED


@pytest.mark.parametrize("host", ["a" * 64 + ".invalid", "a..b.invalid"])
async def test_a_name_that_dns_cannot_carry_is_a_dns_failure(make_fetcher: MakeFetcher, host: str) -> None:
    failed = await failure(await make_fetcher(), f"http://{host}/")
    assert failed.failure.code in {FailureCode.DNS_NOT_FOUND, FailureCode.DNS_FAILED}
