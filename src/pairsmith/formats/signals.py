"""What a row of a finished preference file says about its own preference: a gap, votes, scores, a margin or nothing.

The length of the texts is never looked at.
"""

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pairsmith.formats.rows import BadRow

__all__ = ["MARGINS", "SCORE_PAIRS", "STRENGTHS", "Signal", "read_signal"]

SignalKind = Literal["gap", "votes", "scores", "margin", "strength", "none"]

SCORE_PAIRS = (
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_avg_rating", "rejected_avg_rating"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
)
"""Names under which data cards give the score of each side."""

MARGINS = ("margin", "score_margin")
STRENGTHS = ("preference_strength", "overall_preference")

_VOTE_KEYS = {
    "chosen": "chosen",
    "rejected": "rejected",
    "tie": "neither",
    "ties": "neither",
    "both_bad": "neither",
    "unsure": "neither",
}
_TOLERANCE = 1e-6
_DECIMAL = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)
_MISSING = (None, "")


@dataclass(frozen=True, slots=True)
class Signal:
    """What one row says.

    `value` is a gap in [-1, 1] for `gap` and `votes`, a number on an unknown scale for `margin` and `strength`, and
    `None` for `scores` (see `scores`) and `none`. `votes` counts chosen, rejected, neither. `kind` "none" with a
    `gap_kind` means that the row itself says that its gap was not measured.
    """

    kind: SignalKind
    value: float | None = None
    gap_kind: str = ""
    scores: tuple[float, float] | None = None
    votes: tuple[int, int, int] | None = None

    @property
    def raw(self) -> tuple[float, ...]:
        """The numbers that still need a scale."""
        return self.scores or ((self.value or 0.0,) if self.kind in ("margin", "strength") else ())


class _Problem(Exception):
    def __init__(self, field: str, reason: str, detail: str) -> None:
        super().__init__(f"{field}: {reason}: {detail}")
        self.field, self.reason, self.detail = field, reason, detail


def read_signal(line: int, values: Mapping[str, Any], scale: tuple[float, float] | None = None) -> Signal | BadRow:
    """The signal of a row, the first there is of: `gap`, `votes`, scores of both sides, margin, strength.

    Args:
        line: line of the row, for the report.
        values: the row.
        scale: lowest and highest possible score, if declared.

    Returns:
        A `BadRow` with reason `score_not_a_number`, `score_off_scale`, `votes_invalid`, `gap_invalid` or
        `margin_inconsistent` for values that cannot be what they say they are.
    """
    try:
        votes = _votes(values.get("votes"))
        if "gap" in values:
            return _own_gap(values, votes)
        if votes is not None:
            return Signal("votes", (votes[0] - votes[1]) / sum(votes), "votes", votes=votes)
        return _scored(values, scale)
    except _Problem as problem:
        return BadRow(line, problem.field, problem.reason, problem.detail)


def _own_gap(values: Mapping[str, Any], votes: tuple[int, int, int] | None) -> Signal:
    kind = str(values.get("gap_kind") or "gap")
    if values["gap"] in _MISSING:
        return Signal("none", gap_kind="not_evaluated", votes=votes)
    gap = _number(values["gap"], "gap")
    if not -1 <= gap <= 1:
        raise _Problem("gap", "gap_invalid", f"{gap} is outside -1..1")
    return Signal("gap", gap, kind, votes=votes)


def _scored(values: Mapping[str, Any], scale: tuple[float, float] | None) -> Signal:
    margin_field, margin = _first_number(values, MARGINS)
    for names in SCORE_PAIRS:
        present = [name for name in names if values.get(name) not in _MISSING]
        if len(present) < 2:
            continue
        chosen, rejected = (_on_scale(_number(values[name], name), name, scale) for name in names)
        if margin is not None and not math.isclose(margin, chosen - rejected, rel_tol=_TOLERANCE, abs_tol=_TOLERANCE):
            detail = f"{margin} is not {chosen} - {rejected}"
            raise _Problem(margin_field, "margin_inconsistent", detail)
        return Signal("scores", scores=(chosen, rejected), gap_kind="rating")
    if margin is not None:
        width = scale[1] - scale[0] if scale else math.inf
        return Signal("margin", _within(margin, margin_field, width), "margin")
    strength_field, strength = _first_number(values, STRENGTHS)
    if strength is not None:
        return Signal("strength", _within(strength, strength_field, scale[1] if scale else math.inf), "strength")
    return Signal("none")


def _first_number(values: Mapping[str, Any], names: tuple[str, ...]) -> tuple[str, float | None]:
    field = next((name for name in names if values.get(name) not in _MISSING), "")
    return field, _number(values[field], field) if field else None


def _number(value: Any, field: str) -> float:
    """A number, also one written as text (every value of a CSV file is text); `9/10` is not a number."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value.strip()):
        value = float(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or not -1e300 < value < 1e300:
        raise _Problem(field, "score_not_a_number", f"expected a number, found {value!r:.80}")
    return float(value)


def _on_scale(score: float, field: str, scale: tuple[float, float] | None) -> float:
    if scale and not scale[0] <= score <= scale[1]:
        raise _Problem(field, "score_off_scale", f"{score} is outside the declared scale {scale[0]}..{scale[1]}")
    return score


def _within(number: float, field: str, width: float) -> float:
    if abs(number) > width:
        raise _Problem(field, "score_off_scale", f"{number} is outside -{width}..{width} of the declared scale")
    return number


def _votes(value: Any) -> tuple[int, int, int] | None:
    """Votes for chosen, for rejected and for neither, from counts by name or from a list of votes."""
    if value in _MISSING:
        return None
    counts = {"chosen": 0, "rejected": 0, "neither": 0}
    if isinstance(value, Mapping):
        for name, number in value.items():
            if name not in _VOTE_KEYS:
                raise _Problem("votes", "votes_invalid", f"{name!r} is none of {', '.join(_VOTE_KEYS)}")
            if isinstance(number, bool) or not isinstance(number, int) or number < 0:
                raise _Problem("votes", "votes_invalid", f"{name}: {number!r} is not a count")
            counts[_VOTE_KEYS[name]] += number
    elif isinstance(value, list):
        for label in _last_labels(value):
            if label not in _VOTE_KEYS:
                raise _Problem("votes", "votes_invalid", f"{label!r:.80} is none of {', '.join(_VOTE_KEYS)}")
            counts[_VOTE_KEYS[label]] += 1
    else:
        raise _Problem("votes", "votes_invalid", f"expected counts or a list, found {type(value).__name__}")
    if not any(counts.values()):
        raise _Problem("votes", "votes_invalid", "no vote in it")
    return counts["chosen"], counts["rejected"], counts["neither"]


def _last_labels(votes: list[Any]) -> Iterator[Any]:
    """The labels of a list of votes; of several by one annotator the last."""
    by_person: dict[Any, Any] = {}
    for number, vote in enumerate(votes):
        if isinstance(vote, Mapping):
            person = vote.get("annotator")
            by_person[number if person is None else str(person)] = vote.get("label", vote.get("vote"))
        else:
            by_person[number] = vote
    yield from (label if isinstance(label, str) else repr(label) for label in by_person.values())
