"""How `thresher diff` shows an entry to a person."""

from thresher.cli.client.compare import row, sentence


def test_an_entry_is_a_row_with_its_differences_under_it_and_moves_no_cursor() -> None:
    item = {"url": "https://a.example/\x1b[2J"}
    entry = {
        "custom_id": "a",
        "status": "changed",
        "now": item,
        "before": item,
        "diff": "--- before\n+++ now\n@@ 1 @@\n+x\n",
    }
    assert row(entry) == b"changed   a  https://a.example/\\x1b[2J\n    @@ 1 @@\n    +x\n"
    gone = {"custom_id": "b", "status": "gone", "now": None, "before": item}
    assert row(gone) == b"gone      b  https://a.example/\\x1b[2J\n"
    assert row(entry | {"diff": None, "diff_error": "too_large"}).endswith(b"\n    (too_large)\n")
    assert sentence(
        {"new": 1, "changed": 0, "same": 1200} | dict.fromkeys(("gone", "recovered", "lost", "failed", "unknown"), 0)
    ) == ("1,201 items: 1 new, 1,200 same.")
    assert sentence(dict.fromkeys(("new", "changed", "same", "gone", "recovered", "lost", "failed", "unknown"), 0)) == (
        "0 items: nothing to compare."
    )
