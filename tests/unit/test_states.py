"""The states: final ones are final, and the chart in docs/states.md has every move of the tables and no other."""

import re
from collections.abc import Iterable, Mapping
from enum import Enum
from pathlib import Path
from typing import Any

import pytest

from thresher.domain.states import (
    BATCH_MOVES,
    ITEM_MOVES,
    SHARD_MOVES,
    BatchState,
    ItemState,
    Outcome,
    ShardState,
    outcome_of,
    overlay_of,
)

DOCS = Path(__file__).parents[2] / "docs"
MACHINES: dict[str, Mapping[Any, Iterable[Any]]] = {"Batch": BATCH_MOVES, "Item": ITEM_MOVES, "Shard": SHARD_MOVES}


def _chart(machine: str) -> list[tuple[str, str, str]]:
    """The edges of a chart: from, to, who."""
    text = (DOCS / "states.md").read_text("utf-8")
    section = text.split(f"## {machine}\n")[1].split("\n## ")[0]
    return re.findall(r"^    (\S+) --> (\S+) : (.+)$", section, re.MULTILINE)


def _name(state: Enum) -> str:
    return state.name.lower()


@pytest.mark.parametrize("machine", MACHINES)
def test_the_chart_has_every_move_of_the_table_and_no_other(machine: str) -> None:
    drawn = sorted((was, now) for was, now, _ in _chart(machine) if "[*]" not in (was, now))
    assert drawn == sorted((_name(was), _name(now)) for was, to in MACHINES[machine].items() for now in to)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_edge_of_the_chart_is_named_with_who_makes_it(machine: str) -> None:
    who = re.compile(r"\b(caller|worker|reconciler|janitor|settle|end|stop|shard|rest|ones)\b")
    for was, now, label in _chart(machine):
        assert who.search(label), f"{was} to {now}: {label}"


def test_every_state_is_in_its_table() -> None:
    assert set(BATCH_MOVES) == set(BatchState)
    assert set(ITEM_MOVES) == set(ItemState)
    assert set(SHARD_MOVES) == set(ShardState)


def test_what_is_finished_stays() -> None:
    assert not BATCH_MOVES[BatchState.DONE]
    assert all(not ITEM_MOVES[state] for state in ItemState if state is not ItemState.PENDING)


def test_a_batch_can_be_done_from_wherever_it_is() -> None:
    assert all(BatchState.DONE in to for state, to in BATCH_MOVES.items() if state is not BatchState.DONE)


@pytest.mark.parametrize(
    ("total", "completed", "skipped", "outcome"),
    [
        (3, 3, 0, Outcome.ALL_OK),
        (3, 1, 2, Outcome.ALL_OK),
        (3, 1, 1, Outcome.PARTIAL),
        (3, 0, 1, Outcome.PARTIAL),
        (3, 0, 0, Outcome.ALL_FAILED),
        (0, 0, 0, Outcome.ALL_OK),
    ],
)
def test_the_outcome_follows_from_the_counts(total: int, completed: int, skipped: int, outcome: Outcome) -> None:
    assert outcome_of(total, completed, skipped) is outcome


def test_what_a_stop_leaves_reads_as_cancelled_or_failed() -> None:
    assert overlay_of(Outcome.CANCELLED) is ItemState.CANCELLED
    assert overlay_of(Outcome.EXPIRED) is ItemState.FAILED
