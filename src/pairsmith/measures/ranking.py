"""Rankings from pairwise results: Bradley-Terry strengths, and ranked pairs where preferences go in circles."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.calibration import fit_pairwise_logistic
from pairsmith.measures.vote_table import Floats

__all__ = ["bradley_terry", "pairwise_wins", "ranked_pairs"]


def bradley_terry(wins: ArrayLike, *, l2: float = 0.0) -> Floats:
    """Strengths s with P(i beats j) = sigmoid(s_i - s_j), summing to zero (Bradley and Terry 1952).

    Args:
        wins: how often i beat j, shape (n, n); a tie is half a win for each.
        l2: strength of the penalty; without one the strength of somebody who never lost is infinite.

    Raises:
        ValueError: if `wins` is not square, or without a penalty the strengths are not finite.
    """
    table = np.asarray(wins, dtype=np.float64)
    if table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(f"wins must be a square table, got shape {table.shape}")
    first, second = np.nonzero(table)
    rows = np.zeros((first.size, len(table)))
    rows[np.arange(first.size), first] = 1.0
    rows[np.arange(first.size), second] = -1.0
    if not first.size:
        return np.zeros(len(table))
    free = slice(None) if l2 else slice(1, None)  # only differences are known: without a penalty the first stays at 0
    strengths = np.zeros(len(table))
    strengths[free] = fit_pairwise_logistic(rows[:, free], np.ones(first.size), l2=l2, weights=table[first, second])
    centred: Floats = strengths - strengths.mean()
    return centred


def pairwise_wins(ballots: Sequence[tuple[float, Sequence[int]]], n: int) -> Floats:
    """wins[i, j]: weight of the ballots that rank i above j. A ballot is its weight and items, best first.

    Items that a ballot leaves out are below those it names, and equal among themselves.
    """
    wins = np.zeros((n, n))
    for weight, order in ballots:
        left = np.ones(n, dtype=bool)
        for item in order:
            left[item] = False
            wins[item, left] += weight
    return wins


def ranked_pairs(wins: ArrayLike) -> list[int]:
    """Items best first by Tideman's ranked pairs (1987).

    Majorities are locked in, largest first, unless they close a circle with those locked before. Equally large ones go
    by how few votes oppose them, then by the numbers of the items.
    The item that beats all others one by one, if there is one, comes first.
    """
    table = np.asarray(wins, dtype=np.float64)
    n = len(table)
    majorities = [(i, j) for i in range(n) for j in range(n) if table[i, j] > table[j, i]]
    majorities.sort(key=lambda pair: (-table[pair], table[pair[::-1]], pair))
    above = np.eye(n, dtype=bool)  # above[i, j]: a chain of locked majorities leads from i to j
    for better, worse in majorities:
        if not above[worse, better]:
            above |= np.outer(above[:, better], above[worse])
    return sorted(range(n), key=lambda item: (-int(above[item].sum()), item))
