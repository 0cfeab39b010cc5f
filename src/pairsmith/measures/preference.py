"""How much better the chosen response is: gaps, quality levels, and how much of a dataset is signal.

A gap lies in [-1, 1]: the probability that the chosen response wins minus the probability that it loses (for ratings:
the difference as a share of the scale). It is negative where the evidence contradicts the label, and it is never
derived from the length of a text.
"""

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.agreement import distinct_patterns
from pairsmith.measures.coefficients import pooled_agreement
from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, percentile_interval

__all__ = [
    "effective_pairs",
    "gap_summary",
    "label_accuracy",
    "one_coin_accuracy",
    "one_coin_posterior",
    "probability_gap",
    "quality_level",
    "quality_score",
    "rating_gap",
    "reward_gap",
    "strength_gap",
    "votes_gap",
]

Level = Literal["excellent", "good", "marginal", "poor", "not_evaluated"]

_LEVELS: tuple[Level, ...] = ("excellent", "good", "marginal", "poor")
_GAP_BOUNDS = (0.30, 0.15, 0.10)
_AGREEMENT_BOUNDS = (0.9, 0.7, 0.5)
_ROUNDING = 1e-9  # 2 * 0.575 - 1 is 0.14999999999999991 in binary; it stands on the boundary, not below it

_MIN_MULTI_VOTE_ITEMS = 30
_HISTOGRAM_STEP = 0.05


def votes_gap(chosen: float, rejected: float, ties: float = 0) -> float | None:
    """Net win (n_chosen - n_rejected) / n, in [-1, 1]; `None` without votes.

    >>> votes_gap(3, 1, 1)
    0.4
    """
    total = chosen + rejected + ties
    return (chosen - rejected) / total if total else None


def rating_gap(chosen: float, rejected: float, low: float, high: float) -> float:
    """Difference of two ratings as a share of their declared scale, in [-1, 1].

    Raises:
        ValueError: for an empty scale or a rating outside it.
    """
    if not low < high:
        raise ValueError(f"a scale needs low < high, not {low}..{high}")
    for rating in (chosen, rejected):
        if not low <= rating <= high:
            raise ValueError(f"rating {rating} is outside the declared scale {low}..{high}")
    return (chosen - rejected) / (high - low)


def probability_gap(probability: float) -> float:
    """2p - 1 for the probability p that the chosen response is better."""
    if not 0 <= probability <= 1:
        raise ValueError(f"a probability lies in [0, 1], not {probability}")
    return 2 * probability - 1


def reward_gap(difference: float, temperature: float) -> float:
    """tanh(d / 2T) = 2 sigmoid(d / T) - 1 for a difference d of unbounded rewards (Bradley-Terry).

    `temperature` must have been fitted on labelled pairs: with T = 1 three of five published reward models claim a net
    win of .62 to .88 where the truth is .19 to .29.
    """
    if not temperature > 0:
        raise ValueError(f"a temperature is above 0, not {temperature}")
    return math.tanh(difference / (2 * temperature))


def strength_gap(strength: float, maximum: float) -> float:
    """Ordinal strength s / s_max, in [-1, 1]; positive where the chosen response is the stronger one."""
    if not (maximum > 0 and abs(strength) <= maximum):
        raise ValueError(f"strength {strength} is outside -{maximum}..{maximum}")
    return strength / maximum


def quality_level(gap: float | None, agreement: float | None) -> Level:
    """The level of a pair in the quality matrix: the lower of the levels its gap and its agreement give.

    Gap >= 0.30 excellent, >= 0.15 good, >= 0.10 marginal, else poor; agreement >= 0.9, 0.7, 0.5 likewise.
    `not_evaluated` if either is unknown.

    >>> quality_level(0.30, 0.7)
    'good'
    """
    if gap is None or agreement is None:
        return "not_evaluated"
    by_gap = sum(gap < bound - _ROUNDING for bound in _GAP_BOUNDS)
    by_agreement = sum(agreement < bound - _ROUNDING for bound in _AGREEMENT_BOUNDS)
    return _LEVELS[max(by_gap, by_agreement)]


def one_coin_accuracy(agreement: float) -> float | None:
    """Accuracy q of one annotator if all are alike and err independently: A = q^2 + (1 - q)^2, solved for q > 1/2.

    `agreement` A is the share of equal pairs of votes without ties; `None` for A <= 1/2, where votes are no better
    than coins.
    """
    return (1 + math.sqrt(2 * agreement - 1)) / 2 if agreement > 0.5 else None


def one_coin_posterior(lead: ArrayLike, accuracy: ArrayLike) -> NDArray[np.float64]:
    """Probability that the majority is right when it leads by `lead` votes of annotators with this accuracy."""
    q = np.clip(np.asarray(accuracy, dtype=np.float64), 0.5, 1 - 1e-12)
    odds = np.asarray(lead, dtype=np.float64) * (np.log(q) - np.log1p(-q))
    posterior: NDArray[np.float64] = 1 / (1 + np.exp(-np.clip(odds, -700.0, 700.0)))
    return posterior


def label_accuracy(
    votes: ArrayLike, kept: ArrayLike | None = None, *, seed: int, replicates: int = 1000
) -> dict[str, Any]:
    """Estimated share of right labels from votes alone: pooled agreement -> annotator accuracy -> mean posterior.

    It assumes annotators who are alike, independent, and equally good on every item: a shared bias (length, position)
    looks like accuracy, so it is an upper estimate where annotators share one. An audit by blind people beats it.

    Args:
        votes: votes for the two sides, shape (items, 2); ties do not count.
        kept: True for items whose majority became a label, shape (items,); by default all items with a majority.
        seed: seed of the item bootstrap.
        replicates: bootstrap samples.

    Returns:
        A figure in [0, 1] with `kind` "one_coin" and `annotator_accuracy`; `None` with fewer than 30 items of two or
        more votes, with agreement of a half or less, or without labels.
    """
    counts = np.asarray(votes, dtype=np.float64).reshape(-1, 2)
    labels = counts[:, 0] != counts[:, 1]
    if kept is not None:
        labels &= np.asarray(kept, dtype=bool)
    # Sides are names: only who leads by how much matters. The third column marks items whose label was kept.
    rows = np.stack([counts.max(axis=1), counts.min(axis=1), labels], axis=1)
    patterns, items = distinct_patterns(rows)
    multiple, n = int((counts.sum(axis=1) >= 2).sum()), int(labels.sum())
    extra: dict[str, Any] = {"kind": "one_coin", "annotator_accuracy": None}
    if multiple < _MIN_MULTI_VOTE_ITEMS:
        reason = f"{multiple} items have two or more votes for a side; {_MIN_MULTI_VOTE_ITEMS} are needed"
        return figure(None, None, n, reason, **extra)
    agreement = float(pooled_agreement(patterns[:, :2], items))
    if one_coin_accuracy(agreement) is None:
        return figure(
            None, None, n, f"annotators agree on {agreement:.3f} of vote pairs: no better than coins", **extra
        )
    if not n:
        return figure(None, None, n, "no item has a majority that became a label", **extra)
    total = int(items.sum())
    samples = np.random.default_rng(seed).multinomial(total, items / total, size=replicates).astype(np.float64)
    extra["annotator_accuracy"] = one_coin_accuracy(agreement)
    return figure(
        float(_mean_posterior(patterns, items)), percentile_interval(_mean_posterior(patterns, samples)), n, **extra
    )


def _mean_posterior(patterns: NDArray[np.float64], items: NDArray[np.float64]) -> NDArray[np.float64]:
    agreement = pooled_agreement(patterns[:, :2], items)
    accuracy = (1 + np.sqrt(np.clip(2 * agreement - 1, 0, 1))) / 2
    posterior = one_coin_posterior(patterns[:, 0] - patterns[:, 1], accuracy[..., None])
    labels = items * patterns[:, 2]
    mean: NDArray[np.float64] = (labels * posterior).sum(axis=-1) / np.maximum(labels.sum(axis=-1), 1)
    return mean


def effective_pairs(unique_pairs: float, accuracy: float) -> float:
    """Clean pairs that carry as much signal: n (2a - 1)^2; 0 for labels no better than coins.

    A share e of wrong labels inflates the variance of a preference estimate by 1 / (1 - 2e)^2.
    """
    return unique_pairs * max(0.0, 2 * accuracy - 1) ** 2


def quality_score(
    *, validity: float | None, uniqueness: float | None, decontamination: float | None, accuracy: float | None, n: int
) -> dict[str, Any]:
    """The share of all rows that is clean signal: validity x uniqueness x decontamination x (2a - 1)^2, in [0, 1].

    Returns:
        A figure with `factors` and `upper_bound`, the product of the known factors. The value is `None` while a factor
        is unknown.
    """
    signal = None if accuracy is None else effective_pairs(1.0, accuracy)
    factors = {
        "validity": validity,
        "uniqueness": uniqueness,
        "decontamination": decontamination,
        "label_signal": signal,
    }
    missing = [name for name, factor in factors.items() if factor is None]
    bound = math.prod(factor for factor in factors.values() if factor is not None)
    reason = f"not evaluated: {', '.join(missing)}" if missing else ""
    return figure(None if missing else bound, None, n, reason, factors=factors, upper_bound=bound)


def gap_summary(
    gaps: Sequence[float | None],
    groups: Sequence[Any] | None = None,
    *,
    seed: int,
    threshold: float = 0.15,
    replicates: int = 1000,
) -> dict[str, Any]:
    """The distribution of the gaps of a dataset.

    Args:
        gaps: gap of each pair in [-1, 1], `None` where it is unknown.
        groups: prompt group of each pair; the interval of the mean draws whole groups.
        seed: seed of the interval.
        threshold: for `share_below`.
        replicates: bootstrap samples.

    Returns:
        A figure whose value is the signed mean (also as `mean`), with `median`, `p10`, `share_below`,
        `share_negative`, `threshold`, `pairs` (known or not), `coverage` (share known) and `histogram`
        (`edges` from -1 to 1 in steps of 0.05, `counts`; the last bin includes 1).
    """
    known = [index for index, gap in enumerate(gaps) if gap is not None]
    in_order = np.array([gaps[index] for index in known], dtype=np.float64)
    values = np.sort(in_order)
    edges = np.round(np.arange(-1, 1 + _HISTOGRAM_STEP / 2, _HISTOGRAM_STEP), 2)
    extra: dict[str, Any] = {
        "mean": None,
        "median": None,
        "p10": None,
        "share_below": None,
        "share_negative": None,
        "threshold": threshold,
        "pairs": len(gaps),
        "coverage": len(known) / len(gaps) if gaps else 0.0,
        "histogram": {"edges": edges.tolist(), "counts": _histogram(values, edges)},
    }
    if not known:
        return figure(None, None, 0, "no pair has a measured gap" if gaps else "there are no pairs", **extra)
    mean = math.fsum(values) / len(known)
    extra |= {
        "mean": mean,
        "median": float(np.median(values)),
        "p10": float(np.quantile(values, 0.1)),
        "share_below": float((values < threshold - _ROUNDING).mean()),
        "share_negative": float((values < 0).mean()),
    }
    clusters = None if groups is None else [str(groups[index]) for index in known]
    interval = cluster_bootstrap_mean(in_order, clusters, seed=seed, replicates=replicates)
    return figure(mean, interval, len(known), **extra)


def _histogram(values: NDArray[np.float64], edges: NDArray[np.float64]) -> list[int]:
    """Counts per bin; a value within rounding of an edge belongs to the bin that begins there."""
    bins = np.searchsorted(edges, values + _ROUNDING, side="right") - 1
    counts = np.bincount(np.clip(bins, 0, edges.size - 2), minlength=edges.size - 1)
    return [int(count) for count in counts]
