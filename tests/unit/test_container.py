"""The container files say what is there. No engine runs here: docs/deploy.md says what was tried."""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.main import get_command

from thresher.cli.main import app as commands
from thresher.settings import Settings

ROOT = Path(__file__).parents[2]
COMPOSE: dict[str, Any] = yaml.safe_load((ROOT / "compose.yaml").read_text("utf-8"))
SERVICES: dict[str, dict[str, Any]] = COMPOSE["services"]
DOCKERFILE = (ROOT / "Dockerfile").read_text("utf-8").replace("\\\n", " ")
OURS = {name: service for name, service in SERVICES.items() if service["image"] == "thresher"}


def instructions(word: str) -> list[str]:
    """What follows this word in the Dockerfile, in order."""
    return re.findall(rf"^\s*{word} (.*)$", DOCKERFILE, re.MULTILINE)


def check_command(command: Iterable[str]) -> None:
    """It is a command of ours with options that it has."""
    program, name, *options = command
    known = get_command(commands).commands[name]  # type: ignore[attr-defined]
    assert program == "thresher"
    known.make_context(name, options, resilient_parsing=False)


def test_without_a_profile_there_is_one_service_and_the_cluster_has_the_parts() -> None:
    default = {name for name, service in SERVICES.items() if "profiles" not in service}
    cluster = {name for name, service in SERVICES.items() if service.get("profiles") == ["cluster"]}
    assert default == {"thresher"}
    assert cluster == {"database", "migrate", "api", "worker"}
    assert SERVICES["worker"]["deploy"]["replicas"] == 2


def test_every_command_is_one_that_there_is() -> None:
    check_command(json.loads(instructions("CMD")[-1]))
    for service in OURS.values():
        if "command" in service:
            check_command(service["command"])


def test_every_variable_is_a_setting() -> None:
    known = {f"THRESHER_{name.upper()}" for name in Settings.model_fields} | {"DATABASE_URL"}
    for service in OURS.values():
        assert set(service["environment"]) <= known
    assert set(re.findall(r"THRESHER_\w+", DOCKERFILE)) <= known


@pytest.mark.parametrize("name", OURS)
def test_a_service_writes_nowhere_but_to_its_volume_and_has_no_rights_to_gain(name: str) -> None:
    service = OURS[name]
    assert service["read_only"] is True
    assert service["tmpfs"] == ["/tmp"]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert [volume.partition(":")[2] for volume in service["volumes"]] == instructions("VOLUME")


def test_the_parts_share_one_volume_and_one_store_in_it() -> None:
    parts = [SERVICES[name] for name in ("migrate", "api", "worker")]
    assert len({part["volumes"][0] for part in parts}) == 1
    assert len({part["environment"]["DATABASE_URL"] for part in parts}) == 1
    assert {part["environment"]["THRESHER_BLOB_URL"] for part in parts} == {"file:///data/blobs"}


def test_what_services_refer_to_is_declared() -> None:
    for service in SERVICES.values():
        assert {volume.partition(":")[0] for volume in service["volumes"]} <= set(COMPOSE["volumes"])
        assert set(service.get("depends_on", ())) <= set(SERVICES)


def test_ports_are_open_to_this_machine_alone() -> None:
    port = Settings.model_fields["port"].default
    assert instructions("EXPOSE") == [str(port)]
    for name in ("thresher", "api"):
        assert SERVICES[name]["ports"] == [f"127.0.0.1:{port}:{port}"]


def test_the_image_runs_as_the_user_that_it_makes() -> None:
    (user,) = instructions("USER")
    made = re.search(r"useradd --uid (\d+)", DOCKERFILE)
    assert made is not None
    assert user == f"{made[1]}:{made[1]}"
    assert int(made[1]) > 0


def test_everything_that_is_installed_is_locked_or_our_own() -> None:
    installs = re.findall(r"pip install (.*)", DOCKERFILE)
    assert len(installs) == 3
    assert all("--require-hashes" in install or "--no-index" in install for install in installs)
    for lock in re.findall(r"requirements/\w+\.lock", DOCKERFILE):
        assert "--hash=sha256:" in (ROOT / lock).read_text("utf-8")


def test_what_the_image_is_built_from_is_sent_to_the_builder() -> None:
    sent = {line[1:] for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line.startswith("!")}
    copied = {
        source.rstrip("/")
        for copy in instructions("COPY")
        if not copy.startswith("--from")
        for source in copy.split()[:-1]
    }
    assert copied == sent
    assert all((ROOT / source).exists() for source in copied)


def test_the_health_check_asks_for_a_page_that_there_is() -> None:
    (check,) = instructions("HEALTHCHECK")
    python, flag, code = json.loads(check.partition("CMD ")[2])
    assert (python, flag) == ("python", "-c")
    compile(code, "HEALTHCHECK", "exec")
    assert f"127.0.0.1:{Settings.model_fields['port'].default}/healthz" in code
