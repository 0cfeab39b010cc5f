"""Sheets for people: blind, read back side for side, and safe to open."""

import csv
import io
import json

import pytest

from pairsmith.formats.sheets import SHEET_COLUMNS, SheetRow, sheet_text
from tests.formats.helpers import bad, good

ID = "cmp_0123456789abcdef01234567"


def filled(preference: str, shown: str = "a", **changes: str) -> dict[str, str]:
    row = SheetRow(ID, "anna", shown, "Why?", "Because.", "Who knows.", "v1-12345678")  # type: ignore[arg-type]
    return {**row.values(), "preference": preference, **changes}


@pytest.mark.parametrize(
    ("shown", "preference", "label"),
    [
        ("a", "first", "a"),
        ("a", "second", "b"),
        ("b", "first", "b"),
        ("b", "second", "a"),
        ("b", " First ", "b"),
        ("b", "1", "b"),
        ("b", "tie", "tie"),
        ("a", "both_bad", "both_bad"),
        ("b", "unsure", "unsure"),
    ],
)
def test_a_verdict_is_on_the_side_that_was_shown(shown, preference, label):
    parsed = good("votes", filled(preference, shown, comment="clear"))
    [vote] = parsed.annotations
    assert (vote.comparison_id, vote.annotator, vote.kind) == (ID, "anna", "human")
    assert (vote.label, vote.shown_first, vote.rationale, vote.guideline) == (label, shown, "clear", "v1-12345678")
    assert (parsed.prompt, parsed.candidates) == (None, ())


def test_the_kind_is_human_whatever_the_source_says():
    assert good("votes", filled("first")).annotations[0].kind == "human"


def test_what_is_not_filled_in_is_no_error():
    parsed = good("votes", filled(""))
    assert (parsed.annotations, parsed.warnings) == ((), ("unanswered",))


def test_a_row_under_another_name_is_refused():
    assert "other_annotator" in bad("votes", filled("first", annotator="bob"))
    assert "unknown_label" in bad("votes", filled("left"))


def test_nothing_in_a_sheet_names_a_side_or_a_model():
    one, other = (SheetRow(ID, "anna", shown, "p", "x", "y") for shown in ("a", "b"))
    assert set(one.values()) == set(SHEET_COLUMNS)
    assert one.values()["item_id"] != other.values()["item_id"]
    assert all(value not in ("a", "b") for value in one.values().values())


def test_a_table_runs_no_formula_and_keeps_lines():
    row = SheetRow(ID, "=anna", "a", "+1\n2", "@SUM(A1)", '-x, "quoted"')
    [read] = csv.DictReader(io.StringIO(sheet_text([row], table=True), newline=""))
    assert [read[name] for name in ("annotator", "prompt", "first", "second")] == [
        "'=anna",
        "'+1\n2",
        "'@SUM(A1)",
        '\'-x, "quoted"',
    ]
    assert json.loads(sheet_text([row], table=False))["first"] == "@SUM(A1)"
