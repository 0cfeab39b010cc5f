"""Votes of models count by what people's labels showed them to be worth, and what that changes."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from pairsmith.measures.vote_table import Floats
from pairsmith.measures.votes import Votes
from pairsmith.records import Annotation
from pairsmith.stages.model_votes import MODEL_KINDS
from pairsmith.stages.verdicts import Verdict

__all__ = ["reweighting_figures", "weights_of_trust", "without_distrusted"]


def without_distrusted(
    votes: Sequence[Annotation], trust: Mapping[str, float]
) -> tuple[list[Annotation], dict[str, int]]:
    """The votes of those who count for something, and how many each of the others lost."""
    left, withheld = [], Counter[str]()
    for vote in votes:
        if vote.kind in MODEL_KINDS and trust.get(vote.annotator, 1.0) <= 0:
            withheld[vote.annotator] += 1
        else:
            left.append(vote)
    return left, dict(sorted(withheld.items()))


def weights_of_trust(votes: Votes, trust: Mapping[str, float]) -> Floats:
    """What each vote counts, shape (votes,): 1, but for models of which `trust` says something else."""
    worth = np.array([trust.get(name, 1.0) for name in votes.annotators], dtype=np.float64)
    return np.where(votes.is_kind(*MODEL_KINDS), worth[votes.annotator], 1.0)


def reweighting_figures(
    trust: Mapping[str, float], withheld: Mapping[str, int], before: Sequence[Verdict], after: Sequence[Verdict]
) -> dict[str, Any]:
    """Which weights were used, and how many verdicts are other than with every vote counted alike.

    Args:
        trust: weight by model.
        withheld: votes left out, by model.
        before: a verdict per comparison, all votes alike.
        after: the same with the weights.
    """
    counts = Counter(_change(one.label, other.label) for one, other in zip(before, after, strict=True))
    return {
        "weights": dict(sorted(trust.items())),
        "withheld": dict(withheld),
        "comparisons": len(after),
        **{name: counts[name] for name in ("same", "changed", "newly_decided", "newly_undecided")},
    }


def _change(before: str | None, after: str | None) -> str:
    if before == after:
        return "same"
    if before in ("a", "b") and after in ("a", "b"):
        return "changed"
    return "newly_decided" if after in ("a", "b") else "newly_undecided" if before in ("a", "b") else "same"
