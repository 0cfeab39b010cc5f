"""Corrections that take a bias out of the labels (`resolve.corrections`), and how many votes or labels each changed."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.measures.calibration import sigmoid
from pairsmith.measures.consensus import Consensus
from pairsmith.measures.debias import length_adjusted, position_weights
from pairsmith.measures.vote_table import UNKNOWN, Floats
from pairsmith.measures.votes import Votes
from pairsmith.records import Annotation, Label
from pairsmith.stages.cases import Case, length_of
from pairsmith.stages.model_votes import MODEL_KINDS
from pairsmith.stages.verdicts import Panel, Verdict

__all__ = ["corrected_lengths", "posterior_of_models", "stable_votes", "weights_of_position"]

_WORTH: Mapping[str, float] = {"a": 1.0, "b": 0.0, "tie": 0.5, "both_bad": 0.5}


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
    cfg: ResolveConfig, cases: Sequence[Case], found: Sequence[Verdict], models: Floats | None
) -> tuple[list[Verdict], dict[str, Any]]:
    """Verdicts of models without the part that length explains beyond what it explains of people's.

    Only verdicts without people's votes change, and only where a probability is known. How much length moves models
    and people is compared on the cases that both judged.

    Args:
        cfg: the section `resolve`.
        cases: all cases.
        found: their verdicts.
        models: P(a is better) by judges and scorers alone, NaN where they said nothing, shape (cases,).
    """
    if "length" not in cfg.corrections:
        return list(found), {}
    alone = np.full(len(cases), np.nan) if models is None else models
    told = [_people_for_a(case) for case in cases]
    rows = [
        row
        for row, (case, verdict) in enumerate(zip(cases, found, strict=True))
        if case.a is not None
        and case.b is not None
        and (verdict.label in ("a", "b") and verdict.probabilities if told[row] is None else np.isfinite(alone[row]))
    ]
    people = np.array([np.nan if (share := told[row]) is None else share for row in rows], dtype=np.float64)
    if not np.isnan(people).any():
        reason = "no verdict of models alone has a probability; use method: map or combine: calibrated"
        return list(found), {"length": {"pairs": 0, "changed": 0, "reason": reason}}
    p = np.array([_share_of_a(found[row]) if told[row] is None else alone[row] for row in rows])
    difference = np.array([_length(cases[row], "a") - _length(cases[row], "b") for row in rows])
    fitted = length_adjusted(p, difference, people)
    listed, changed = list(found), 0
    for row, value in zip(rows, fitted.probability.tolist(), strict=True):
        if told[row] is None:
            label: Label = "a" if value > 1 / 2 else "b"
            changed += label != found[row].label
            listed[row] = replace(found[row], label=label, probabilities=(value, 1 - value, 0.0))
    figures = {"pairs": int(np.isnan(people).sum()), "changed": changed, "reason": ""}
    compared = {"coefficient": fitted.coefficient, "people": fitted.reference, "left": fitted.left}
    return listed, {"length": {**figures, "compared_with_people": int(np.isfinite(people).sum()), **compared}}


def posterior_of_models(votes: Votes, panel: Panel, found: Consensus) -> Floats:
    """P(a is better), of the two sides, by the judges and scorers of a panel alone, by the accuracies that were fitted.

    NaN where none of them voted, shape (cases,).
    """
    models = {votes.annotators[each] for each in np.unique(votes.annotator[votes.is_kind(*MODEL_KINDS)]).tolist()}
    of_model = np.array([name in models for name in panel.raters], dtype=bool)
    accuracy = np.full(len(panel.raters), 0.5) if found.rater_accuracy is None else found.rater_accuracy
    table = panel.table
    for_side = of_model[table.raters] & (table.labels < 2)
    odds = np.log(accuracy) - np.log1p(-accuracy)
    toward_a = np.where(table.labels == 0, odds[table.raters], -odds[table.raters]) * table.weights
    heard = np.bincount(table.items[for_side], minlength=len(votes.items)) > 0
    summed = np.bincount(table.items[for_side], weights=toward_a[for_side], minlength=len(votes.items))
    return np.where(heard, sigmoid(summed), np.nan)


def _people_for_a(case: Case) -> float | None:
    """Share of people's votes for `a`, ties as halves; `None` without any."""
    said = [vote.label for vote in case.votes if vote.kind == "human"] + [ruling.label for ruling in case.rulings]
    worth = [_WORTH[label] for label in said if label in _WORTH]
    return sum(worth) / len(worth) if worth else None


def _share_of_a(verdict: Verdict) -> float:
    a, b, _ = verdict.probabilities or (0.5, 0.5, 0.0)
    return a / (a + b) if a + b > 0 else 0.5


def _length(case: Case, side: str) -> int:
    candidate = case.a if side == "a" else case.b
    return 0 if candidate is None else length_of(candidate)
