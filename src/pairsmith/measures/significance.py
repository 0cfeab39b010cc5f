"""How surprising a count is, and what remains surprising after many looks: exact tails and Benjamini-Hochberg."""

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["adjusted_p_values", "binomial_tail", "normal_tail", "sum_tail"]

Array = NDArray[np.float64]

SMALLEST_P = 1e-12
"""Tails below this are reported as this: the arithmetic behind them is not exact enough to tell them apart."""


def adjusted_p_values(p_values: ArrayLike) -> Array:
    """Benjamini-Hochberg adjusted p-values (1995): rejecting all at most q keeps the false discovery rate at q.

    Args:
        p_values: shape (tests,), in [0, 1].

    Returns:
        Adjusted p-values, shape (tests,), in the order given.
    """
    given = np.asarray(p_values, dtype=np.float64)
    if not given.size:
        return given
    order = np.argsort(given, kind="stable")
    scaled = given[order] * given.size / np.arange(1, given.size + 1)
    adjusted = np.empty_like(given)
    adjusted[order] = np.minimum(np.minimum.accumulate(scaled[::-1])[::-1], 1.0)
    return adjusted


def binomial_tail(successes: int, n: int, probability: float) -> float:
    """P(X >= successes) for X of n independent trials; exact, at least `SMALLEST_P`.

    >>> round(binomial_tail(9, 10, 0.5), 6)
    0.010742
    """
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies in [0, 1], not {probability}")
    if successes <= 0 or probability == 1:
        return 1.0
    if successes > n or probability == 0:
        return SMALLEST_P
    mean = n * probability
    # Beyond this far from the mean all terms together are below e**-60 (Bernstein), so that cost grows as sqrt(n).
    reach = 40 + 12 * math.sqrt(mean * (1 - probability))
    counts = range(max(successes, math.floor(mean - reach)), min(n, math.ceil(max(mean, successes) + reach)) + 1)
    odds = math.log(probability), math.log1p(-probability)
    constant = math.lgamma(n + 1)
    terms = (constant - math.lgamma(k + 1) - math.lgamma(n - k + 1) + k * odds[0] + (n - k) * odds[1] for k in counts)
    return min(1.0, max(SMALLEST_P, math.fsum(math.exp(term) for term in terms)))


def normal_tail(z: float) -> float:
    """P(Z >= z) of a standard normal variable, at least `SMALLEST_P`."""
    return max(SMALLEST_P, 0.5 * math.erfc(z / math.sqrt(2)))


def sum_tail(distributions: Sequence[tuple[Sequence[float], int]], observed: int) -> float:
    """P(S >= observed) for a sum S of independent non-negative whole numbers; exact, at least `SMALLEST_P`.

    Args:
        distributions: (probabilities of 0, 1, 2, ..., how many terms of the sum have them).
        observed: the value of S that was seen.

    >>> sum_tail([([0.5, 0.5], 2)], 2)
    0.25
    """
    largest = sum((len(probabilities) - 1) * times for probabilities, times in distributions)
    if observed <= 0:
        return 1.0
    if observed > largest:
        return SMALLEST_P
    size = 1 << largest.bit_length()
    spectrum = np.ones(size // 2 + 1, dtype=np.complex128)
    for probabilities, times in distributions:
        spectrum *= np.fft.rfft(np.asarray(probabilities, dtype=np.float64), size) ** times
    tail = float(np.fft.irfft(spectrum, size)[observed : largest + 1].sum())
    return min(1.0, max(SMALLEST_P, tail))
