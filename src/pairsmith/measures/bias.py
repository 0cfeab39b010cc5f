"""What else than quality moves a verdict: position, length, refusals, layout, and the judge's own family.

Verdicts are numbers: 1 for `a`, -1 for `b`, 0 for neither, NaN where none could be read. Every figure has its interval
and count. A share is a *preference*; it is a *bias* only against something: against one half for position, since the
order is random, and against people's verdicts on the same pairs for everything else: longer answers may be better.
"""

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, share_figure
from pairsmith.measures.surface import surface_traits
from pairsmith.measures.vote_table import Floats

__all__ = [
    "TRAITS",
    "binomial_p",
    "first_side_figure",
    "length_figures",
    "response_traits",
    "self_preference",
    "swap_figures",
    "trait_preference",
]

TRAITS: Final = ("refusal", "markdown", "list")
"""What `response_traits` looks for."""

MATCHED_LENGTHS: Final = (0.8, 1.25)
"""Ratio of lengths between which two responses count as equally long."""

_Z95 = 1.959963984540054
_NO_ORDER = "which side was shown first is not recorded"
_NO_REFERENCE = "without other verdicts on the same pairs, better cannot be told from favoured"


def swap_figures(a_first: ArrayLike, b_first: ArrayLike, truth: ArrayLike | None = None) -> dict[str, Any]:
    """What showing the same pairs in both orders says about a judge.

    Args:
        a_first: verdicts with `a` shown first, shape (pairs,).
        b_first: verdicts on the same pairs with `b` shown first; 1 still means `a`.
        truth: the better side (1 or -1) of each pair, if known.

    Returns:
        Figures: `swap_consistency` (same verdict in both orders; an unreadable one is never the same),
        `first_side_share` (of the verdicts for a side, how many chose the one shown first; extra key `excess`, the
        share less one half), `first_when_unstable` (of the pairs where the side shown first won twice or lost twice,
        how many it won; extra key `p_value`, exact McNemar test of no position bias), `unread_share`, and with `truth`
        `accuracy` (over both orders, neither counts as wrong) and `accuracy_when_stable`.
    """
    one, two = _verdicts(a_first), _verdicts(b_first)
    if one.shape != two.shape:
        raise ValueError(f"both orders need the same pairs, got shapes {one.shape} and {two.shape}")
    pairs, nothing = one.size, "no pair was judged in both orders"
    first = int((one == 1).sum() + (two == -1).sum())
    decided = int((np.abs(one) == 1).sum() + (np.abs(two) == 1).sum())
    won_twice, lost_twice = int(((one == 1) & (two == -1)).sum()), int(((one == -1) & (two == 1)).sum())
    unstable = share_figure(won_twice, won_twice + lost_twice, "no verdict turned with the order")
    result = {
        "swap_consistency": share_figure(int((one == two).sum()), pairs, nothing),
        "first_side_share": _with_excess(share_figure(first, decided, "no verdict names a side")),
        "first_when_unstable": unstable | {"p_value": binomial_p(won_twice, won_twice + lost_twice)},
        "unread_share": share_figure(int(np.isnan(one).sum() + np.isnan(two).sum()), 2 * pairs, nothing),
    }
    if truth is not None:
        right = _verdicts(truth)
        stable = (one == two) & (np.abs(one) == 1)
        hits = int((one == right).sum() + (two == right).sum())
        result["accuracy"] = share_figure(hits, 2 * pairs, nothing)
        stable_hits = int((stable & (one == right)).sum())
        result["accuracy_when_stable"] = share_figure(stable_hits, int(stable.sum()), "no verdict was stable")
    return result


def first_side_figure(chose_first: ArrayLike) -> dict[str, Any]:
    """How often the side shown first was chosen, where each pair was seen in one random order.

    Returns:
        A share with `excess` (less one half) and the exact two-sided binomial `p_value` against one half.
    """
    chosen = np.asarray(chose_first, dtype=bool)
    share = _with_excess(share_figure(int(chosen.sum()), chosen.size, _NO_ORDER))
    return share | {"p_value": binomial_p(int(chosen.sum()), chosen.size)}


def length_figures(
    length_a: ArrayLike,
    length_b: ArrayLike,
    verdicts: ArrayLike,
    *,
    seed: int,
    gaps: ArrayLike | None = None,
    min_difference: float = 30,
    reference: ArrayLike | None = None,
) -> dict[str, Any]:
    """How verdicts go with length.

    Args:
        length_a: characters of `a`, shape (pairs,).
        length_b: characters of `b`.
        verdicts: who won.
        seed: seed of the bootstrap intervals.
        gaps: how much better the winner is, in [-1, 1], NaN where unknown.
        min_difference: lengths that differ by less count as equal (AlpacaEval uses 30 characters).
        reference: people's verdicts on the same pairs.

    Returns:
        `longer_wins` (as `trait_preference`), `length_auc` (how well length alone, without seeing the other response,
        tells winners from losers; 0.5 is not at all), `length_matched_gap` (mean gap where lengths differ by a ratio of
        at most 1.25: what is left of the gap when length cannot explain it) and `matched_share` of all decided pairs.
    """
    a, b = np.asarray(length_a, dtype=np.float64), np.asarray(length_b, dtype=np.float64)
    won = _verdicts(verdicts)
    decided = np.abs(won) == 1
    longer = np.where(np.abs(a - b) >= min_difference, np.sign(a - b), 0)
    ratio = np.maximum(a, 1) / np.maximum(b, 1)
    matched = decided & (ratio >= MATCHED_LENGTHS[0]) & (ratio <= MATCHED_LENGTHS[1])
    known = matched & np.isfinite(_column(gaps, a.size))
    values = _column(gaps, a.size)[known]
    interval = cluster_bootstrap_mean(values, seed=seed) if values.size else None
    why = "no gap was measured" if gaps is None else "no pair of equally long responses has a gap"
    winner, loser = np.where(won == 1, a, b)[decided], np.where(won == 1, b, a)[decided]
    return {
        "longer_wins": trait_preference(longer == 1, longer == -1, won, seed=seed, reference=reference),
        "length_auc": _auc_figure(winner, loser),
        "length_matched_gap": figure(float(values.mean()) if values.size else None, interval, values.size, why),
        "matched_share": share_figure(int(matched.sum()), int(decided.sum()), "no verdict names a side"),
    }


def trait_preference(
    has_a: ArrayLike, has_b: ArrayLike, verdicts: ArrayLike, *, seed: int, reference: ArrayLike | None = None
) -> dict[str, Any]:
    """How often the response with a trait wins over one without it.

    Args:
        has_a: whether `a` has the trait (is longer, refuses, uses markdown, comes from a family), shape (pairs,).
        has_b: whether `b` does.
        verdicts: who won, by whoever is looked at.
        seed: seed of the bootstrap.
        reference: verdicts of people on the same pairs, NaN where there are none.

    Returns:
        A share over the pairs where one side has the trait and a side won, with `p_value` (exact, against one half) and
        `bias`: a figure, this share less that of the reference on the same pairs.
    """
    one, two = np.asarray(has_a, dtype=bool), np.asarray(has_b, dtype=bool)
    won = _verdicts(verdicts)
    side = np.where(one & ~two, 1.0, np.where(two & ~one, -1.0, np.nan))
    counted = (won == side) | (won == -side)
    hits = int((won == side).sum())
    share = share_figure(hits, int(counted.sum()), "no decided pair has the trait on one side only")
    bias = figure(None, None, 0, _NO_REFERENCE)
    if reference is not None:
        theirs = _verdicts(reference)
        both = counted & (np.abs(theirs) == 1)
        difference = (won == side)[both].astype(np.float64) - (theirs == side)[both]
        value = float(difference.mean()) if difference.size else None
        bias = figure(value, cluster_bootstrap_mean(difference, seed=seed), difference.size, _NO_REFERENCE)
    return share | {"p_value": binomial_p(hits, int(counted.sum())), "bias": bias}


def self_preference(
    own: str,
    family_a: Sequence[str],
    family_b: Sequence[str],
    verdicts: ArrayLike,
    *,
    seed: int,
    reference: ArrayLike | None = None,
) -> dict[str, Any]:
    """How much more often a judge lets responses of its own model family win than the reference does.

    Returns:
        `trait_preference` of "comes from the family `own`", with `family`. Its `bias` is the self-preference; the share
        alone is none, because the family may be the better one.
    """
    has_a, has_b = ([family == own for family in families] for families in (family_a, family_b))
    return trait_preference(has_a, has_b, verdicts, seed=seed, reference=reference) | {"family": own}


def response_traits(text: str) -> dict[str, bool]:
    """Which of `TRAITS` a response has: it refuses; it has headings, bold or code blocks; it has a list."""
    found = surface_traits(text)
    return {trait: found[trait] for trait in TRAITS}


def binomial_p(successes: int, n: int) -> float | None:
    """Exact two-sided p-value of `successes` out of `n` fair coins; `None` without coins.

    >>> binomial_p(0, 5)
    0.0625
    """
    if not n:
        return None
    tail = min(successes, n - successes)
    steps = np.arange(1, tail + 1)
    logs = np.concatenate([[0.0], np.cumsum(np.log(n - steps + 1) - np.log(steps))]) - n * math.log(2)
    return min(1.0, 2 * math.fsum(np.exp(logs)))


def _auc_figure(winners: Floats, losers: Floats) -> dict[str, Any]:
    """Area under the ROC curve with the interval of DeLong for pairs (a winner and its loser are not independent)."""
    n = winners.size
    if not n:
        return figure(None, None, 0, "no verdict names a side")
    above = _placements(winners, losers)
    below = 1.0 - _placements(losers, winners)
    area = float(above.mean())
    if n < 2:
        return figure(area, None, n)
    spread = _Z95 * math.sqrt(float(((above + below - 2 * area) ** 2).sum()) / (n * (n - 1)))
    return figure(area, (max(0.0, area - spread), min(1.0, area + spread)), n)


def _placements(values: Floats, others: Floats) -> Floats:
    """Share of `others` below each value, equal ones counted half."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, values, side="left") + np.searchsorted(ordered, values, side="right")
    shares: Floats = below / (2 * ordered.size)
    return shares


def _with_excess(share: dict[str, Any]) -> dict[str, Any]:
    return share | {"excess": None if share["value"] is None else share["value"] - 0.5}


def _verdicts(values: ArrayLike) -> Floats:
    verdicts = np.asarray(values, dtype=np.float64)
    known: NDArray[np.bool_] = np.isnan(verdicts) | np.isin(verdicts, (-1, 0, 1))
    if verdicts.ndim != 1 or not known.all():
        raise ValueError("verdicts are 1 (a), -1 (b), 0 (neither) or NaN (unread), one per pair")
    return verdicts


def _column(values: ArrayLike | None, size: int) -> Floats:
    return np.full(size, np.nan) if values is None else np.asarray(values, dtype=np.float64)
