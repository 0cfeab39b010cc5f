"""Which comparisons people are asked about: a random part of known probability, the hardest, and the least certain.

Every comparison has a permanent random number (Ohlsson 1995), so a sample that grows never loses what it has: the
random part is the comparisons with the smallest numbers. Given the numbers of all others, a comparison is drawn if its
own lies below the threshold, so the threshold is its inclusion probability (Cohen and Kaplan 2007). The hardest and
the least certain are taken for sure: their probability is 1, whatever their number.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.vote_table import Floats

__all__ = ["first_by", "hardness", "sampling_threshold", "uncertainty"]


def sampling_threshold(uniforms: ArrayLike, size: int) -> float:
    """The number below which exactly `size` of the permanent random numbers lie: their inclusion probability.

    Args:
        uniforms: in [0, 1), one per comparison, shape (n,).
        size: how many to draw; 1 (all) if there are no more.
    """
    numbers = np.sort(np.asarray(uniforms, dtype=np.float64))
    return 1.0 if size >= numbers.size else float(numbers[size]) if size > 0 else 0.0


def hardness(verdicts: ArrayLike, unstable: ArrayLike, margins: ArrayLike) -> Floats:
    """How hard each comparison was for the models, in [0, 3], shape (n,): the sum of three shares.

    Disagreement (1 less the absolute mean verdict), verdicts that turned with the order (share of the judges), and
    closeness of the scores (1 less the rank of the difference, mean of the scorers). What is not known counts 0.

    Args:
        verdicts: 1 for `a`, -1 for `b`, 0 for neither, NaN for no vote; shape (n, models).
        unstable: 1 where a verdict turned with the order, 0 where it held, NaN where that is not known.
        margins: difference of scores, NaN where there is none; shape (n, scorers).
    """
    said, turned = np.asarray(verdicts, dtype=np.float64), np.asarray(unstable, dtype=np.float64)
    several = np.isfinite(said).sum(axis=1) > 1
    disagreement = np.where(several, 1 - np.abs(_row_means(said)), 0.0)
    return disagreement + _row_means(turned) + _closeness(np.asarray(margins, dtype=np.float64))


def uncertainty(beliefs: ArrayLike, margins: ArrayLike) -> Floats:
    """How little the models together know, in [0, 1], shape (n,): 1 less the absolute mean of what each believes.

    A judge believes what its vote says (1, -1, or how far apart it put the two); a scorer the sign of its difference
    times the rank of its size, since scores have no common scale. 1 where nothing is known.

    Args:
        beliefs: of judges in [-1, 1], NaN for none, shape (n, judges).
        margins: difference of scores, NaN where there is none; shape (n, scorers).
    """
    differences = np.asarray(margins, dtype=np.float64)
    ranked = np.sign(differences) * _ranks(np.abs(differences))
    believed = np.concatenate([np.asarray(beliefs, dtype=np.float64), ranked], axis=1)
    sure: Floats = 1 - np.abs(_row_means(believed))
    return sure


def first_by(scores: ArrayLike, uniforms: ArrayLike, taken: ArrayLike, size: int) -> NDArray[np.int64]:
    """Places of the `size` comparisons with the highest score of those not taken, equal ones by random number.

    A score of 0 says that nothing was found, and is not drawn.
    """
    values, luck = np.asarray(scores, dtype=np.float64), np.asarray(uniforms, dtype=np.float64)
    order = np.lexsort((luck, -values))
    free = order[~np.asarray(taken, dtype=bool)[order] & (values[order] > 0)]
    return free[: max(size, 0)].astype(np.int64)


def _closeness(margins: Floats) -> Floats:
    return np.where(np.isfinite(margins).any(axis=1), 1 - _row_means(_ranks(np.abs(margins))), 0.0)


def _ranks(sizes: Floats) -> Floats:
    """Rank of every number in its column, in (0, 1), equal ones sharing the mean of theirs; NaN stays."""
    ranks = np.full(sizes.shape, np.nan)
    for column in range(sizes.shape[1]):
        known = np.isfinite(sizes[:, column])
        values = np.sort(sizes[known, column])
        below = np.searchsorted(values, sizes[known, column], side="left")
        up_to = np.searchsorted(values, sizes[known, column], side="right")
        ranks[known, column] = (below + up_to) / (2 * max(values.size, 1))
    return ranks


def _row_means(matrix: Floats) -> Floats:
    """Mean of what is known in each row, 0 where nothing is."""
    known = np.isfinite(matrix)
    sums = np.where(known, matrix, 0.0).sum(axis=1)
    means: Floats = sums / np.maximum(known.sum(axis=1), 1)
    return means
