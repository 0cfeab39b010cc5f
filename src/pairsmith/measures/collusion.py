"""Pairs of annotators who agree far more with each other than their agreement with everybody else explains.

If annotators err independently, the net agreement c = 2A - 1 of two of them is the product d_i d_j of how far each
follows the common preference: one number per annotator explains all pairs. Each d is fitted on all pairs but the one
under test. Comparisons of differing difficulty scale all products alike, so difficulty alone accuses nobody.
"""

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.agreement import annotator_pairs
from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.significance import adjusted_p_values, binomial_tail
from pairsmith.measures.votes import Votes, VotesLike, code

__all__ = ["colluding_pairs"]

Array = NDArray[np.float64]

_MIN_EXCESS = 0.6
_ROUNDS = 100


@dataclass(frozen=True, slots=True)
class _Pairs:
    """Pairs of annotators by number, shared comparisons, and net agreement in [-1, 1]; arrays of shape (pairs,)."""

    first: NDArray[np.int64]
    second: NDArray[np.int64]
    shared: Array
    net: Array


def colluding_pairs(
    votes: VotesLike,
    *,
    explained: Collection[str] = (),
    alpha: float = 0.001,
    min_items: int = 20,
) -> list[Conflict]:
    """Pairs that agree significantly and much more than expected, sorted by names.

    Evidence: shared comparisons, agreement, `expected_agreement`, `excess` (the share of the expected disagreements
    that do not happen, at least 0.6), the exact binomial p-value and its adjusted value, and `follows_common`: how far
    each follows the common preference, fitted without this pair, in [-1, 1].

    Args:
        votes: each annotator's last vote on each comparison; votes for a side count, of known making.
        explained: annotators whose agreement has another explanation (two who always prefer the longer response agree
            without knowing each other); pairs of two of them are not accused.
        alpha: false discovery rate over all pairs (Benjamini-Hochberg).
        min_items: fewest comparisons two annotators share, and each shares with all others together.
    """
    table = Votes.of(votes)
    counted = table.where(table.sided & ~table.is_kind("imported"))
    people = table.annotators
    couples, tables = annotator_pairs(counted.item, counted.annotator, counted.label == code("a"), 2)
    shared = tables.sum(axis=(1, 2))
    net = 2 * tables.trace(axis1=1, axis2=2) / np.maximum(shared, 1) - 1
    pairs = _Pairs(couples[:, 0], couples[:, 1], shared, net)
    known = np.array([name in explained for name in people], dtype=bool)[couples].all(axis=1)
    if not ((shared >= min_items) & ~known).any():
        return []  # nobody can be accused, and fitting is most of the work
    accused = np.zeros(shared.size, dtype=bool)
    conflicts: list[Conflict] = []
    for _ in range(2):  # the second fit leaves out whom the first accuses
        follow, expected = _expected(pairs, ~accused & ~known, len(people), min_items)
        tested = np.nonzero((shared >= min_items) & np.isfinite(expected) & ~known)[0]
        p_values = [
            binomial_tail(round(shared[k] * (1 + net[k]) / 2), int(shared[k]), float(expected[k])) for k in tested
        ]
        accused[:] = False
        conflicts = []
        for k, p_value, value in zip(tested.tolist(), p_values, adjusted_p_values(p_values).tolist(), strict=True):
            agreement = (1 + float(net[k])) / 2
            excess = (agreement - float(expected[k])) / max(1 - float(expected[k]), 1e-9)
            if value > alpha or excess < _MIN_EXCESS:
                continue
            accused[k] = True
            who = people[int(pairs.first[k])], people[int(pairs.second[k])]
            evidence = {
                "items": int(shared[k]),
                "agreement": agreement,
                "expected_agreement": float(expected[k]),
                "excess": excess,
                "follows_common": [float(value) for value in follow[k]],
                "p_value": p_value,
                "adjusted_p_value": value,
                "tests": len(tested),
            }
            conflicts.append(Conflict("colluding_pair", who, evidence, "merge_votes", who))
    return sorted(conflicts, key=lambda each: each.subjects)


def _expected(pairs: _Pairs, used: NDArray[np.bool_], people: int, min_items: int) -> tuple[Array, Array]:
    """For each pair: d of both fitted without it, shape (pairs, 2), and the expected agreement (NaN: unknown)."""
    weights = pairs.shared * used
    follow = np.full(people, 0.5)

    def sums(values: Array) -> tuple[Array, Array]:
        """Numerator and denominator of the least-squares d of everybody, given those of the others."""
        top, low = np.zeros(people), np.zeros(people)
        for own, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
            top += np.bincount(own, weights * pairs.net * values[other], people)
            low += np.bincount(own, weights * values[other] ** 2, people)
        return top, low

    for _ in range(_ROUNDS):
        top, low = sums(follow)
        fitted = np.clip(top / np.maximum(low, 1e-9), -1.0, 1.0)
        follow = (follow + fitted) / 2  # half steps: full ones swing between two solutions
    top, low = sums(follow)
    alone = []
    for own, other in ((pairs.first, pairs.second), (pairs.second, pairs.first)):
        rest = low[own] - weights * follow[other] ** 2
        value = (top[own] - weights * pairs.net * follow[other]) / np.maximum(rest, 1e-9)
        shared = np.bincount(own, weights, people) + np.bincount(other, weights, people)
        enough = (shared[own] - weights >= min_items) & (rest > 1e-9)
        alone.append(np.where(enough, np.clip(value, -1.0, 1.0), np.nan))
    return np.stack(alone, axis=1), (1 + alone[0] * alone[1]) / 2
