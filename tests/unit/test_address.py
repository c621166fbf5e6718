"""The tables of forbidden networks, the allow-list, and the vetting of whole answers."""

from ipaddress import IPv4Network, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thresher.domain.address import BAD_PORTS, AllowList, embedded, forbidden, parse_address, vet

FORBIDDEN_V4 = {
    "0.0.0.0": "this network",
    "0.1.2.3": "this network",
    "10.0.0.1": "private",
    "10.255.255.255": "private",
    "100.64.0.1": "carrier-grade",
    "100.127.255.255": "carrier-grade",
    "100.100.100.200": "metadata",
    "127.0.0.1": "loopback",
    "127.255.255.254": "loopback",
    "168.63.129.16": "Azure",
    "169.254.0.1": "link-local",
    "169.254.169.254": "metadata",
    "169.254.170.2": "metadata",
    "172.16.0.1": "private",
    "172.31.255.255": "private",
    "192.0.0.1": "protocol assignments",
    "192.0.0.192": "metadata",
    "192.0.2.1": "documentation",
    "192.31.196.1": "AS112",
    "192.52.193.1": "multicast tunneling",
    "192.88.99.1": "6to4",
    "192.168.0.1": "private",
    "192.175.48.1": "AS112",
    "198.18.0.1": "benchmarking",
    "198.19.255.255": "benchmarking",
    "198.51.100.1": "documentation",
    "203.0.113.1": "documentation",
    "224.0.0.1": "multicast",
    "239.255.255.250": "multicast",
    "240.0.0.1": "reserved",
    "255.255.255.255": "broadcast",
}
PUBLIC_V4 = [
    "1.1.1.1",
    "8.8.8.8",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "168.63.129.17",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "192.0.1.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
]
FORBIDDEN_V6 = {
    "::": "IPv4",  # the compatible form of 0.0.0.0
    "::1": "IPv4",
    "::127.0.0.1": "IPv4",
    "::8.8.8.8": "2000::/3",  # compatible form, public inside, but nothing routes it
    "::ffff:127.0.0.1": "loopback",
    "::ffff:10.0.0.1": "private",
    "::ffff:169.254.169.254": "metadata",
    "::ffff:0:127.0.0.1": "2000::/3",  # IPv4-translated (RFC 2765)
    "64:ff9b::10.0.0.1": "private",
    "64:ff9b::169.254.169.254": "metadata",
    "64:ff9b:1::8.8.8.8": "2000::/3",  # local-use NAT64 (RFC 8215)
    "64:ff9b:1:a00:0:100::": "2000::/3",
    "100::1": "2000::/3",
    "2001::1": "IPv4",  # Teredo with server 0.0.0.0
    "2001:0:7f00:1:0:0:f7f7:f7f7": "loopback",  # Teredo server 127.0.0.1, client 8.8.8.8
    "2001:0:808:808:0:0:80ff:fffe": "loopback",  # Teredo server 8.8.8.8, client 127.0.0.1
    "2001:2::1": "protocol assignments",
    "2001:10::1": "protocol assignments",
    "2001:1ff:ffff::1": "protocol assignments",
    "2001:db8::1": "documentation",
    "2002:7f00:1::1": "loopback",
    "2002:a9fe:a9fe::1": "metadata",
    "2002:c0a8:101::": "private",
    "2620:4f:8000::1": "AS112",
    "3fff::1": "documentation",
    "2606:4700::5efe:10.0.0.1": "private",  # ISATAP under a public prefix
    "2606:4700::200:5efe:192.168.0.1": "private",  # with the universal/local bit
    "4000::1": "2000::/3",
    "5f00::1": "2000::/3",
    "fc00::1": "2000::/3",
    "fd00:ec2::254": "2000::/3",  # AWS metadata
    "fd20:ce::254": "2000::/3",  # Google metadata
    "fe80::1": "2000::/3",
    "fe80::1%eth0": "zone",
    "2606:4700::1%1": "zone",
    "fec0::1": "2000::/3",
    "ff02::1": "2000::/3",
}
PUBLIC_V6 = [
    "2001:200::1",
    "2001:4860:4860::8888",
    "2001:0:808:808:0:0:f7f7:f7f7",  # Teredo, server and client public
    "2002:808:808::1",
    "2606:4700:4700::1111",
    "2a00:1450:4009:80b::200e",
    "2606:4700::5efe:8.8.8.8",
    "3ffe:ffff:ffff::1",
    "3fff:1000::1",
    "::ffff:8.8.8.8",
    "64:ff9b::8.8.8.8",
]


@pytest.mark.parametrize(("text", "reason"), [*FORBIDDEN_V4.items(), *FORBIDDEN_V6.items()])
def test_an_address_that_is_not_public_is_forbidden_for_its_reason(text: str, reason: str) -> None:
    assert reason in (forbidden(ip_address(text)) or "")


@pytest.mark.parametrize("text", PUBLIC_V4 + PUBLIC_V6)
def test_a_public_address_is_not_forbidden(text: str) -> None:
    assert forbidden(ip_address(text)) is None


@given(st.ip_addresses(v=4))
def test_a_translated_ipv4_address_is_forbidden_exactly_when_it_is_forbidden_itself(address: object) -> None:
    bits = int(ip_address(str(address)))
    plain = forbidden(ip_address(bits)) is None
    for carrier in (
        0xFFFF << 32 | bits,
        0x64_FF9B << 96 | bits,
        0x2002 << 112 | bits << 80 | 1,
        0x2606_4700 << 96 | 0x5EFE << 32 | bits,
        0x2001_0000_0808_0808 << 64 | (~bits & 0xFFFF_FFFF),
    ):
        assert (forbidden(ip_address(carrier)) is None) == plain, ip_address(carrier)


@given(st.ip_addresses(v=6, network="2000::/3"))
def test_a_plain_address_carries_nothing(address: object) -> None:
    parsed = ip_address(str(address))
    assert parsed.version == 6
    if not str(parsed).startswith(("2001:0:", "2001::", "2002:")) and "5efe" not in parsed.exploded:
        assert embedded(parsed) == []


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


def test_the_bad_ports_hold_mail_and_shells_but_not_the_web() -> None:
    assert {22, 25, 6667, 10080} <= BAD_PORTS
    assert not {80, 443, 8080, 8443} & BAD_PORTS


def test_only_a_literal_is_parsed_as_an_address() -> None:
    assert parse_address("::1") == ip_address("::1")
    assert parse_address("127.1") is None
    assert parse_address("example.com") is None
