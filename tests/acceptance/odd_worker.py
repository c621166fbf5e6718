"""A worker as any other, in whose world one name does not exist and the name server of another is down."""

import socket

from thresher.domain.address import IPAddress
from thresher.engine import worker
from thresher.net import lookup
from thresher.settings import Settings

NAMES = {b"unknown.example": socket.EAI_NONAME, b"silent.example": socket.EAI_AGAIN}
_getaddrinfo = lookup._getaddrinfo


def getaddrinfo(host: str) -> list[IPAddress]:
    if (error := NAMES.get(host.encode())) is not None:
        raise socket.gaierror(error, "as the system's resolver says it")
    return _getaddrinfo(host)


if __name__ == "__main__":
    lookup._getaddrinfo = getaddrinfo
    worker.run(Settings())
