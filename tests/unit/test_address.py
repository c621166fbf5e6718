"""The tables of forbidden networks, IPv4 inside of IPv6, the allow-list, and the vetting of whole answers."""

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.domain.address import AllowList, forbidden, forbidden_name, parse_address, vet
from thresher.domain.embedded import NAT64_LENGTHS, embedded, nat64_prefix
from thresher.domain.networks import ROWS
from thresher.domain.ports import BAD_PORTS

# Written down a second time, from the registries: network, a word of its reason, and which neighbours are public
# (b: the one before, a: the one after).
REGISTRY_V4 = [
    ("0.0.0.0/8", "RFC 791", "a"),
    ("10.0.0.0/8", "RFC 1918", "ba"),
    ("100.64.0.0/10", "RFC 6598", "ba"),
    ("100.100.100.200/32", "metadata", ""),
    ("127.0.0.0/8", "RFC 1122", "ba"),
    ("168.63.129.16/32", "Azure", "ba"),
    ("192.80.8.124/32", "Equinix", "ba"),
    ("169.254.0.0/16", "RFC 3927", "ba"),
    ("169.254.0.23/32", "metadata", ""),
    ("169.254.42.42/32", "metadata", ""),
    ("169.254.169.254/32", "metadata", ""),
    ("169.254.170.2/32", "metadata", ""),
    ("169.254.170.23/32", "metadata", ""),
    ("172.16.0.0/12", "RFC 1918", "ba"),
    ("192.0.0.0/24", "RFC ", "ba"),
    ("192.0.0.0/29", "RFC 7335", "b"),
    ("192.0.0.8/32", "RFC 7600", ""),
    ("192.0.0.9/32", "RFC 7723", ""),
    ("192.0.0.10/32", "RFC 8155", ""),
    ("192.0.0.170/31", "RFC 7050", ""),
    ("192.0.0.192/32", "metadata", ""),
    ("192.0.2.0/24", "RFC 5737", "ba"),
    ("192.31.196.0/24", "RFC 7535", "ba"),
    ("192.52.193.0/24", "RFC 7450", "ba"),
    ("192.88.99.0/24", "RFC 7526", "ba"),
    ("192.88.99.2/32", "RFC 6751", ""),
    ("192.168.0.0/16", "RFC 1918", "ba"),
    ("192.175.48.0/24", "RFC 7534", "ba"),
    ("198.18.0.0/15", "RFC 2544", "ba"),
    ("198.51.100.0/24", "RFC 5737", "ba"),
    ("203.0.113.0/24", "RFC 5737", "ba"),
    ("224.0.0.0/4", "RFC 5771", "b"),
    ("240.0.0.0/4", "RFC ", ""),
    ("255.255.255.255/32", "RFC 919", ""),
]
REGISTRY_V6 = [
    ("::/128", "RFC 4291", ""),
    ("::1/128", "loopback", ""),
    ("64:ff9b:1::/48", "RFC 8215", ""),
    ("100::/64", "RFC 6666", ""),
    ("100:0:0:1::/64", "RFC 9780", ""),
    ("2001::/23", "RFC ", "ba"),
    ("2001:1::1/128", "RFC 7723", ""),
    ("2001:1::2/128", "RFC 8155", ""),
    ("2001:1::3/128", "RFC 9665", ""),
    ("2001:2::/48", "RFC 5180", ""),
    ("2001:3::/32", "RFC 7450", ""),
    ("2001:4:112::/48", "RFC 7535", ""),
    ("2001:10::/28", "RFC 4843", ""),
    ("2001:20::/28", "RFC 7343", ""),
    ("2001:30::/28", "RFC 9374", ""),
    ("2001:db8::/32", "RFC 3849", "ba"),
    ("2620:4f:8000::/48", "RFC 7534", "ba"),
    ("3fff::/20", "RFC 9637", "ba"),
    ("5f00::/16", "RFC 9602", ""),
    ("fc00::/7", "RFC 4193", ""),
    ("fd00:42::42/128", "metadata", ""),
    ("fd00:a9fe:a9fe::1/128", "metadata", ""),
    ("fd00:c1::a9fe:a9fe/128", "metadata", ""),
    ("fd00:ec2::23/128", "metadata", ""),
    ("fd00:ec2::254/128", "metadata", ""),
    ("fd20:ce::254/128", "metadata", ""),
    ("fe80::/10", "RFC 4291", ""),
    ("fec0::/10", "RFC 3879", ""),
    ("ff00::/8", "RFC 4291", ""),
]
REGISTRY = REGISTRY_V4 + REGISTRY_V6

PUBLIC = [
    *("1.1.1.1", "8.8.8.8", "93.184.216.34", "126.255.255.255", "128.0.0.0", "192.0.1.0", "223.255.255.255"),
    # Real hosts of the usual shapes, some of which look a little like NAT64.
    *("2606:4700::1111", "2606:4700:4700::1111", "2606:4700::6812:1b5a", "2a00:1450:4001:80b::200e"),
    *("2600:9000:2491:4c00:7:49a5:5fd4:b121", "2620:0:862:ed1a::1", "2a04:4e42::485", "2a04:4e42:600::485"),
    *("2001:4860:4860::8888", "2a03:2880:f12f:83:face:b00c:0:25de", "2606:2800:220:1:248:1893:25c8:1946"),
    *("2620:fe::fe", "2001:500:88:200::7", "2a02:26f0:dc:18f::1b85", "2600:1408:c400:11::17cd:6a1b"),
    *("2001:200::1", "3ffe:ffff:ffff::1", "2a01:4f8:c0c:a00::1", "2001:67c:4e8:f004::9"),
]


def test_the_table_has_every_row_of_the_registries_and_no_other() -> None:
    assert sorted(str(row.network) for row in ROWS) == sorted(str(ip_network(network)) for network, *_ in REGISTRY)


@pytest.mark.parametrize(("text", "reason", "public"), REGISTRY, ids=[network for network, *_ in REGISTRY])
def test_a_network_is_forbidden_from_its_first_address_to_its_last_and_not_beyond(
    text: str, reason: str, public: str
) -> None:
    network = ip_network(text)
    for address in (network[0], network[-1]):
        assert reason in (forbidden(address) or ""), address
    sides = {"b": int(network[0]) - 1, "a": int(network[-1]) + 1}
    for side in public:
        assert forbidden(type(network[0])(sides[side])) is None


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("2000::", True),
        ("3fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", True),
        ("1fff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", False),
        ("4000::", False),
        ("8000::1", False),
        ("200::1", False),
    ],
)
def test_only_global_unicast_is_public_in_ipv6(text: str, public: bool) -> None:
    assert (forbidden(ip_address(text)) is None) == public
    if not public:
        assert "2000::/3" in (forbidden(ip_address(text)) or "")


@pytest.mark.parametrize("text", ["fe80::1%eth0", "2606:4700::1%1", "2606:4700::1%lo"])
def test_no_address_with_a_zone_is_dialled(text: str) -> None:
    assert "zone" in (forbidden(ip_address(text)) or "")


@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_not_forbidden(text: str) -> None:
    assert forbidden(ip_address(text)) is None


# Every form, as a function from the 32 bits to the 128, under a prefix that is public itself.
DECIDING: dict[str, Callable[[int], int]] = {
    "IPv4-mapped": lambda v4: 0xFFFF << 32 | v4,
    "NAT64": lambda v4: 0x64_FF9B << 96 | v4,
    "6to4": lambda v4: 0x2002 << 112 | v4 << 80 | 1,
    "Teredo server": lambda v4: 0x2001_0000 << 96 | v4 << 64 | (~0x0808_0808 & 0xFFFF_FFFF),
    "Teredo client": lambda v4: 0x2001_0000_0808_0808 << 64 | (~v4 & 0xFFFF_FFFF),
    "ISATAP": lambda v4: 0x2606_4700 << 96 | 0x5EFE << 32 | v4,
    "ISATAP with the universal bit": lambda v4: 0x2606_4700 << 96 | 0x0200_5EFE << 32 | v4,
}
NEVER_PUBLIC: dict[str, Callable[[int], int]] = {
    "IPv4-compatible": lambda v4: v4,
    "IPv4-translated": lambda v4: 0xFFFF_0000 << 32 | v4,
    "NAT64 of RFC 8215": lambda v4: 0x64_FF9B_0001 << 80 | v4,
}
# RFC 6052, section 2.2, written out by hand for each length: the prefix is 2a00:1450 and ones up to its length.
# fmt: off
TRANSLATED: dict[int, Callable[[int], str]] = {
    32: lambda v4: f"2a00:1450:{v4 >> 16:x}:{v4 & 0xFFFF:x}::",
    40: lambda v4: f"2a00:1450:{0xFF00 | v4 >> 24:x}:{v4 >> 8 & 0xFFFF:x}:{v4 & 0xFF:x}::",
    48: lambda v4: f"2a00:1450:ffff:{v4 >> 16:x}:{v4 >> 8 & 0xFF:x}:{(v4 & 0xFF) << 8:x}::",
    56: lambda v4: f"2a00:1450:ffff:{0xFF00 | v4 >> 24:x}:{v4 >> 16 & 0xFF:x}:{v4 & 0xFFFF:x}::",
    64: lambda v4: f"2a00:1450:ffff:ffff:{v4 >> 24:x}:{v4 >> 8 & 0xFFFF:x}:{(v4 & 0xFF) << 8:x}:0",
    96: lambda v4: f"2a00:1450:ffff:ffff:0:0:{v4 >> 16:x}:{v4 & 0xFFFF:x}",
}
# fmt: on
INSIDE = ["10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.168.0.0/16"]


@pytest.mark.parametrize("form", DECIDING)
@given(address=st.ip_addresses(v=4))
def test_a_carrier_of_an_ipv4_address_is_forbidden_exactly_when_that_is(form: str, address: IPv4Address) -> None:
    carrier = ip_address(DECIDING[form](int(address)))
    assert (forbidden(carrier) is None) == (forbidden(address) is None), carrier


@pytest.mark.parametrize("form", DECIDING)
@pytest.mark.parametrize(("network", "reason", "public"), REGISTRY_V4)
def test_every_forbidden_ipv4_network_is_found_in_every_form(form: str, network: str, reason: str, public: str) -> None:
    whole = IPv4Network(network)
    for address in (whole[0], whole[-1]):
        found = forbidden(ip_address(DECIDING[form](int(address)))) or ""
        assert form.split(" ")[0] in found
        assert reason in found
    for side in public:
        neighbour = int(whole[0]) - 1 if side == "b" else int(whole[-1]) + 1
        assert forbidden(ip_address(DECIDING[form](neighbour))) is None


@pytest.mark.parametrize("form", NEVER_PUBLIC)
@given(address=st.ip_addresses(v=4))
def test_a_carrier_that_nothing_routes_is_forbidden_whatever_it_carries(form: str, address: IPv4Address) -> None:
    assert forbidden(IPv6Address(NEVER_PUBLIC[form](int(address))))


@pytest.mark.parametrize("length", NAT64_LENGTHS)
@pytest.mark.parametrize("network", [*INSIDE, "168.63.129.16/32", "192.0.0.192/32"])
def test_what_looks_like_nat64_of_any_prefix_does_not_lead_inside(length: int, network: str) -> None:
    whole = IPv4Network(network)
    for address in (whole[0], whole[-1]):
        assert "NAT64" in (forbidden(ip_address(TRANSLATED[length](int(address)))) or ""), address
    for neighbour in (int(whole[0]) - 1, int(whole[-1]) + 1):
        if forbidden(IPv4Address(neighbour)) is None:
            assert forbidden(ip_address(TRANSLATED[length](neighbour))) is None


@pytest.mark.parametrize("length", NAT64_LENGTHS)
@pytest.mark.parametrize("address", ["0.0.32.14", "0.0.17.17", "224.0.0.251", "240.0.0.1", "192.0.2.33", "8.8.8.8"])
def test_what_looks_like_nat64_and_leads_nowhere_or_outside_is_let_through(length: int, address: str) -> None:
    assert forbidden(ip_address(TRANSLATED[length](int(IPv4Address(address))))) is None


@pytest.mark.parametrize(
    ("text", "public"),
    [
        ("2001:67c:2b0:db32:0:1:10.0.0.1", False),  # a prefix of 96 bits in use, whose last octet is not zero
        ("2001:67c:2b0:db32:0:1:8.8.8.8", True),
        ("2600:9000:2491:4c00:7:49a5:10.0.0.1", True),  # CloudFront
        ("2606:4700:0:0:100::10.0.0.1", True),  # bits 64 to 71 are not zero
        ("2a00:1450:a00:1::1", True),  # /32, and the suffix is not zero
    ],
)
def test_the_shape_of_nat64_is_that_of_the_standard(text: str, public: bool) -> None:
    assert (forbidden(ip_address(text)) is None) == public


@pytest.mark.parametrize("length", NAT64_LENGTHS)
@given(address=st.ip_addresses(v=4), suffix=st.integers(0, 2**24 - 1))
def test_under_a_known_nat64_prefix_an_address_is_judged_by_all_rules(
    length: int, address: IPv4Address, suffix: int
) -> None:
    bits = int(ip_address(TRANSLATED[length](int(address))))
    known = [IPv6Network((bits >> 128 - length << 128 - length, length))]
    carrier = ip_address(bits | (suffix if length < 96 else 0))
    assert (forbidden(carrier, known) is None) == (forbidden(address) is None)


@pytest.mark.parametrize("prefix", ["64:ff9b:1::/96", "64:ff9b:1:a::/64", "fd00:64::/96", "64:ff9b:1::/48"])
def test_a_known_nat64_prefix_may_lie_outside_of_global_unicast(prefix: str) -> None:
    known = nat64_prefix(prefix)
    for v4, public in (("8.8.8.8", True), ("10.0.0.1", False), ("0.0.0.1", False)):
        plain = int(IPv4Address(v4))
        at = {48: (plain >> 16) << 64 | (plain & 0xFFFF) << 40, 64: plain << 24, 96: plain}[known.prefixlen]
        carrier = ip_address(int(known[0]) | at)
        assert (forbidden(carrier, [known]) is None) == public
        assert forbidden(carrier)


@pytest.mark.parametrize("text", ["", "x", "10.0.0.0/8", "64:ff9b::/97", "2a00::/33", "2a00:0:0:0:100::/96", "::1/96"])
def test_a_prefix_that_cannot_be_nat64_is_named(text: str) -> None:
    with pytest.raises(ValueError, match="NAT64 prefix") as caught:
        nat64_prefix(text)
    assert repr(text) in str(caught.value)


@given(st.ip_addresses(v=6, network="2000::/3"))
def test_a_plain_address_carries_nothing_for_certain(address: object) -> None:
    parsed = ip_address(str(address))
    assert parsed.version == 6
    if not str(parsed).startswith(("2001:0:", "2001::", "2002:")) and "5efe" not in parsed.exploded:
        assert all(carried.guessed for carried in embedded(parsed))


def test_every_multicast_and_reserved_address_of_ipv4_is_forbidden() -> None:
    for network in IPv4Network("224.0.0.0/3").subnets(new_prefix=12):
        assert forbidden(network[7])


def test_the_allow_list_takes_networks_addresses_and_host_names() -> None:
    allow = AllowList(["10.1.0.0/16", "192.168.7.7", "fd00::/8", "[::1]", "Intra.Example", "bücher.example", " a_b "])
    assert allow.permits(ip_address("10.1.255.1"), "x")
    assert not allow.permits(ip_address("10.2.0.1"), "x")
    assert allow.permits(ip_address("192.168.7.7"), "x")
    assert not allow.permits(ip_address("192.168.7.8"), "x")
    assert allow.permits(ip_address("fd12::1"), "x")
    assert allow.permits(ip_address("::1"), "x")
    assert allow.permits(ip_address("172.16.0.1"), "intra.example")
    assert allow.permits(ip_address("172.16.0.1"), "intra.example.")
    assert allow.permits(ip_address("172.16.0.1"), "xn--bcher-kva.example")
    assert allow.permits(ip_address("172.16.0.1"), "a_b")


def test_an_allowed_host_name_does_not_allow_its_subdomains_or_lookalikes() -> None:
    allow = AllowList(["intra.example"])
    for host in ("www.intra.example", "intra.example.org", "xintra.example", "example"):
        assert not allow.permits(ip_address("10.0.0.1"), host)


def test_a_mapped_address_counts_as_its_ipv4_address() -> None:
    assert AllowList(["10.0.0.0/8"]).permits(ip_address("::ffff:10.0.0.1"), "x")
    assert not AllowList(["10.0.0.0/8"]).permits(ip_address("::ffff:192.168.0.1"), "x")


@pytest.mark.parametrize(
    "entry",
    ["", "10.0.0.0/33", "10.0.0.5/8", "300.1.1.1", "http://a.example", "a b", "a:80", "*.example", "0x7f.1", "::g"],
)
def test_an_invalid_entry_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="allow-list entry") as caught:
        AllowList(["10.0.0.0/8", entry])
    assert repr(entry) in str(caught.value)


def test_one_forbidden_address_among_good_ones_spoils_the_answer() -> None:
    good, bad = ip_address("8.8.8.8"), ip_address("10.0.0.1")
    nothing = AllowList([])
    assert vet([good], "x", nothing) is None
    assert "private" in (vet([good, bad], "x", nothing) or "")
    assert "private" in (vet([bad, good], "x", nothing) or "")
    assert vet([good, bad], "x", AllowList(["10.0.0.0/8"])) is None


def test_an_empty_answer_is_refused() -> None:
    assert vet([], "x", AllowList(["x"])) == "no address"


def test_the_bad_ports_are_those_of_the_fetch_standard() -> None:
    # Written down a second time, in its order, by what they are for.
    low = [0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, *range(101, 105)]
    mail_and_shells = [109, 110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465]
    middle = [*range(512, 516), 526, 530, 531, 532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995]
    high = [1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, *range(6665, 6670), 6679, 6697, 10080]
    assert sorted(BAD_PORTS) == low + mail_and_shells + middle + high
    assert not {80, 443, 8080, 8443} & BAD_PORTS


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("localhost", "RFC 6761"),
        ("a.LOCALHOST.", "RFC 6761"),
        ("127.1", "not written as one"),
        ("0x7f.1.", "not written as one"),
        ("a.example.0X7F", "not written as one"),
        ("2130706433", "not written as one"),
        ("localhost.example", None),
        ("xlocalhost", None),
        ("1.2.3.4.example.", None),
        ("x0x7f", None),
    ],
)
def test_a_name_that_means_this_machine_or_an_address_is_left_to_nobody(name: str, why: str | None) -> None:
    reason = forbidden_name(name)
    assert reason is None if why is None else why in (reason or "")


def test_only_a_literal_is_parsed_as_an_address() -> None:
    assert parse_address("::1") == ip_address("::1")
    assert parse_address("127.1") is None
    assert parse_address("example.com") is None
