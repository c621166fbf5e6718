"""All checks in their order, and the report on standard output."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict

from rich.text import Text

from thresher.cli import table
from thresher.cli.doctor import machine, parts, servers
from thresher.cli.doctor.finding import Finding, State, missing
from thresher.cli.terminal import harmless, put
from thresher.settings import Settings

# None: the check does not apply.
CHECKS: dict[str, Callable[[Settings], Awaitable[Finding | None]]] = {
    "python": machine.python,
    "system": machine.system,
    "settings": machine.configured,
    "data dir": machine.data_dir,
    "database user": parts.database_user,
    "postgres": parts.postgres,
    "database": parts.database,
    "blob store": parts.blobs,
    "converter": parts.converter,
    "plug-ins": parts.plugged,
    "names": parts.names,
    "port": servers.port,
    "server here": servers.here,
    "THRESHER_URL": servers.named,
}
STYLES = {State.OK: "green", State.WARNING: "yellow", State.MISSING: "bold red"}


async def examine(settings: Settings) -> dict[str, Finding]:
    """Every check that applies, by name. A check that fails itself is a finding, and keeps no other from being made."""
    findings = {}
    for name, check in CHECKS.items():
        try:
            found = await check(settings)
        except Exception as error:
            found = missing(f"the check failed: {type(error).__name__}: {error}", "Please report this.")
        if found is not None:
            findings[name] = found
    return findings


def healthy(findings: dict[str, Finding]) -> bool:
    """Whether nothing necessary is missing."""
    return all(finding.state is not State.MISSING for finding in findings.values())


def show(findings: dict[str, Finding]) -> None:
    """For a person: a table, in colours on a terminal."""
    table.write([_row(name, finding) for name, finding in findings.items()])


def _row(name: str, finding: Finding) -> list[str | Text]:
    # What a check met, a path or an error, may have anything in it.
    found = Text(harmless(" ".join(finding.found.split())))
    if finding.remedy:
        found.append(f". {finding.remedy}", style="bold")
    return [Text(finding.state, style=STYLES[finding.state]), name, found]


def show_json(findings: dict[str, Finding]) -> None:
    """For a program: `{"ok", "checks": [{"name", "state", "found", "remedy"}]}`."""
    checks = [{"name": name, **asdict(finding)} for name, finding in findings.items()]
    put(json.dumps({"ok": healthy(findings), "checks": checks}))
