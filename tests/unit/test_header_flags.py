"""`--header`, as it is written on a command line and in a file."""

from pathlib import Path

import pytest
import typer

from thresher.cli.client.headers import read_headers

SECRET = "s3cr3t"


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ([f"Bearer {SECRET}"], "--header 1 is not NAME: VALUE."),
        ([f": {SECRET}"], "--header 1 is not NAME: VALUE."),
        (["A: 1", f"A: {SECRET}"], "--header 2 names A again."),
        ([f"A: {SECRET}\udcff"], "--header 1 is not UTF-8."),
        (["@no-such-file"], "--header @no-such-file cannot be read: No such file or directory"),
        (["@."], "--header @. cannot be read: Is a directory"),
        (["A: 1", "@FILE"], "FILE line 2 names A again."),
    ],
)
def test_what_is_no_header_is_named_by_its_place_and_its_value_is_not_shown(
    given: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "headers"
    file.write_text(f"B: {SECRET}\nA: {SECRET}\n")
    with pytest.raises((SystemExit, typer.Exit)) as ended:
        read_headers([text.replace("FILE", str(file)) for text in given])
    told = capsys.readouterr().err
    assert said in told.replace(str(file), "FILE")
    assert SECRET not in told
    assert getattr(ended.value, "exit_code", None) or getattr(ended.value, "code", None) == 2


def test_no_header_is_none() -> None:
    assert read_headers([]) is None
