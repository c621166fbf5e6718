"""Settings: where they come from, who wins, and that docs/settings.md tells of every one."""

from pathlib import Path

import pytest
from pydantic import ValidationError
from tools import docs

from thresher.cli.errors import load_settings
from thresher.settings import Settings

PAGES = Path(__file__).parents[2] / "docs"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's own."""
    for name in Settings.model_fields:
        monkeypatch.delenv(f"THRESHER_{name.upper()}", raising=False)
    for name in ("DATABASE_URL", "THRESHER_CONFIG"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty TOML file that is the configuration."""
    path = tmp_path / "thresher.toml"
    path.write_text("")
    monkeypatch.setenv("THRESHER_CONFIG", str(path))
    return path


def test_a_setting_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHER_PORT", "9999")
    monkeypatch.setenv("THRESHER_FETCH_ALLOW", "127.0.0.0/8, host.example ,")
    monkeypatch.setenv("THRESHER_WEBHOOK_TIMES", "0, 5,7.5")
    made = Settings()
    assert (made.port, made.fetch_allow) == (9999, ("127.0.0.0/8", "host.example"))
    assert made.webhook_times == (0, 5, 7.5)


def test_an_empty_variable_is_an_unset_one(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "THRESHER_BOOTSTRAP_KEY", "THRESHER_PORT", "THRESHER_FETCH_ALLOW"):
        monkeypatch.setenv(name, "")
    made = Settings()
    assert (made.database_url, made.bootstrap_key, made.port, made.fetch_allow) == (None, None, 8080, ())


@pytest.mark.parametrize("name", ["DATABASE_URL", "THRESHER_DATABASE_URL"])
def test_the_database_has_two_names(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setenv(name, "postgresql://host/db")
    assert Settings().database_url == "postgresql://host/db"


def test_flag_beats_environment_beats_file_beats_default(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    assert Settings().port == 8080
    config.write_text("port = 1001\nretries = 7\nfetch_allow = ['10.0.0.0/8']\n")
    assert (Settings().port, Settings().retries, Settings().fetch_allow) == (1001, 7, ("10.0.0.0/8",))
    monkeypatch.setenv("THRESHER_PORT", "1002")
    assert (Settings().port, Settings().retries) == (1002, 7)
    assert Settings(port=1003).port == 1003


POOL = '{"default": {"url": "http://u:s3cret@a.example:3128"}, "de": {"url": ["http://b:1", "http://c:2"], "proxy_dns": true}}'


def test_proxies_are_json_in_the_environment_and_tables_in_the_file(
    monkeypatch: pytest.MonkeyPatch, config: Path
) -> None:
    config.write_text('[proxies.default]\nurl = "http://file.example:3128"\n')
    assert Settings().proxies["default"].url[0].get_secret_value() == "http://file.example:3128"
    monkeypatch.setenv("THRESHER_PROXIES", POOL)
    proxies = Settings().proxies
    assert [len(proxies[name].url) for name in ("default", "DE")] == [1, 2]
    assert [proxies[name].proxy_dns for name in ("default", "DE")] == [False, True]


@pytest.mark.parametrize(
    "value",
    [
        "http://u:s3cret@a.example:3128",
        POOL[:-1],
        POOL.replace("url", "urls"),
        POOL.replace('"http://u:s3cret@a.example:3128"', "[]"),
        POOL.replace("true", '"s3cret"'),
        f"[{POOL}]",
        POOL.replace("default", "De"),
    ],
)
def test_wrong_proxies_are_refused_without_their_credentials(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], value: str
) -> None:
    monkeypatch.setenv("THRESHER_PROXIES", value)
    with pytest.raises(ValidationError, match="proxies") as caught:
        Settings()
    with pytest.raises(SystemExit):
        load_settings()
    said = capsys.readouterr().err
    assert "THRESHER_PROXIES" in said
    assert "s3cret" not in f"{caught.value} {said}"


def test_settings_cannot_be_changed_after_the_start() -> None:
    made = Settings()
    with pytest.raises(ValidationError, match="frozen"):
        made.port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PORT", "70000"),
        ("PORT", "http"),
        ("WORKERS", "-1"),
        ("LOG_LEVEL", "loud"),
        ("ITEM_TIMEOUT", "0"),
        ("ITEMS_OBJECT", "array"),
        ("SHARD_SIZE", "1001"),
        ("WEBHOOK_TIMES", "1,2"),
        ("WEBHOOK_TIMES", "0,2,1"),
        ("WEBHOOK_TIMES", "0,soon"),
    ],
)
def test_a_value_out_of_bounds_is_refused_by_name(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(f"THRESHER_{name}", value)
    with pytest.raises(ValidationError, match=name.lower()):
        Settings()


def test_a_variable_that_is_no_setting_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THRESHER_SOMETHING_ELSE", "1")
    assert not hasattr(Settings(), "something_else")


def test_the_data_dir_is_absolute_and_holds_the_packs_unless_told_otherwise(tmp_path: Path) -> None:
    assert Settings(data_dir=Path("~/x")).data_dir == Path.home() / "x"
    assert Settings(data_dir=tmp_path).packs_url == f"file://{tmp_path}/blobs"
    assert Settings(blob_url="s3://bucket/prefix").packs_url == "s3://bucket/prefix"


def test_every_setting_says_what_it_is() -> None:
    for name, field in Settings.model_fields.items():
        assert field.description, name
        assert "|" not in field.description


def test_the_page_of_settings_is_made_of_the_module() -> None:
    assert (PAGES / "settings.md").read_text("utf-8") == docs.settings(), "run `make docs`"


@pytest.mark.parametrize("agent", ["", "  ", "Thresher\r\nX-Other: 1", "Thrésher"])
def test_a_user_agent_that_cannot_stand_in_a_header_is_refused(agent: str) -> None:
    with pytest.raises(ValidationError, match="user_agent"):
        Settings(user_agent=agent)
