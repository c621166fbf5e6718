"""All scripts at once behind one port, each under a host name of its own, so that they share nothing but the client."""

from collections.abc import Iterable

from tests.origins.raw import NOT_FOUND, Exchange, RawOrigin, Responder
from tests.origins.script import Script


class Stage(RawOrigin):
    """Answers each script's host as the script says. `rules` are for the client's connect-to."""

    def __init__(self, scripts: Iterable[Script]) -> None:
        super().__init__({})
        self._cast = {f"s{number}.hostile.example": script for number, script in enumerate(scripts)}
        self._host_of = {script.name: host for host, script in self._cast.items()}

    @property
    def rule(self) -> str:
        return f"*:80=127.0.0.1:{self.port}"

    def url_of(self, script: Script) -> str:
        return f"http://{self._host_of[script.name]}/"

    def responder(self, exchange: Exchange) -> Responder:
        """Who answers: the script of the host that is asked."""
        script = self._cast.get(exchange.headers["host"])
        if script is None:
            return NOT_FOUND
        if exchange.path == "/":
            return script.respond
        return (script.paths or {}).get(exchange.path, NOT_FOUND)
