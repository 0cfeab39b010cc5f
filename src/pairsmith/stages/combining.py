"""People and models combined: judges and scorers fitted to what people said, then one probability for every pair.

A judge's vote is evidence of 1 toward its side; a scorer's is the difference of its scores. People's votes are added
to that, not replaced: their verdict of a tie stands, and so do rulings and gold verdicts.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.measures.combine import MIN_LABELS, Combined, calibration_figures, combine, fit_calibration
from pairsmith.measures.vote_table import Floats
from pairsmith.records import Annotation, Score
from pairsmith.stages.cases import Case
from pairsmith.stages.model_votes import MODEL_KINDS
from pairsmith.stages.verdicts import Verdict

__all__ = ["calibrate", "combined_verdicts"]

_SIGNS: Mapping[str, float] = {"a": 1.0, "b": -1.0, "tie": 0.0, "both_bad": 0.0}
_NO_SIDE = ("tie", "both_bad", "unsure")
_MAX_MODELS = 16
_LIKELY_ACCURACY = 2 / 3  # the mean of the prior on annotators, for crowds too small to say
_SURE = 1e-6


def calibrate(
    cfg: ResolveConfig,
    cases: Sequence[Case],
    probabilities: Floats | None,
    accuracy: float | None,
    scores: Sequence[Score],
    *,
    seed: int,
    fitted_on: str,
) -> tuple[Combined | None, Floats | None, dict[str, Any]]:
    """P(a is better) of every case with its interval, by models fitted to the cases people voted on, and by people.

    Args:
        cfg: the section `resolve`.
        cases: all cases.
        probabilities: of a, b and neither, by a model of people's votes alone, shape (cases, 3); `None`: counted.
        accuracy: of one person's vote, for people's odds where votes are counted; `None` if unknown.
        scores: what scorers gave candidates.
        seed: of folds and bootstrap.
        fitted_on: what to store as the date.

    Returns:
        P(a is better) with its interval; the same by the models alone, NaN where none said anything (only for the
        correction that needs it); and the figures. `None` with the reason in the figures where nothing may be called
        calibrated (fewer than 50 labelled pairs).
    """
    evidence, models = _evidence(cases, scores)
    people = [_people(case) for case in cases]
    labelled = np.array([votes.total() > 0 for votes in people], dtype=bool)
    usable = labelled & np.isfinite(evidence).any(axis=1) if models else np.zeros(len(cases), dtype=bool)
    base = {"asked": cfg.combine, "models": models, "state": "not_evaluated", "n": int(usable.sum())}
    if cfg.combine == "separate":
        return (
            None,
            None,
            {**base, "calibrated": False, "reason": "resolve.combine is separate: votes count as they are"},
        )
    if usable.sum() < MIN_LABELS:
        reason = f"{int(usable.sum())} pairs have both people's votes and a model's; {MIN_LABELS} are needed"
        return None, None, {**base, "calibrated": False, "reason": reason}
    outcomes = np.array([_outcome(votes) for votes in people])
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
    if "length" not in cfg.corrections:
        return both, None, figures
    alone = np.where(np.isfinite(evidence).any(axis=1), combine(fit, evidence).probability, np.nan)
    return both, alone, figures


def combined_verdicts(
    cfg: ResolveConfig, cases: Sequence[Case], counted: Sequence[Verdict], found: Combined
) -> list[Verdict]:
    """The side with the higher probability, unless people called a tie or somebody ruled."""
    listed = []
    for row, (case, verdict) in enumerate(zip(cases, counted, strict=True)):
        p = float(found.probability[row])
        if _stands(cfg, case, verdict) or not found.evaluated[row]:
            # Nobody was heard but models that could not tell.
            unheard = verdict.reason == "no_votes" and bool(case.votes)
            listed.append(Verdict("unsure", "", "calibrated") if unheard else verdict)
        elif p == 1 - p or max(p, 1 - p) < cfg.min_confidence:
            listed.append(Verdict(None, "low_confidence", "calibrated", (p, 1 - p, 0.0)))
        else:
            listed.append(Verdict("a" if 2 * p > 1 else "b", "", "calibrated", (p, 1 - p, 0.0)))
    return listed


def _stands(cfg: ResolveConfig, case: Case, verdict: Verdict) -> bool:
    """Whether no model may change the verdict."""
    if verdict.method in ("ruling", "gold") or 1 < cfg.min_votes > len(case.votes):
        return True
    people = _people(case)
    if verdict.label in _NO_SIDE:
        return bool(people)
    checked = any(vote.kind == "verifier" for vote in case.votes)
    return checked and not people and verdict.label is not None


def _evidence(cases: Sequence[Case], scores: Sequence[Score]) -> tuple[Floats, list[str]]:
    """Evidence toward `a`, shape (cases, models), NaN where a model said nothing; models with the most pairs first."""
    value = {(score.scorer, score.candidate_id): score.value for score in sorted(scores, key=lambda each: each.id)}
    scorers = sorted({score.scorer for score in scores})
    scored: dict[str, dict[int, float]] = {}
    voted: dict[str, dict[int, float]] = {}
    reward_models: set[str] = set()
    for row, case in enumerate(cases):
        for scorer in scorers:
            one, other = value.get((scorer, case.comparison.a)), value.get((scorer, case.comparison.b))
            if one is not None and other is not None and math.isfinite(one - other):
                scored.setdefault(f"score:{scorer}", {})[row] = one - other
        for vote in case.votes:
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


def _people(case: Case) -> Counter[str]:
    """People's votes that name a side or a tie, rulings among them; a gold verdict stands for all of them."""
    truth, _ = case.truth()
    if truth is not None:
        return Counter([truth] if truth in _SIGNS else [])
    return Counter(vote.label for vote in case.votes if vote.kind == "human" and vote.label in _SIGNS)


def _outcome(votes: Counter[str]) -> float:
    """What people preferred: 1 for `a`, 0 for `b`, 0.5 where they did not."""
    neither = votes["tie"] + votes["both_bad"]
    if neither > max(votes["a"], votes["b"]) or votes["a"] == votes["b"]:
        return 0.5
    return float(votes["a"] > votes["b"])


def _human_odds(people: Sequence[Counter[str]], probabilities: Floats | None, accuracy: float | None) -> Floats:
    """Log P(a) / P(b) by people's votes alone, 0 where there are none."""
    lead = np.array([votes["a"] - votes["b"] for votes in people], dtype=np.float64)
    if probabilities is None:
        q = min(max(accuracy or _LIKELY_ACCURACY, 0.5), 1 - _SURE)
        return lead * (math.log(q) - math.log1p(-q))
    kept = np.clip(probabilities, _SURE, 1 - _SURE)
    voted = np.array([votes.total() > 0 for votes in people], dtype=bool)
    return np.where(voted, np.log(kept[:, 0]) - np.log(kept[:, 1]), 0.0)
