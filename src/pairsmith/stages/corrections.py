"""Corrections that take a bias out of the labels (`resolve.corrections`), and how many votes or labels each changed."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.measures.debias import length_adjusted, position_weights
from pairsmith.measures.vote_table import UNKNOWN, Floats
from pairsmith.measures.votes import Votes
from pairsmith.records import Annotation, Label
from pairsmith.stages.cases import Case, length_of
from pairsmith.stages.verdicts import Verdict

__all__ = ["corrected_lengths", "stable_votes", "weights_of_position"]


def stable_votes(
    cfg: ResolveConfig, latest: Sequence[Annotation], everything: Sequence[Annotation]
) -> tuple[list[Annotation], dict[str, Any]]:
    """Votes for a side whose annotator said another thing when the sides were shown the other way round become ties.

    Either the vote says so itself (`swap_consistent: false` of judges), or an earlier vote of the same annotator on the
    same comparison, with the other side first, named another label.
    """
    if "unstable_to_tie" not in cfg.corrections:
        return list(latest), {}
    said: dict[tuple[str, str, str | None], set[str]] = {}
    for vote in everything:
        said.setdefault((vote.comparison_id, vote.annotator, vote.shown_first), set()).add(vote.label)
    other = {"a": "b", "b": "a"}
    corrected, changed = [], 0
    for vote in latest:
        swapped = said.get((vote.comparison_id, vote.annotator, other.get(vote.shown_first or "")), set())
        unstable = vote.criteria.get("swap_consistent") is False or (
            vote.shown_first is not None and bool(swapped) and swapped != {vote.label}
        )
        if unstable and vote.label in ("a", "b"):
            corrected.append(replace(vote, label="tie"))
            changed += 1
        else:
            corrected.append(vote)
    return corrected, {"unstable_to_tie": {"votes": len(latest), "changed": changed, "reason": ""}}


def weights_of_position(cfg: ResolveConfig, votes: Votes) -> tuple[Floats, dict[str, Any]]:
    """Weight of each vote without its annotator's habit of choosing one position, shape (votes,)."""
    weights = np.ones(votes.item.size)
    if "position" not in cfg.corrections:
        return weights, {}
    placed = votes.sided & (votes.first != UNKNOWN)
    if not placed.any():
        reason = "no vote says which side was shown first"
        return weights, {"position": {"votes": 0, "changed": 0, "reason": reason}}
    weights[placed] = position_weights(votes.annotator[placed], votes.label[placed] == votes.first[placed])
    return weights, {"position": {"votes": int(placed.sum()), "changed": int((weights < 1).sum()), "reason": ""}}


def corrected_lengths(
    cfg: ResolveConfig, cases: Sequence[Case], found: Sequence[Verdict]
) -> tuple[list[Verdict], dict[str, Any]]:
    """Verdicts of models without the part that length explains beyond what it explains of people's.

    Only verdicts without people's votes change, and only where a probability is known.
    """
    if "length" not in cfg.corrections:
        return list(found), {}
    rows = [
        row
        for row, (case, verdict) in enumerate(zip(cases, found, strict=True))
        if verdict.label in ("a", "b") and verdict.probabilities and case.a is not None and case.b is not None
    ]
    people = [any(vote.kind == "human" for vote in cases[row].votes) or bool(cases[row].rulings) for row in rows]
    if not rows or all(people):
        reason = "no verdict of models alone has a probability; use method: map or combine: calibrated"
        return list(found), {"length": {"pairs": 0, "changed": 0, "reason": reason}}
    p = np.array([_share_of_a(found[row]) for row in rows])
    difference = np.array([_length(cases[row], "a") - _length(cases[row], "b") for row in rows])
    fitted = length_adjusted(p, difference, np.where(people, p, np.nan) if any(people) else None)
    listed, changed = list(found), 0
    for row, by_people, value in zip(rows, people, fitted.probability.tolist(), strict=True):
        if not by_people:
            label: Label = "a" if value > 1 / 2 else "b"
            changed += label != found[row].label
            listed[row] = replace(found[row], label=label, probabilities=(value, 1 - value, 0.0))
    figures = {"pairs": len(rows) - sum(people), "changed": changed, "reason": ""}
    return listed, {"length": {**figures, "coefficient": fitted.coefficient, "left": fitted.left}}


def _share_of_a(verdict: Verdict) -> float:
    a, b, _ = verdict.probabilities or (0.5, 0.5, 0.0)
    return a / (a + b) if a + b > 0 else 0.5


def _length(case: Case, side: str) -> int:
    candidate = case.a if side == "a" else case.b
    return 0 if candidate is None else length_of(candidate)
