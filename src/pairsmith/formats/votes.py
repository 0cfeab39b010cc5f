"""Format `votes`: who preferred which answer of a pair, one vote per row."""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pairsmith.formats.fields import (
    RowProblem,
    first_of,
    label_of,
    number_of,
    optional_text,
    parse_each,
    prompt_of,
    required,
    row_warnings,
)
from pairsmith.formats.pairing import Ballots, voted_pair
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.formats.sheets import is_sheet_row, parse_sheet_row
from pairsmith.ids import content_id
from pairsmith.records import AnnotatorKind, Candidate, Label, Message, Side, flip

__all__ = ["PAIR_FIELDS", "VOTER_FIELDS", "VOTE_FIELDS", "external_comparison_id", "parse_votes"]

PAIR_FIELDS = ("comparison_id", "pair_id", "item_id")
VOTER_FIELDS = ("annotator", "annotator_id", "rater", "worker", "judge")
VOTE_FIELDS = ("preference", "label", "vote", "winner", "choice")

LABELS: Mapping[str, Label] = {
    "a": "a",
    "response_a": "a",
    "model_a": "a",
    "b": "b",
    "response_b": "b",
    "model_b": "b",
    "tie": "tie",
    "equal": "tie",
    "both_bad": "both_bad",
    "tie (bothbad)": "both_bad",
    "unsure": "unsure",
    "skip": "unsure",
}

_OUR_ID = re.compile(r"cmp_[0-9a-f]{24}")


def parse_votes(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One vote per row: on the two answers in it (`response_a`, `response_b`), on a pair by its id, or in a sheet."""
    return parse_each(rows, functools.partial(_vote, context=context, ballots=Ballots()))


def external_comparison_id(pair_id: str) -> str:
    """The comparison id that stands for a pair known only by the name somebody else gave it."""
    return content_id("cmp", ["external", pair_id])


def _vote(row: Row, context: SourceContext, ballots: Ballots) -> Parsed:
    values = row.values
    if is_sheet_row(values):
        return parse_sheet_row(row, ballots)
    annotator = _annotator(values)
    field = first_of(values, VOTE_FIELDS)
    if field is None:
        raise RowProblem("missing_field", VOTE_FIELDS[0], f"none of {', '.join(VOTE_FIELDS)}")
    label = label_of(values[field], field, LABELS)
    kind: AnnotatorKind = context.annotator_kind
    details: dict[str, Any] = {
        "rationale": optional_text(values, "rationale", "reason", "comment"),
        "seconds": _seconds(values),
    }
    if "response_a" in values or "response_b" in values:
        prompt = prompt_of((Message("user", required(values, "prompt")),), values, context)
        first, second = (
            Candidate.imported(
                prompt.id, required(values, f"response_{side}"), model=optional_text(values, f"model_{side}")
            )
            for side in "ab"
        )
        first_seen = _shown_first(values)
        if first_seen == "b":
            first, second, label = second, first, flip(label)
        votes = [(annotator, kind, label)]
        return voted_pair(
            row.line,
            prompt,
            first,
            second,
            votes,
            ballots,
            in_order_shown=first_seen is not None,
            warnings=row_warnings(values),
            **details,
        )
    pair_id = _pair_id(values)
    ours = _OUR_ID.fullmatch(pair_id) is not None
    comparison_id = pair_id if ours else external_comparison_id(pair_id)
    vote, warnings = ballots.cast(
        comparison_id, annotator, kind, label, shown_first=_shown_first(values) if ours else None, **details
    )
    if not ours:
        warnings = (*warnings, "unlinked_vote")
    return Parsed(row.line, None, annotations=(vote,), warnings=(*row_warnings(values), *warnings))


def _annotator(values: Mapping[str, Any]) -> str:
    field = first_of(values, VOTER_FIELDS)
    if field is not None and isinstance(values[field], int) and not isinstance(values[field], bool):
        return str(values[field])
    return required(values, *VOTER_FIELDS).strip()


def _pair_id(values: Mapping[str, Any]) -> str:
    field = first_of(values, PAIR_FIELDS)
    if field is not None and isinstance(values[field], int) and not isinstance(values[field], bool):
        return str(values[field])
    return required(values, *PAIR_FIELDS).strip()


def _shown_first(values: Mapping[str, Any]) -> Side | None:
    """The side the annotator saw first, if the row says."""
    shown = values.get("shown_first")
    if shown in (None, ""):
        return None
    if shown != "a" and shown != "b":
        raise RowProblem("wrong_type", "shown_first", f"expected a or b, found {str(shown)[:50]!r}")
    return "a" if shown == "a" else "b"


def _seconds(values: Mapping[str, Any]) -> float | None:
    field = first_of(values, ("seconds", "lead_time"))
    if field is None or values[field] in (None, ""):
        return None
    seconds = number_of(values[field], field)
    if seconds < 0:
        raise RowProblem("wrong_type", field, f"{seconds} seconds; time cannot be negative")
    return seconds
