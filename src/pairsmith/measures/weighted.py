"""Shares and kappas from a sample with unequal inclusion probabilities, so that hard cases do not speak for all.

Weights are 1 / (inclusion probability x share of its part that was answered): Horvitz and Thompson 1952, in the ratio
form of Hajek 1971, which does not need the size of the population. Intervals draw whole prompts.
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.intervals import figure, percentile_interval, wilson
from pairsmith.measures.vote_table import Floats

__all__ = ["effective_size", "inclusion_weights", "vote_weight", "weighted_kappa", "weighted_share"]

_REPLICATES = 1000
_CLASSES = 3
_TINY = 1e-6


def inclusion_weights(probabilities: ArrayLike, parts: Sequence[str], answered: ArrayLike) -> Floats:
    """Weight of each sampled comparison, 0 where it was not answered; shape (n,).

    Args:
        probabilities: inclusion probability of each, in (0, 1].
        parts: the part of the sample it was drawn for; within a part, who answered is taken to be random.
        answered: whether people said anything about it.

    Raises:
        ValueError: for a probability outside (0, 1].
    """
    chance, known = np.asarray(probabilities, dtype=np.float64), np.asarray(answered, dtype=bool)
    if chance.size and not ((chance > 0) & (chance <= 1)).all():
        raise ValueError("inclusion probabilities must lie in (0, 1]")
    _, part = np.unique(np.asarray(parts, dtype=str), return_inverse=True)
    share = np.bincount(part, weights=known) / np.maximum(np.bincount(part), 1) if chance.size else chance
    return np.where(known, 1 / (chance * np.maximum(share[part], _TINY)), 0.0) if chance.size else chance


def effective_size(weights: ArrayLike) -> float:
    """How many equally weighted observations are worth as much: (sum w)^2 / sum w^2 (Kish 1965)."""
    w = np.asarray(weights, dtype=np.float64)
    squares = float((w**2).sum())
    return float(w.sum()) ** 2 / squares if squares else 0.0


def weighted_share(
    values: ArrayLike, weights: ArrayLike, clusters: Sequence[str], *, seed: int, reason: str
) -> dict[str, Any]:
    """A weighted mean of values in [0, 1] as a figure, with `effective` observations as an extra key.

    The interval draws clusters with replacement. Where that leaves no doubt (all values equal, or fewer than two
    clusters) it is the Wilson interval of the effective number of observations: 30 right of 30 is not certainty.
    """
    y, w = np.asarray(values, dtype=np.float64), np.asarray(weights, dtype=np.float64)
    if not y.size or w.sum() <= 0:
        return figure(None, None, 0, reason, effective=0.0)
    value, size = float((w * y).sum() / w.sum()), effective_size(w)
    value = min(max(value, 0.0), 1.0)
    sums = _by_cluster(np.stack([w * y, w], axis=1), clusters)
    interval = percentile_interval(_ratios(sums, seed)) if len(sums) > 1 else None
    if interval is None or interval[0] == interval[1]:
        whole = max(1, round(size))
        interval = wilson(value * whole, whole)
    return figure(value, interval, y.size, effective=size)


def weighted_kappa(
    one: ArrayLike, other: ArrayLike, weights: ArrayLike, clusters: Sequence[str], *, seed: int
) -> dict[str, Any]:
    """Cohen's kappa between two raters of `a` (0), `b` (1) and neither (2), weighted, side-symmetrised; a figure.

    Which response is called `a` is arbitrary, so the table is averaged over both namings first.
    """
    first, second = np.asarray(one, dtype=np.int64), np.asarray(other, dtype=np.int64)
    w = np.asarray(weights, dtype=np.float64)
    if not first.size or w.sum() <= 0:
        return figure(None, None, 0, "no comparison was judged by both")
    cells = np.zeros((first.size, _CLASSES * _CLASSES))
    rows = np.arange(first.size)
    flipped = np.array([1, 0, 2])
    np.add.at(cells, (rows, first * _CLASSES + second), w / 2)
    np.add.at(cells, (rows, flipped[first] * _CLASSES + flipped[second]), w / 2)
    tables = _by_cluster(cells, clusters)
    value = float(_kappas(tables.sum(axis=0, keepdims=True))[0])
    if not np.isfinite(value):
        return figure(None, None, first.size, "all verdicts are equal, so chance cannot be told from agreement")
    drawn = np.random.default_rng(seed).multinomial(len(tables), np.full(len(tables), 1 / len(tables)), _REPLICATES)
    interval = percentile_interval(_kappas(drawn @ tables)) if len(tables) > 1 else None
    return figure(value, interval, first.size)


def vote_weight(accuracy: float, person: float) -> float:
    """What a vote of this accuracy counts beside a person's, in [0, 1]: the ratio of their log-odds against chance.

    0 at and below one half, so the vote of somebody no better than chance does not count and is never turned round; 1
    for whoever is as often right as a person, and never more: people are what the accuracy was measured with.

    >>> vote_weight(0.5, 0.8), vote_weight(0.8, 0.8), round(vote_weight(0.65, 0.8), 2)
    (0.0, 1.0, 0.45)
    """
    if accuracy <= 0.5:
        return 0.0
    p, q = (min(max(each, 0.5 + _TINY), 1 - _TINY) for each in (accuracy, person))
    return float(min(1.0, np.log(p / (1 - p)) / np.log(q / (1 - q))))


def _by_cluster(rows: Floats, clusters: Sequence[str]) -> Floats:
    """Sums of the rows of each cluster, in an order that does not depend on that of the rows."""
    _, place = np.unique(np.asarray(clusters, dtype=str), return_inverse=True)
    order = np.lexsort((*rows.T, place))
    sums = np.zeros((int(place.max(initial=-1)) + 1, rows.shape[1]))
    np.add.at(sums, place[order], rows[order])
    return sums


def _ratios(sums: Floats, seed: int) -> Floats:
    """Bootstrap replicates of a ratio of two sums; NaN where a sample has no weight."""
    clusters = len(sums)
    drawn = np.random.default_rng(seed).multinomial(clusters, np.full(clusters, 1 / clusters), _REPLICATES) @ sums
    return np.where(drawn[:, 1] > 0, drawn[:, 0] / np.where(drawn[:, 1] > 0, drawn[:, 1], 1.0), np.nan)


def _kappas(tables: Floats) -> Floats:
    """Kappa of each flattened table, NaN where chance alone makes all agree; shape (tables,)."""
    square = tables.reshape(-1, _CLASSES, _CLASSES)
    total = np.maximum(square.sum(axis=(1, 2)), _TINY)
    observed = np.trace(square, axis1=1, axis2=2) / total
    expected = (square.sum(axis=2) * square.sum(axis=1)).sum(axis=1) / total**2
    known = expected < 1 - _TINY
    return np.where(known, (observed - expected) / np.where(known, 1 - expected, 1.0), np.nan)
