"""The figures of stage 4: agreement, how many labels are right, what was queued, contradicted, and biased."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from pairsmith.measures.annotation import annotation_figures, annotator_figures, side_counts
from pairsmith.measures.label_quality import (
    audited_accuracy,
    best_accuracy,
    effective_pairs_figure,
    posterior_accuracy,
)
from pairsmith.measures.preference import label_accuracy
from pairsmith.measures.votes import Votes
from pairsmith.records import ConflictRecord, Dropped, Queued, Resolution
from pairsmith.stages.bias_figures import bias_figures
from pairsmith.stages.cases import Case
from pairsmith.stages.conflict_rules import conflict_figures
from pairsmith.stages.group_rows import GROUP_MAJORITY
from pairsmith.stages.queueing import queue_figures
from pairsmith.stages.settling import Settlement

__all__ = ["AUDIT", "resolve_figures"]

AUDIT = "audit"
"""Rulings whose reason begins with this word are an audit: a blind look at labels drawn at random."""


def resolve_figures(
    everybody: Votes,
    cases: Sequence[Case],
    votes: Votes,
    kept: Sequence[Resolution],
    dropped: Sequence[Dropped],
    queued: Sequence[Queued],
    conflicts: Sequence[ConflictRecord],
    settlement: Settlement,
    *,
    seed: int,
) -> dict[str, Any]:
    """All metrics of stage 4 but `selection`, `corrections` and a few counts.

    Args:
        everybody: all votes, for the figures of each annotator.
        cases: all cases, with the votes that count.
        votes: the votes that count.
        kept: the resolutions.
        dropped: what was left out.
        queued: what waits.
        conflicts: what was found to contradict something else.
        settlement: how the verdicts came about.
        seed: of the intervals.
    """
    whole = [each for each in kept if each.method != GROUP_MAJORITY]  # the others hold for some of the votes only
    gaps = {each.comparison_id: each.gap for each in whole if each.gap is not None}
    accuracy = _accuracy(cases, votes, whole, settlement, seed)
    return {
        "annotation": {
            **annotation_figures(votes, seed=seed),
            "label_accuracy": accuracy,
            "effective_pairs": effective_pairs_figure(len(kept), accuracy),
        },
        "annotators": annotator_figures(everybody),
        "annotators_total": len(everybody.annotators),
        "resolve": {
            "kept": len(kept),
            "dropped": dict(sorted(Counter(each.reason for each in dropped).items())),
            "methods": dict(sorted(Counter(each.method for each in kept).items())),
            "gap_kinds": dict(sorted(Counter(each.gap_kind for each in kept).items())),
            "single_vote_pairs": sum(sum(each.votes.values()) == 1 for each in kept),
        },
        "consensus": dict(settlement.consensus),
        "queue": queue_figures(queued),
        "conflicts": conflict_figures(conflicts),
        "calibration": dict(settlement.calibration),
        "bias": bias_figures(cases, votes, gaps, seed=seed),
    }


def _accuracy(
    cases: Sequence[Case], votes: Votes, kept: Sequence[Resolution], settlement: Settlement, seed: int
) -> dict[str, Any]:
    """Share of right labels, from the strongest evidence there is."""
    won = np.zeros(len(cases), dtype=bool)
    won[[settlement.rows[each.comparison_id] for each in kept]] = True
    one_coin = label_accuracy(side_counts(votes), won, seed=seed)
    figures = [one_coin, *_claimed(kept, settlement, seed)]
    audited = _audit(cases)
    figures += [audited] if audited["n"] else []
    best = best_accuracy(figures)
    return {**best, "annotator_accuracy": one_coin["annotator_accuracy"]}


def _claimed(kept: Sequence[Resolution], settlement: Settlement, seed: int) -> list[dict[str, Any]]:
    """The mean probability of the labels under the method that decided most of them, if it claims any."""
    found = [(each, settlement.verdicts[settlement.rows[each.comparison_id]]) for each in kept]
    claims = [(each.winner, verdict.probabilities) for each, verdict in found if verdict.probabilities is not None]
    if not claims or len(claims) < len(kept) / 2:
        return []
    kind = "posterior" if settlement.calibrated is None else "calibrated"
    posterior = np.array([probabilities for _, probabilities in claims])
    labels = [0 if winner == "a" else 1 for winner, _ in claims]
    return [posterior_accuracy(posterior, labels, seed=seed, kind=kind)]


def _audit(cases: Sequence[Case]) -> dict[str, Any]:
    """How many of the labels that were looked at again the votes had right."""
    confirmed = audited = 0
    for case in cases:
        said = {ruling.label for ruling in case.rulings if ruling.reason.lower().startswith(AUDIT)}
        if len(said) != 1:
            continue
        counted = Counter(vote.label for vote in case.votes)
        top = [label for label, count in counted.items() if count == max(counted.values())]
        if len(top) == 1 and top[0] in ("a", "b"):
            audited += 1
            confirmed += top[0] in said
    return audited_accuracy(confirmed, audited)
