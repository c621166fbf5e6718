"""`thresher webhooks` against a server, whose workers deliver to a real receiver."""

import asyncio
import json
import time
from pathlib import Path

import pytest
import typer
from standardwebhooks.webhooks import Webhook
from tests.acceptance.served import KEY, Served
from tests.cli.kit import Cli
from tests.support.receiver import Receiver

from thresher.cli.client import webhooks
from thresher.cli.client.webhook_commands import _moment
from thresher.cli.errors import CommandError
from thresher.settings import Settings

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_webhooks_are_seen_tried_sent_again_and_verified_from_the_command_line(
    cli: Cli, server: Served, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(url=server.url, api_key=KEY, data_dir=tmp_path)
    async with Receiver() as receiver:
        # What all of them share, by processes; what each does for itself, in this one: a start takes a second.
        secret, tried = await asyncio.gather(
            cli.run("webhooks", "rotate"), cli.run("webhooks", "test", receiver.url("/try"), "--json")
        )
        assert (secret.code, secret.out.startswith("whsec_"), len(secret.out.splitlines())) == (0, True, 1)
        assert tried.code == 0
        assert json.loads(tried.out)["attempts"][0]["status"] == 200
        assert len(receiver.of("/try")) == 1

        batch = (await cli.run("batch", "http://a.example/page/a", "--webhook", receiver.url("/in"), "--no-wait")).out
        [came] = await receiver.wait_for("/in", 1)
        assert came.event["data"]["id"] == batch.strip()
        Webhook(secret.out.strip()).verify(came.body, came.headers)
        event = came.event["id"]
        assert await webhooks.resend(settings, batch.strip(), event, as_json=True) == 0
        assert json.loads(capsys.readouterr().out)["id"] == event
        await receiver.wait_for("/in", 2)
        assert await webhooks.recover(settings, 0, as_json=True) == 0
        assert json.loads(capsys.readouterr().out) == {"object": "recovery", "recovered": 0}
        assert await webhooks.deliveries(settings, batch.strip(), 20, as_json=False) == 0
        head, first, *_ = [line.split("\t") for line in capsys.readouterr().out.splitlines()]
        assert head == ["event", "type", "state", "attempt", "at", "ms", "answer"]
        assert (first[:2], first[3], first[6]) == ([event, "batch.completed"], "1/5", "200 ok")
        with pytest.raises(CommandError, match="private address"):
            await webhooks.try_receiver(settings, "http://10.0.0.1/", as_json=False)
        with pytest.raises(CommandError, match="Event not found"):
            await webhooks.resend(settings, batch.strip(), "event_nothing", as_json=False)


async def test_the_time_to_recover_from_is_read_in_two_forms() -> None:
    assert abs(_moment("2h") - (time.time() - 7200)) < 10
    assert _moment("999999999w") == 0
    assert _moment("2026-01-01T00:00Z") == 1767225600
    for wrong in ("", "2", "yesterday", "-1h", "2026-13-01"):
        with pytest.raises(typer.BadParameter):
            _moment(wrong)
