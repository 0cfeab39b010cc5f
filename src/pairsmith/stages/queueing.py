"""Comparisons that wait for people: undecided ones that a further vote or a ruling can still decide."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairsmith.config import ResolveConfig
from pairsmith.measures.overlap import votes_needed
from pairsmith.records import LABELS, Dropped, Queued
from pairsmith.stages.cases import Case

__all__ = ["queue_figures", "queue_for_rulings", "queue_for_votes"]

_BY_COUNTING = ("no_votes", "too_few_votes", "no_majority", "low_agreement", "unsure")
_MIN_SHARE = 1e-9


def queue_for_votes(cfg: ResolveConfig, cases: Mapping[str, Case], dropped: Sequence[Dropped]) -> list[Queued]:
    """Those of the dropped comparisons that further votes can make a pair within `resolve.max_votes`.

    Beyond that a ruling decides where votes are even or a model is not sure enough; what is merely contested (too small
    an agreement) is given up. Comparisons whose rulings disagree wait for one of them to be withdrawn.
    """
    found: list[Queued] = []
    undecided = [each for each in dropped if each.reason in _BY_COUNTING]
    counts = np.zeros((len(undecided), len(LABELS)))
    for row, drop in enumerate(undecided):
        labels = cases[drop.id].labels()
        counts[row] = [labels[label] for label in LABELS]
    needed = votes_needed(
        counts,
        min_votes=cfg.min_votes,
        min_agreement=max(cfg.min_agreement, _MIN_SHARE),
        can_win=[label in ("a", "b") for label in LABELS],
        max_votes=max(cfg.max_votes, cfg.min_votes),
    )
    for drop, votes in zip(undecided, needed.tolist(), strict=True):
        if votes > 0:
            found.append(_queued(cases[drop.id], drop.reason, "vote", votes))
        elif drop.reason == "no_majority":  # or a model or weights left open what counting would decide
            found.append(_queued(cases[drop.id], drop.reason, "ruling", 1))
    for drop in dropped:
        case = cases[drop.id]
        if drop.reason == "low_confidence":
            found.append(_queued(case, drop.reason, "vote" if len(case.votes) < cfg.max_votes else "ruling", 1))
        elif drop.reason == "conflicting_rulings":
            found.append(_queued(case, drop.reason, "ruling", 1))
    return found


def queue_for_rulings(cases: Mapping[str, Case], waiting: Mapping[str, tuple[str, str]]) -> list[Queued]:
    """Comparisons in conflicts: by id, the reason and what they need."""
    return [_queued(cases[name], why, needs, 1) for name, (why, needs) in waiting.items()]


def queue_figures(queued: Sequence[Queued]) -> dict[str, Any]:
    """How many comparisons wait, for what, and how many votes they need in all."""
    return {
        "total": len(queued),
        "votes_needed": sum(each.votes_needed for each in queued if each.needs == "vote"),
        "rulings_needed": sum(each.needs == "ruling" for each in queued),
        "one_vote_short": sum(each.needs == "vote" and each.votes_needed == 1 for each in queued),
        "why": dict(sorted(Counter(each.why for each in queued).items())),
    }


def _queued(case: Case, why: str, needs: str, votes: int) -> Queued:
    return Queued(
        comparison_id=case.id,
        prompt_id=case.comparison.prompt_id,
        stage="resolve",
        why=why,
        needs=needs,
        votes_needed=votes,
        votes=dict(sorted(case.labels().items())),
        priority=1 / votes,
    )
