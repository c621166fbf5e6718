"""The one URL parser: what it takes, what it refuses, and what politeness reads from it."""

import pytest

from thresher.domain.url import BUCKETS, InvalidUrl, bucket, is_address, parse, site, without_credentials


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("http://example.com", "http://example.com/"),
        ("HTTP://EXAMPLE.com:80/a/../b", "http://example.com/b"),
        ("https://example.com:443/?q=a b", "https://example.com/?q=a%20b"),
        ("https://bücher.example/ü", "https://xn--bcher-kva.example/%C3%BC"),
        ("  http://example.com/\n", "http://example.com/"),
        ("http:\\\\example.com\\a", "http://example.com/a"),
        ("http://example.com/%7Efoo/%zz", "http://example.com/%7Efoo/%zz"),
        ("http://example.com/a#b", "http://example.com/a#b"),
        ("http://[2001:DB8::0:1]:8080/", "http://[2001:db8::1]:8080/"),
    ],
)
def test_a_url_is_normalised_as_a_browser_does(text: str, href: str) -> None:
    assert parse(text).href == href


@pytest.mark.parametrize(
    "text",
    [
        "http://2130706433/",
        "http://0x7f000001/",
        "http://0x7f.1/",
        "http://0177.0.0.1/",
        "http://017700000001/",
        "http://127.1/",
        "http://127.0.0.1./",
        "http://127.0.0.1/",
        "http://%31%32%37.0.0.1/",
        "http://127.0.0.1%2e/",
        "http://１２７.０.０.１/",
        "http://①②⑦.0.0.1/",
        "http://127。0。0。1/",
        "http://127．0．0．1．/",
        "http://127｡0｡0｡1｡/",
        "http://0x7F.0.0.0x1/",
        "http://127.0x0.01/",
        "http://00000000177.1/",
        "http://127\t.0\n.0\r.1/",
        "http:\\\\127.0.0.1\\@public.example/",
        "http:127.0.0.1",
        "http:///127.0.0.1",
        "http://127.0.0.1?@public.example/",
        "http://127.0.0.1#@public.example/",
    ],
)
def test_every_notation_of_an_ipv4_address_becomes_the_address(text: str) -> None:
    parsed = parse(text)
    assert parsed.host == "127.0.0.1"
    assert is_address(parsed.host)


@pytest.mark.parametrize("written", ["::1", "0:0:0:0:0:0:0:1", "0000::0001", "::0.0.0.1", "0::0:1", "::0:0:1"])
def test_every_notation_of_an_ipv6_address_becomes_the_address(written: str) -> None:
    assert (parse(f"http://[{written}]/").host, parse(f"http://[{written.upper()}]:80/").host) == ("::1", "::1")


@pytest.mark.parametrize("dot", [".", "%2e", "。", "．", "｡"])
def test_a_trailing_dot_is_sent_and_makes_no_other_host(dot: str) -> None:
    dotted, plain = parse(f"http://www.example.com{dot}/a"), parse("http://www.example.com/a")
    assert dotted.href == "http://www.example.com./a"
    assert (dotted.host, dotted.origin) == (plain.host, plain.origin)
    assert bucket(dotted.host) == bucket(plain.host)


@pytest.mark.parametrize(
    "host", ["LOCALHOST", "ｌｏｃａｌｈｏｓｔ", "ⓛocalhost", "local\u00adhost", "localhost.", "%6cocalhost"]
)
def test_every_notation_of_a_name_becomes_the_name(host: str) -> None:
    assert parse(f"http://{host}/").host == "localhost"


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "not a valid absolute URL"),
        ("example.com/a", "not a valid absolute URL"),
        ("//example.com/", "not a valid absolute URL"),
        ("http://", "not a valid"),
        ("http://256.1.1.1/", "not a valid"),
        ("http://1.2.3.4.5/", "not a valid"),
        ("http://exa mple.com/", "not a valid"),
        ("http://[::1/", "not a valid"),
        ("http://[fe80::1%25eth0]/", "not a valid"),
        ("http://[::1%25lo]/", "not a valid"),
        ("http://[fe80::1%eth0]/", "not a valid"),
        ("http://%5b::1%5d/", "not a valid"),
        ("http://[::ffff:127.1]/", "not a valid"),
        ("http://127.0.0.1%00.example/", "not a valid"),
        ("http://4294967296/", "not a valid"),
        ("http://127.0.0.1../", "empty label"),
        ("http://localhost../", "empty label"),
        ("http://./", "empty label"),
        ("http://public.example@127.0.0.1/", "user name"),
        ("http://127.0.0.1:80@public.example/", "user name"),
        ("http://example.com:65536/", "not a valid"),
        ("http://example.com:0/", "port"),
        ("ftp://example.com/", "scheme"),
        ("file:///etc/passwd", "scheme"),
        ("javascript:alert(1)", "scheme"),
        ("http://user@example.com/", "user name"),
        ("http://:secret@example.com/", "user name"),
        ("http://user:secret@example.com/", "user name"),
    ],
)
def test_what_is_no_fetchable_url_is_refused_with_the_reason(text: str, why: str) -> None:
    with pytest.raises(InvalidUrl, match=why) as caught:
        parse(text)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "href"),
    [
        ("b", "https://example.com/x/b"),
        ("/b", "https://example.com/b"),
        ("?q", "https://example.com/x/a?q"),
        ("//other.example/b", "https://other.example/b"),
        ("http://other.example", "http://other.example/"),
        ("https:b", "https://example.com/x/b"),
    ],
)
def test_a_reference_is_resolved_against_its_base(text: str, href: str) -> None:
    assert parse(text, "https://example.com/x/a?p#f").href == href


def test_a_reference_may_not_leave_http() -> None:
    with pytest.raises(InvalidUrl, match="scheme"):
        parse("file:///etc/passwd", "http://example.com/")


@pytest.mark.parametrize(
    ("text", "origin", "host", "port"),
    [
        ("http://example.com/a", "http://example.com", "example.com", 80),
        ("https://example.com/a", "https://example.com", "example.com", 443),
        ("https://example.com:80/a", "https://example.com:80", "example.com", 80),
        ("http://[::1]/", "http://[::1]", "::1", 80),
        ("http://[::1]:81/", "http://[::1]:81", "::1", 81),
    ],
)
def test_the_origin_has_a_port_only_if_it_is_not_the_default(text: str, origin: str, host: str, port: int) -> None:
    parsed = parse(text)
    assert (parsed.origin, parsed.host, parsed.port) == (origin, host, port)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("www.example.com", "example.com"),
        ("a.b.example.co.uk", "example.co.uk"),
        ("co.uk", "co.uk"),
        ("localhost", "localhost"),
        ("127.0.0.1", "127.0.0.1"),
        ("2001:db8::1", "2001:db8::1"),
        ("www.xn--bcher-kva.de", "xn--bcher-kva.de"),
    ],
)
def test_the_site_is_the_registrable_domain(host: str, expected: str) -> None:
    assert site(host) == expected


def test_an_operators_own_url_is_parted_from_its_credentials() -> None:
    url, user, password = without_credentials("http://us%40er:p%3Aw@proxy.example:3128")
    assert (url.href, user, password) == ("http://proxy.example:3128/", "us@er", "p:w")
    assert without_credentials("http://proxy.example")[1:] == ("", "")


@pytest.mark.parametrize(
    "text", ["", "socks5://user:secret@proxy.example", "user:secret@proxy.example:3128", "http://u:secret@"]
)
def test_an_operators_url_that_is_none_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(InvalidUrl) as caught:
        without_credentials(text)
    assert "secret" not in str(caught.value)


def test_hosts_of_a_site_share_a_bucket_and_sites_spread_over_all() -> None:
    assert bucket("a.example.com") == bucket("b.c.example.com") == bucket("example.com")
    assert {bucket(f"site{n}.example") for n in range(20_000)} == set(range(BUCKETS))


def test_a_bucket_never_moves() -> None:
    # Stored in shards, and computed by machines of different releases: these values are a promise.
    assert (bucket("example.com"), bucket("127.0.0.1")) == (387, 479)
