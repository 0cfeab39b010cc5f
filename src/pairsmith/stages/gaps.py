"""The gap of a resolved pair: how much better the winner is, from what decided or from the best evidence there is.

Where a model decided, the gap is what it says: P(winner) - P(loser), which is 2P - 1 where it knows no tie. Else it
comes from people, then verifiers (a check can be right where an opinion cannot), then judges, then reward models.
People and judges: net share of votes. Verifiers and rewards: mean strength toward the winner. If that evidence
contradicts the verdict the gap is negative and stays so. Labels of unknown making (`imported`) measure no gap.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from types import MappingProxyType

from pairsmith.measures.preference import votes_gap
from pairsmith.records import Annotation, AnnotatorKind, Side
from pairsmith.stages.cases import Case
from pairsmith.stages.verdicts import Verdict

__all__ = ["gap_of"]

_OF_MODEL: Mapping[str, str] = MappingProxyType(
    {"one_coin_map": "posterior", "dawid_skene": "posterior", "calibrated": "calibrated"}
)
_OPINIONS: tuple[AnnotatorKind, ...] = ("human", "verifier", "judge")
_PRECEDENCE: tuple[AnnotatorKind, ...] = (*_OPINIONS, "reward")


def gap_of(case: Case, winner: Side, verdict: Verdict) -> tuple[float | None, str]:
    """How much better the winner is, in [-1, 1], or `None`, and its kind.

    The kind is `posterior` (a model of annotators decided), `calibrated` (models calibrated on people did), `votes`,
    `verifier`, `reward` (a strength calibrated before), `reward_uncalibrated` or `not_evaluated`. A model of annotators
    knows nothing where only scores voted that were never compared with labels.
    """
    by_model = _OF_MODEL.get(verdict.method, "")
    if (
        by_model
        and verdict.probabilities
        and (by_model == "calibrated" or any(vote.kind in _OPINIONS for vote in case.votes))
    ):
        a, b, _ = verdict.probabilities
        return (a - b if winner == "a" else b - a), by_model
    for kind in _PRECEDENCE:
        votes = [vote for vote in case.votes if vote.kind == kind]
        if kind in ("human", "judge"):
            labels = Counter(vote.label for vote in votes)
            if kind == "human":
                labels += Counter(ruling.label for ruling in case.rulings)
            if labels:
                ahead = labels[winner]
                behind = labels["a"] + labels["b"] - ahead
                return votes_gap(ahead, behind, labels.total() - ahead - behind), "votes"
        elif strengths := _signed_strengths(votes, winner):
            if kind == "reward" and not all(vote.criteria.get("calibrated") is True for vote in votes):
                return None, "reward_uncalibrated"  # a score that was never compared with labels measures nothing
            return math.fsum(strengths) / len(strengths), kind
    return None, "not_evaluated"


def _signed_strengths(votes: Sequence[Annotation], winner: Side) -> list[float]:
    """Strength toward the winner of each vote; nothing if a vote for a side says no strength."""
    signed: list[float] = []
    for vote in votes:
        if vote.label not in ("a", "b"):
            signed.append(0.0)
        elif vote.strength is None:
            return []
        else:
            signed.append(vote.strength if vote.label == winner else -vote.strength)
    return signed
