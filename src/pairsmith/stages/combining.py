"""People and models combined: judges and scorers fitted to what people said, then one probability for every pair.

A judge's vote is evidence of 1 toward its side; a scorer's is the difference of its scores. People's votes are added
to that, not replaced: their verdict of a tie stands, and so do rulings and gold verdicts.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.measures.combine import MIN_LABELS, Combined, calibration_figures, combine, fit_calibration
from pairsmith.measures.vote_table import Floats
from pairsmith.measures.votes import Votes, code
from pairsmith.records import Annotation, Score
from pairsmith.stages.cases import Case, Truths
from pairsmith.stages.model_votes import MODEL_KINDS
from pairsmith.stages.verdicts import Verdict

__all__ = ["Calibrated", "calibrate", "combined_verdicts"]

_SIGNS: Mapping[str, float] = {"a": 1.0, "b": -1.0, "tie": 0.0, "both_bad": 0.0}
_NO_SIDE = ("tie", "both_bad", "unsure")
_NEITHER = [code("tie"), code("both_bad")]
_MAX_MODELS = 16
_LIKELY_ACCURACY = 2 / 3  # the mean of the prior on annotators, for crowds too small to say
_SURE = 1e-6


@dataclass(frozen=True, slots=True)
class Calibrated:
    """P(a is better) of each case with its interval: of models and people together, and of the models alone."""

    both: Combined
    models: Floats
    """NaN where none of them said anything."""
    people: Floats
    """People's votes on each case for `a`, for `b` and for neither, shape (cases, 3)."""


def calibrate(
    cfg: ResolveConfig,
    cases: Sequence[Case],
    votes: Votes,
    truths: Truths,
    probabilities: Floats | None,
    accuracy: float | None,
    scores: Sequence[Score],
    *,
    seed: int,
    fitted_on: str,
) -> tuple[Calibrated | None, dict[str, Any]]:
    """Fit the models to the cases people voted on, and apply the fit to all.

    Args:
        cfg: the section `resolve`.
        cases: all cases.
        votes: on them.
        truths: what stands above votes.
        probabilities: of a, b and neither, by a model of people's votes alone, shape (cases, 3); `None`: counted.
        accuracy: of one person's vote, for people's odds where votes are counted; `None` if unknown.
        scores: what scorers gave candidates.
        seed: of folds and bootstrap.
        fitted_on: what to store as the date.

    Returns:
        `None` with the reason in the figures where nothing may be called calibrated (fewer than 50 labelled pairs).
    """
    evidence, models = _evidence(cases, votes, scores)
    people = _people(votes, truths)
    scored = np.asarray(np.isfinite(evidence).any(axis=1), dtype=np.bool_)
    usable = people.any(axis=1) & scored
    base = {"asked": cfg.combine, "models": models, "state": "not_evaluated", "n": int(usable.sum())}
    if cfg.combine == "separate":
        return None, {**base, "calibrated": False, "reason": "resolve.combine is separate: votes count as they are"}
    if usable.sum() < MIN_LABELS:
        reason = f"{int(usable.sum())} pairs have both people's votes and a model's; {MIN_LABELS} are needed"
        return None, {**base, "calibrated": False, "reason": reason}
    outcomes = _outcomes(people)
    prompts = np.array([case.comparison.prompt_id for case in cases])
    fit = fit_calibration(
        evidence[usable],
        outcomes[usable],
        seed=seed,
        kind=cfg.calibration,
        groups=prompts[usable].tolist(),
        fitted_on=fitted_on,
    )
    odds = _human_odds(people, probabilities, accuracy)
    figures = {**base, "state": "evaluated", "reason": fit.reason, **calibration_figures(fit)}
    both = combine(fit, evidence, odds)
    figures["pairs_with_probability"] = int(both.evaluated.sum())
    alone = np.where(scored, combine(fit, evidence).probability, np.nan)
    return Calibrated(both, alone, people), figures


def combined_verdicts(
    cfg: ResolveConfig, cases: Sequence[Case], counted: Sequence[Verdict], found: Calibrated
) -> list[Verdict]:
    """The side with the higher probability, unless people called a tie or somebody ruled."""
    listed = []
    for row, (case, verdict) in enumerate(zip(cases, counted, strict=True)):
        p = float(found.both.probability[row])
        if _stands(cfg, case, verdict, bool(found.people[row].any())) or not found.both.evaluated[row]:
            # Nobody was heard but models that could not tell.
            unheard = verdict.reason == "no_votes" and bool(case.votes)
            listed.append(Verdict("unsure", "", "calibrated") if unheard else verdict)
        elif p == 1 - p or max(p, 1 - p) < cfg.min_confidence:
            listed.append(Verdict(None, "low_confidence", "calibrated", (p, 1 - p, 0.0)))
        else:
            listed.append(Verdict("a" if 2 * p > 1 else "b", "", "calibrated", (p, 1 - p, 0.0)))
    return listed


def _stands(cfg: ResolveConfig, case: Case, verdict: Verdict, people: bool) -> bool:
    """Whether no model may change the verdict; `people` says whether any of them had an opinion."""
    if verdict.method in ("ruling", "gold") or 1 < cfg.min_votes > len(case.votes):
        return True
    if verdict.label in _NO_SIDE:
        return people
    checked = any(vote.kind == "verifier" for vote in case.votes)
    return checked and not people and verdict.label is not None


def _evidence(cases: Sequence[Case], votes: Votes, scores: Sequence[Score]) -> tuple[Floats, list[str]]:
    """Evidence toward `a`, shape (cases, models), NaN where a model said nothing; models with the most pairs first."""
    value = {(score.scorer, score.candidate_id): score.value for score in sorted(scores, key=lambda each: each.id)}
    scored: dict[str, dict[int, float]] = {}
    voted: dict[str, dict[int, float]] = {}
    reward_models: set[str] = set()
    for scorer in sorted({score.scorer for score in scores}):
        for row, case in enumerate(cases):
            one, other = value.get((scorer, case.comparison.a)), value.get((scorer, case.comparison.b))
            if one is not None and other is not None and math.isfinite(one - other):
                scored.setdefault(f"score:{scorer}", {})[row] = one - other
    for row in np.unique(votes.item[votes.is_kind(*MODEL_KINDS)]).tolist():
        for vote in cases[row].votes:
            if vote.kind in MODEL_KINDS and vote.label in _SIGNS:
                voted.setdefault(vote.annotator, {})[row] = _strength(vote, _SIGNS[vote.label])
                reward_models |= {vote.annotator} if vote.kind == "reward" else set()
    # Scorers also vote: a vote on two scores that are there themselves is no second opinion.
    known = {row for rows in scored.values() for row in rows}
    columns = scored | {
        name: rows for name, rows in voted.items() if not (name in reward_models and rows.keys() <= known)
    }
    models = sorted(columns, key=lambda name: (-len(columns[name]), name))[:_MAX_MODELS]
    matrix = np.full((len(cases), len(models)), np.nan)
    for place, name in enumerate(models):
        rows = columns[name]
        matrix[list(rows), place] = list(rows.values())
    return matrix, models


def _strength(vote: Annotation, sign: float) -> float:
    """A reward model's vote says how far apart it put the two; a judge's only which side."""
    return sign * vote.strength if vote.kind == "reward" and vote.strength is not None else sign


def _people(votes: Votes, truths: Truths) -> Floats:
    """People's votes for `a`, for `b` and for neither, shape (cases, 3); a ruling or gold verdict is one for all."""
    labels = votes.where(votes.is_kind("human")).counts()
    counts = np.stack([labels[:, code("a")], labels[:, code("b")], labels[:, _NEITHER].sum(axis=1)], axis=1)
    for row, (truth, _) in truths.items():
        if truth is not None:
            counts[row] = [truth == "a", truth == "b", truth in ("tie", "both_bad")]
    return counts


def _outcomes(people: Floats) -> Floats:
    """What people preferred: 1 for `a`, 0 for `b`, 0.5 where they did not."""
    a, b, neither = people.T
    outcomes: Floats = np.where((neither > np.maximum(a, b)) | (a == b), 0.5, a > b)
    return outcomes


def _human_odds(people: Floats, probabilities: Floats | None, accuracy: float | None) -> Floats:
    """Log P(a) / P(b) by people's votes alone, 0 where there are none."""
    if probabilities is None:
        q = min(max(accuracy or _LIKELY_ACCURACY, 0.5), 1 - _SURE)
        odds: Floats = (people[:, 0] - people[:, 1]) * (math.log(q) - math.log1p(-q))
        return odds
    kept = np.clip(probabilities, _SURE, 1 - _SURE)
    return np.where(people.any(axis=1), np.log(kept[:, 0]) - np.log(kept[:, 1]), 0.0)
