"""How sure a figure is: Wilson intervals, seeded percentile bootstraps, and the shape every figure is reported in."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["Interval", "cluster_bootstrap_mean", "figure", "percentile_interval", "share_figure", "wilson"]

Interval = tuple[float, float]

_Z95 = 1.959963984540054
_CHUNK_DRAWS = 4_000_000  # 32 MB of indices at a time keeps memory flat at any number of clusters
_MIN_DEFINED_SHARE = 0.9


def figure(
    value: float | None, interval: Sequence[float] | None = None, n: int = 0, reason: str = "", **extra: Any
) -> dict[str, Any]:
    """A reported number: its value, 95 % interval and count, or `None` and the reason why it has no value.

    Raises:
        ValueError: for a missing value without a reason, or a value that is not a finite number.

    >>> figure(0.5, (0.4, 0.6), 100)
    {'value': 0.5, 'interval': [0.4, 0.6], 'n': 100, 'reason': ''}
    """
    if value is None and not reason:
        raise ValueError("a figure without a value needs a reason")
    if value is not None and not math.isfinite(value):
        raise ValueError(f"a figure must be a finite number or None, not {value}")
    return {
        "value": None if value is None else float(value),
        "interval": None if value is None or interval is None else [float(bound) for bound in interval],
        "n": int(n),
        "reason": reason if value is None else "",
        **extra,
    }


def wilson(successes: float, n: int, z: float = _Z95) -> Interval | None:
    """The Wilson score interval of a share, inside [0, 1]; `None` without observations.

    Wilson 1927. Unlike the normal approximation it is usable at 3 of 3 and at 0 of 100.

    Raises:
        ValueError: if `successes` is not between 0 and `n`.

    >>> [round(bound, 4) for bound in wilson(2, 3)]
    [0.2077, 0.9385]
    """
    if n == 0:
        return None
    if not 0 <= successes <= n:
        raise ValueError(f"{successes} successes out of {n}")
    share = successes / n
    centre = share + z * z / (2 * n)
    spread = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    # At 0 of n and n of n one bound is exact; the formula misses it by a rounding error that looks like a figure.
    low = 0.0 if successes == 0 else (centre - spread) / scale
    high = 1.0 if successes == n else (centre + spread) / scale
    return low, high


def share_figure(successes: float, n: int, reason: str) -> dict[str, Any]:
    """A share with its Wilson interval; `None` with the reason if nothing was observed."""
    return figure(successes / n if n else None, wilson(successes, n), n, reason)


def percentile_interval(replicates: ArrayLike, level: float = 0.95) -> Interval | None:
    """The central `level` of bootstrap replicates; `None` if more than a tenth of them are undefined (NaN)."""
    values = np.asarray(replicates, dtype=np.float64)
    defined = values[np.isfinite(values)]
    if defined.size == 0 or defined.size < _MIN_DEFINED_SHARE * values.size:
        return None
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)


def cluster_bootstrap_mean(
    values: ArrayLike, clusters: ArrayLike | None = None, *, seed: int, replicates: int = 1000
) -> Interval | None:
    """A 95 % percentile interval of a mean whose values come in clusters; `None` with fewer than two clusters.

    Whole clusters are drawn with replacement, so rows that share a prompt do not count as independent.

    Args:
        values: finite numbers, shape (n,).
        clusters: labels of shape (n,), any sortable type; by default every value is its own cluster.
        seed: seed of the draws. The same values in any order give the same interval.
        replicates: number of bootstrap samples.
    """
    numbers = np.asarray(values, dtype=np.float64)
    labels = np.arange(numbers.size) if clusters is None else np.unique(np.asarray(clusters), return_inverse=True)[1]
    if labels.size != numbers.size:
        raise ValueError(f"{numbers.size} values but {labels.size} cluster labels")
    if numbers.size == 0 or labels.max() == labels.min():
        return None
    order = np.lexsort((numbers, labels))
    sums = np.bincount(labels[order], weights=numbers[order]).astype(np.float64)
    sizes = np.bincount(labels).astype(np.int64)
    keep = sizes > 0
    sums, sizes = sums[keep], sizes[keep]
    canonical = np.lexsort((sizes, sums))
    return percentile_interval(_resampled_means(sums[canonical], sizes[canonical], replicates, seed))


def _resampled_means(
    sums: NDArray[np.float64], sizes: NDArray[np.int64], replicates: int, seed: int
) -> NDArray[np.float64]:
    """Means of `replicates` samples of whole clusters, from cluster sums and sizes alone."""
    rng = np.random.default_rng(seed)
    clusters = sums.size
    rows = max(1, _CHUNK_DRAWS // clusters)
    means = []
    for start in range(0, replicates, rows):
        drawn = rng.integers(0, clusters, size=(min(rows, replicates - start), clusters), dtype=np.int64)
        means.append(sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1))
    return np.concatenate(means)
