"""Sheets: comparisons as a file that one person fills in, without model names and with the sides in random order.

Which side is which does not stand in the sheet, not even as a letter: the item's id ends with a digest of comparison,
person and side, which reading the sheet back works out again. A row filled in under another name is noticed by it.
"""

import csv
import io
import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from pairsmith.formats.fields import RowProblem, label_of, optional_text, row_warnings
from pairsmith.formats.pairing import Ballots
from pairsmith.formats.rows import Parsed, Row
from pairsmith.ids import content_id
from pairsmith.records import Label, Side, flip

__all__ = ["SHEET_COLUMNS", "SheetRow", "is_sheet_row", "parse_sheet_row", "sheet_text"]

SHEET_COLUMNS: Final = (
    "item_id",
    "annotator",
    "preference",
    "comment",
    "prompt",
    "first",
    "second",
    "guideline",
)
"""`preference` is for `first`, `second`, `tie`, `both_bad` or `unsure`; what stays empty is not answered."""

LABELS: Final[dict[str, Label]] = {
    "first": "a",
    "1": "a",
    "second": "b",
    "2": "b",
    "tie": "tie",
    "both_bad": "both_bad",
    "unsure": "unsure",
}

_ITEM = re.compile(r"(cmp_[0-9a-f]{24})-([0-9a-f]{8})")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_DIGITS = 8


@dataclass(frozen=True, slots=True)
class SheetRow:
    """One comparison for one person; `first` is the text of the side `shown_first`."""

    comparison_id: str
    annotator: str
    shown_first: Side
    prompt: str
    first: str
    second: str
    guideline: str = ""

    def values(self) -> dict[str, str]:
        """The columns, those to fill in empty."""
        return {
            "item_id": f"{self.comparison_id}-{_digest(self.comparison_id, self.annotator, self.shown_first)}",
            "annotator": self.annotator,
            "preference": "",
            "comment": "",
            "prompt": self.prompt,
            "first": self.first,
            "second": self.second,
            "guideline": self.guideline,
        }


def sheet_text(rows: Sequence[SheetRow], *, table: bool) -> str:
    """The sheet as CSV for a spreadsheet (`table`), or as JSON Lines.

    In CSV a cell that a spreadsheet would run as a formula gets an apostrophe in front; texts are never read back.
    """
    if not table:
        return "".join(json.dumps(row.values(), ensure_ascii=False) + "\n" for row in rows)
    written = io.StringIO(newline="")
    writer = csv.DictWriter(written, SHEET_COLUMNS, lineterminator="\r\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({name: _harmless(value) for name, value in row.values().items()})
    return written.getvalue()


def is_sheet_row(values: Any) -> bool:
    """Whether a row of votes comes from a sheet."""
    item = values.get("item_id")
    return isinstance(item, str) and _ITEM.fullmatch(item.strip()) is not None


def parse_sheet_row(row: Row, ballots: Ballots) -> Parsed:
    """The vote of the person the sheet was made for, or nothing with the warning `unanswered`.

    Raises:
        RowProblem: for a verdict that is none, or a row made for somebody else.
    """
    values = row.values
    found = _ITEM.fullmatch(str(values["item_id"]).strip())
    assert found is not None
    comparison_id, digest = found.groups()
    annotator = optional_text(values, "annotator")
    shown = next((side for side in _SIDES if _digest(comparison_id, annotator, side) == digest), None)
    if shown is None:
        raise RowProblem("other_annotator", "annotator", f"the row was not made for {annotator[:50]!r}")
    if not optional_text(values, "preference"):
        return Parsed(row.line, None, warnings=(*row_warnings(values), "unanswered"))
    label = label_of(values["preference"], "preference", LABELS)
    vote, warnings = ballots.cast(
        comparison_id,
        annotator,
        "human",
        label if shown == "a" else flip(label),
        shown_first=shown,
        rationale=optional_text(values, "comment"),
        guideline=optional_text(values, "guideline"),
    )
    return Parsed(row.line, None, annotations=(vote,), warnings=(*row_warnings(values), *warnings))


_SIDES: Final[tuple[Side, Side]] = ("a", "b")


def _digest(comparison_id: str, annotator: str, side: Side) -> str:
    return content_id("sheet", [comparison_id, annotator, side])[-_DIGITS:]


def _harmless(cell: str) -> str:
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
