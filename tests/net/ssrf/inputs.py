"""Hostile URLs, made of tables times notations, and URLs that look like them and are allowed. What names resolve to."""

import itertools
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from thresher.domain.address import IPAddress
from thresher.domain.networks import ROWS
from thresher.domain.ports import BAD_PORTS

PUBLIC, PUBLIC_V6 = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"

# Written in every notation; of the other networks only one address each, in two.
KEY_ADDRESSES = ["127.0.0.1", "10.0.0.1", "169.254.169.254", "192.168.1.1", "100.64.0.1", "0.0.0.0"]


@dataclass(frozen=True)
class Hostile:
    """A URL that must end as blocked_address or invalid_url. `relative`: it means something else without a base."""

    url: str
    kind: str
    relative: bool = False

    @property
    def fits_a_header(self) -> bool:
        return not set(self.url) & set("\r\n\0") and self.url == self.url.strip()


# -- notations of an IPv4 address


def _quads(n: int) -> list[int]:
    return [n >> 24, n >> 16 & 255, n >> 8 & 255, n & 255]


def _dotted(n: int) -> str:
    return str(IPv4Address(n))


def _wide(text: str) -> str:
    return text.translate({ord(digit): 0xFF10 + int(digit) for digit in "0123456789"})


NOTATIONS: dict[str, Callable[[int], str]] = {
    "dotted": _dotted,
    "decimal": str,
    "hexadecimal": hex,
    "upper hexadecimal": lambda n: f"0X{n:X}",
    "octal": lambda n: f"0{n:o}",
    "dotted hexadecimal": lambda n: ".".join(hex(part) for part in _quads(n)),
    "dotted octal": lambda n: ".".join(f"0{part:o}" for part in _quads(n)),
    "padded octal": lambda n: ".".join(f"{part:09o}" for part in _quads(n)),
    "two parts": lambda n: f"{n >> 24}.{n & 0xFFFFFF}",
    "three parts": lambda n: f"{n >> 24}.{n >> 16 & 255}.{n & 0xFFFF}",
    "mixed": lambda n: f"0x{n >> 24:x}.0{n >> 16 & 255:o}.{n & 0xFFFF}",
    "trailing dot": lambda n: f"{n >> 24}.{n & 0xFFFFFF}.",
    "percent-encoded": lambda n: "".join(f"%{ord(sign):02x}" for sign in _dotted(n)),
    "percent-encoded dots": lambda n: _dotted(n).replace(".", "%2E"),
    "full-width": lambda n: _wide(_dotted(n)).replace(".", "．"),
    "full-width hexadecimal": lambda n: f"０ｘ{n:x}",
    "ideographic dots": lambda n: _dotted(n).replace(".", "。"),
    "half-width dots": lambda n: _dotted(n).replace(".", "｡") + "｡",
    "tabs and newlines": lambda n: "\t".join(_dotted(n)) + "\n",
}

# -- IPv6 addresses that carry one

_LOW = 0xFFFF_FFFF
CARRIERS: dict[str, Callable[[int], int]] = {
    "mapped": lambda n: 0xFFFF << 32 | n,
    "compatible": lambda n: n,
    "translated": lambda n: 0xFFFF_0000 << 32 | n,
    "NAT64": lambda n: 0x64_FF9B << 96 | n,
    "NAT64 of a network": lambda n: 0x64_FF9B_0001 << 80 | n,
    "6to4": lambda n: 0x2002 << 112 | n << 80,
    "Teredo server": lambda n: 0x2001_0000 << 96 | n << 64 | (~0x0808_0808 & _LOW),
    "Teredo client": lambda n: 0x2001_0000_0808_0808 << 64 | (~n & _LOW),
    "ISATAP": lambda n: 0x2606_4700 << 96 | 0x5EFE << 32 | n,
    "ISATAP with the universal bit": lambda n: 0x2606_4700 << 96 | 0x0200_5EFE << 32 | n,
}
# Under 2a00:1450 and ones. These are guesses, and 0.0.0.0 is none that they are made for.
GUESSED: dict[str, Callable[[int], int]] = {
    "like NAT64 /32": lambda n: 0x2A00_1450 << 96 | n << 64,
    "like NAT64 /40": lambda n: 0x2A00_1450_FF << 88 | n >> 8 << 64 | (n & 0xFF) << 48,
    "like NAT64 /48": lambda n: 0x2A00_1450_FFFF << 80 | n >> 16 << 64 | (n & 0xFFFF) << 40,
    "like NAT64 /56": lambda n: 0x2A00_1450_FFFF_FF << 72 | n >> 24 << 64 | (n & 0xFFFFFF) << 32,
    "like NAT64 /64": lambda n: 0x2A00_1450_FFFF_FFFF << 64 | n << 24,
    "like NAT64 /96": lambda n: 0x2A00_1450_FFFF_FFFF << 64 | n,
}


def _spellings(address: IPv6Address) -> Iterator[str]:
    yield f"[{address}]"
    yield f"[{address.exploded.upper()}]"
    head = ":".join(address.exploded.split(":")[:6])
    yield f"[{head}:{IPv4Address(int(address) & _LOW)}]"


# -- names

# Each name takes the next answer at each question, and keeps the last.
_SPECIAL = [
    *("metadata.google.internal", "metadata", "instance-data.ec2.internal", "kubernetes.default.svc", "router.lan"),
    *("printer.local", "intranet", "vault.internal", "example.com.", "10.0.0.1.nip.example", "127-0-0-1.sslip.example"),
]
# No lookup knows these: they mean this machine all the same.
_OWN = [
    *("localhost", "LOCALHOST", "localhost.", "a.localhost", "a.b.LocalHost.", "ｌｏｃａｌｈｏｓｔ", "%6cocalhost"),
    *("loc\u00adalhost", "localhost%2e", "ⓛocalhost", "localhost。", "api.localhost:8080"),
]


def _answers() -> dict[str, list[str]]:
    found = {name.removesuffix("."): ["169.254.169.254"] for name in _SPECIAL}
    for number, row in enumerate(ROWS):
        found[f"row{number}.hostile.example"] = [str(row.network[-1])]
    carriers = (CARRIERS | GUESSED).values()
    for number, (carry, target) in enumerate(itertools.product(carriers, ("10.0.0.1", "127.0.0.1"))):
        found[f"carried{number}.hostile.example"] = [str(IPv6Address(carry(int(IPv4Address(target)))))]
    for number, bad in enumerate(
        ["127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "fd00:ec2::254", "::ffff:10.0.0.1"]
    ):
        found[f"first{number}.hostile.example"] = [bad, PUBLIC]
        found[f"last{number}.hostile.example"] = [PUBLIC, PUBLIC_V6, bad]
    return found


HOSTILE_NAMES = _answers()


class Names:
    """The lookup of the rig: `known` names, and everything under `origin.example` at `origin`. Others do not exist."""

    def __init__(self, origin: str, known: dict[str, list[str]] | None = None) -> None:
        self._origin = origin
        self._known = HOSTILE_NAMES | {name: addresses for name, _, addresses in CONTROLS if addresses} | (known or {})

    async def __call__(self, host: str) -> list[IPAddress]:
        name = host.removesuffix(".")
        if name == "origin.example" or name.endswith(".origin.example"):
            return [ip_address(self._origin)]
        if name not in self._known:
            raise socket.gaierror(socket.EAI_NONAME, "scripted")
        return [ip_address(text) for text in self._known[name]]


# -- the lists


def hostile() -> list[Hostile]:
    """Every hostile input once, in a stable order."""
    return list({each.url: each for each in _hostile()}.values())


def _hostile() -> Iterator[Hostile]:
    for target, (notation, write) in itertools.product(KEY_ADDRESSES, NOTATIONS.items()):
        yield Hostile(f"http://{write(int(IPv4Address(target)))}/", notation)
    for row in ROWS:
        for address in (row.network[0], row.network[-1]):
            if isinstance(address, IPv4Address):
                yield Hostile(f"http://{address}/latest/meta-data/", str(row))
                yield Hostile(f"https://{hex(int(address))}/", str(row))
            else:
                yield from (Hostile(f"http://{spelled}/", str(row)) for spelled in _spellings(address))
    for target in KEY_ADDRESSES:
        forms = CARRIERS if target == "0.0.0.0" else CARRIERS | GUESSED
        for form, carry in forms.items():
            address = IPv6Address(carry(int(IPv4Address(target))))
            yield from (Hostile(f"http://{spelled}/", form) for spelled in _spellings(address))
    for name in [*HOSTILE_NAMES, *_OWN]:
        yield Hostile(f"http://{name}/", "name")
    yield from (Hostile(f"http://{PUBLIC}:{port}/", "bad port") for port in sorted(BAD_PORTS))
    yield Hostile("https://bad-port.allowed.example:25/", "bad port")
    for target in KEY_ADDRESSES[:3]:
        yield from _tricks(target)
    yield from (Hostile(url, "not http") for url in _OTHER_SCHEMES)


_OTHER_SCHEMES = [
    *("file:///etc/passwd", "ftp://127.0.0.1/", "gopher://127.0.0.1:6379/_FLUSHALL", "dict://127.0.0.1:11211/stat"),
    *(
        "ws://127.0.0.1/",
        "javascript:alert(1)",
        "data:text/html,x",
        "jar:http://127.0.0.1!/",
        "http+unix://%2Frun%2Fd/",
    ),
    *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1%25lo]/", "http://[::1]%2f/", "http://[v1.a]/"),
]


def _tricks(at: str) -> Iterator[Hostile]:
    for url in (
        f"http://{at}:80/",
        f"http://{at}:8080/",
        f"http://{at}:00080/",
        f"https://{at}/",
        f"https://{at}:8443/",
        f"HTTP://{at}/",
        f"ht\ttp://{at}/",
        f" http://{at}/ ",
        f"http:\\\\{at}\\",
        f"http:/\\{at}/",
        f"http:///{at}/",
        f"http://///{at}/",
        f"http://{at}?@allowed.example/",
        f"http://{at}#@allowed.example/",
        f"http://{at}\\@allowed.example/",
        f"http://{at}/@allowed.example/",
        f"http://allowed.example@{at}/",
        f"http://allowed.example:80@{at}/",
        f"http://{at}:80@allowed.example/",
        f"http://allowed.example%40{at}/",
        f"http://allowed.example%00@{at}/",
        f"http://allowed.example%2f@{at}/",
        f"http://{at}%00.allowed.example/",
        f"http://{at}%2f.allowed.example/",
        f"http://:@{at}:80@{at}/",
        f"http://{at}:80:80/",
        f"http://[{at}]/",
        f"http://[::{at}]/",
        f"http://{at}../",
        f"http://{at}%20/",
    ):
        yield Hostile(url, "trick")
    for url in (f"//{at}/", f"\\\\{at}\\", f"/\\{at}/", f"\\/{at}/", f"///{at}/", f"https:{at}/", f"https:/{at}"):
        yield Hostile(url, "trick", relative=True)


# Allowed: the name or literal, what follows it, and what it resolves to.
CONTROLS: list[tuple[str, str, list[str]]] = [
    *[(write(int(IPv4Address(PUBLIC))), "", []) for write in NOTATIONS.values()],
    *[
        (f"[{IPv6Address(carry(0x0808_0808))}]", "", [])
        for form, carry in CARRIERS.items()
        if form[:3] in ("map", "NAT", "6to", "Ter", "ISA") and "network" not in form
    ],
    *[(f"[{address}]", "", []) for address in ("2606:4700::1111", "2A00:1450:4001:80B:0:0:0:200E", "2a04:4e42::485")],
    *[(f"[{address}]", "", []) for address in ("2600:9000:2491:4c00:7:49a5:5fd4:b121", "2620:0:862:ed1a::1")],
    ("allowed.example", "", [PUBLIC]),
    ("allowed.example.", "", []),
    ("%61llowed.example", "", []),
    ("both.example", "", [PUBLIC_V6, PUBLIC]),
    ("six.example", "", [PUBLIC_V6]),
    ("translated.example", "", ["64:ff9b::8.8.8.8"]),
    ("localhost.example", "", [PUBLIC]),
    ("notlocalhost", "", [PUBLIC]),
    ("127.0.0.1.allowed.example", "", [PUBLIC]),
    ("public.internal", "", [PUBLIC]),
    ("xn--bcher-kva.example", "", [PUBLIC]),
    ("bücher.example", "", []),
    ("bad-port.allowed.example", "", [PUBLIC]),
    ("allowed.example", ":8080", []),
    ("allowed.example", ":8443", []),
    ("allowed.example", "/?u=http://127.0.0.1/@10.0.0.1", []),
    ("allowed.example", "/@127.0.0.1/", []),
    ("allowed.example\\@127.0.0.1", "", []),
]


def allowed() -> list[str]:
    """Every allowed URL once."""
    return list(dict.fromkeys(f"http://{host}{rest if '/' in rest else rest + '/'}" for host, rest, _ in CONTROLS))
