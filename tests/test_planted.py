"""Planted conflicts are found, honest crowds accuse nobody; the measured table is in docs/reference/conflicts.md."""

import re
from pathlib import Path

import pytest

from pairsmith.measures.conflicts import CONFLICT_KINDS, CONFLICT_RESOLUTIONS
from pairsmith.measures.selection import PICKING, TRIMMING
from tests.planted import CROWDS, crowds_table, simulate, table, tally

DOCS = Path(__file__).resolve().parents[1] / "docs" / "reference"
MAX_FALSE_ALARMS = 0.02


def test_every_kind_is_planted():
    assert set(simulate(0, planted=True).planted) == set(CONFLICT_KINDS)


def test_simulation_depends_on_the_seed_alone():
    assert simulate(3, planted=True) == simulate(3, planted=True)
    assert simulate(3, planted=True) != simulate(4, planted=True)


def test_planted_conflicts_are_found_and_nobody_else_is_accused():
    for kind, row in tally(range(300, 302), planted=True).items():
        assert row.recall >= 0.95, kind
        assert row.false_alarms < MAX_FALSE_ALARMS, kind


def test_clean_data_raise_no_alarm():
    for kind, row in tally(range(300, 302), planted=False).items():
        assert row.planted == 0
        assert row.false_alarms < MAX_FALSE_ALARMS, kind


@pytest.mark.slow
@pytest.mark.parametrize("planted", [True, False])
@pytest.mark.parametrize("crowd", CROWDS)
def test_no_crowd_raises_alarms(crowd, planted):
    for kind, row in tally(range(400, 410), planted=planted, crowd=crowd).items():
        assert row.false_alarms < MAX_FALSE_ALARMS, (crowd, kind)


@pytest.mark.slow
def test_the_documented_tables_are_what_is_measured():
    page = (DOCS / "conflicts.md").read_text()
    assert table() in page
    assert crowds_table() in page


def test_every_kind_resolution_and_policy_is_documented():
    conflicts = (DOCS / "conflicts.md").read_text()
    for name, meaning in (*CONFLICT_KINDS.items(), *CONFLICT_RESOLUTIONS.items()):
        assert re.search(rf"\| `{name}` \| {re.escape(meaning)} \|", conflicts), name
    selection = (DOCS / "selection.md").read_text()
    for name in (*PICKING, *TRIMMING):
        assert f"| `{name}` |" in selection, name
