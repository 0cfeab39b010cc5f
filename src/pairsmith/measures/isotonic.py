"""Monotone regression: the best curve that never falls, with no assumption on its shape."""

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.vote_table import Floats

__all__ = ["fit_isotonic"]


def fit_isotonic(x: ArrayLike, y: ArrayLike, *, weights: ArrayLike | None = None) -> tuple[Floats, Floats]:
    """Least-squares fit of y on x that never falls, by pooling adjacent violators (Barlow et al. 1972).

    Args:
        x: where, shape (n,); equal values share one fitted value.
        y: what was seen there.
        weights: how often each counts.

    Returns:
        The distinct x, rising, and the fitted value at each. The weighted mean of the fit is that of y.

    Raises:
        ValueError: if there is nothing to fit or the shapes differ.
    """
    places, values = np.asarray(x, dtype=np.float64), np.asarray(y, dtype=np.float64)
    counts = np.ones(places.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if places.ndim != 1 or not places.size or places.shape != values.shape or places.shape != counts.shape:
        raise ValueError(f"expected n places, values and weights, got {places.shape}, {values.shape}, {counts.shape}")
    knots, index = np.unique(places, return_inverse=True)
    size = np.bincount(index, weights=counts)
    mean = np.bincount(index, weights=counts * values) / np.where(size > 0, size, 1.0)
    level: list[float] = []
    weight: list[float] = []
    width: list[int] = []
    for value, count in zip(mean.tolist(), size.tolist(), strict=True):
        level.append(value)
        weight.append(count)
        width.append(1)
        while len(level) > 1 and level[-2] >= level[-1]:
            last, heavy, wide = level.pop(), weight.pop(), width.pop()
            total = weight[-1] + heavy
            level[-1] = (level[-1] * weight[-1] + last * heavy) / total if total > 0 else level[-1]
            weight[-1], width[-1] = total, width[-1] + wide
    return knots, np.repeat(np.array(level), width)
