"""Systematic disagreement: groups of annotators that want opposite things, and categories in which people differ.

Two readers can both be right. Random error is not that: a careless group disagrees with a careful one, yet prefers
nothing else. Hence two conditions: a permutation test says that the groups differ at all, and their concordance (the
correlation of what they prefer, corrected for the noise within each group) says that it is not carelessness.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.intervals import percentile_interval
from pairsmith.measures.significance import adjusted_p_values, normal_tail, sum_tail
from pairsmith.measures.vote_table import Ints
from pairsmith.measures.votes import LABELS, Votes, VotesLike

__all__ = ["category_disagreement", "group_disagreement"]

Array = NDArray[np.float64]

_SHOWN_ITEMS = 5
_MAJORITY = 0.5

Pattern = tuple[int, int, int, int]
"""Votes of one comparison: first group for a, first group in all, second group for a, second group in all."""


@dataclass(frozen=True, slots=True)
class _Test:
    """Two groups compared on the comparisons of one category; `category` is empty for all comparisons."""

    groups: tuple[str, str]
    category: str
    items: Mapping[str, Pattern]
    p_value: float


def group_disagreement(
    votes: VotesLike,
    groups: Mapping[str, str],
    categories: Mapping[str, str] | None = None,
    *,
    seed: int,
    alpha: float = 0.01,
    max_concordance: float = 0.5,
    min_items: int = 20,
) -> list[Conflict]:
    """Pairs of annotator groups that prefer opposite sides, within each category (or at all, without categories).

    Args:
        votes: each annotator's last vote on each comparison; only votes for a side count.
        groups: group of each annotator; annotators without one are left out.
        categories: category of each comparison; those without one form the category "".
        seed: of the interval of the concordance.
        alpha: false discovery rate over all tests (Benjamini-Hochberg).
        max_concordance: the upper end of the interval of the concordance must not exceed this, in [-1, 1).
        min_items: fewest comparisons with votes of both groups.

    Returns:
        Conflicts sorted by groups and category. Evidence: agreement within and between groups, `concordance` in
        [-1, 1] (1: the same preferences apart from noise, 0: unrelated, -1: opposite) with its 95 % bootstrap
        interval, exact permutation p-value and its adjusted value, and the most opposed comparisons. A group has a
        measurable noise only where it cast two votes on some comparison. Proposed is `split_dataset` for two groups
        that disagree in at least half of the categories tested, else `add_context`.
    """
    tests = _group_tests(votes, groups, categories or {}, min_items)
    adjusted = adjusted_p_values([test.p_value for test in tests])
    found = []
    for test, value in zip(tests, adjusted.tolist(), strict=True):
        if value > alpha:
            continue
        concordance, interval = _concordance(test.items.values(), seed)
        if concordance is not None and interval is not None and interval[1] <= max_concordance:
            found.append((test, value, concordance, interval))
    tested = Counter(test.groups for test in tests)
    opposed = Counter(test.groups for test, *_ in found)
    conflicts = []
    for test, value, concordance, interval in found:
        evidence = {
            "category": test.category,
            "groups": list(test.groups),
            "items": len(test.items),
            **_agreements(test.items.values()),
            "concordance": concordance,
            "interval": list(interval),
            "p_value": test.p_value,
            "adjusted_p_value": value,
            "tests": len(tests),
            "most_opposed": _most_opposed(test.items),
        }
        split = opposed[test.groups] >= _MAJORITY * tested[test.groups]
        targets = test.groups if split else (test.category,)
        conflicts.append(
            Conflict(
                "group_disagreement",
                (*test.groups, test.category) if test.category else test.groups,
                evidence,
                "split_dataset" if split else "add_context",
                targets,
            )
        )
    return conflicts


def _group_tests(
    votes: VotesLike, groups: Mapping[str, str], categories: Mapping[str, str], min_items: int
) -> list[_Test]:
    table = Votes.of(votes)
    sided = table.where(table.sided)
    cast: dict[str, dict[str, list[int]]] = {}
    for item, person, label in zip(sided.item.tolist(), sided.annotator.tolist(), sided.label.tolist(), strict=True):
        if table.annotators[person] in groups:
            group = groups[table.annotators[person]]
            counts = cast.setdefault(table.items[item], {}).setdefault(group, [0, 0])
            counts[0] += LABELS[label] == "a"
            counts[1] += 1
    shared: dict[tuple[str, str, str], dict[str, Pattern]] = {}
    for item in sorted(cast):
        for first, second in combinations(sorted(cast[item]), 2):
            one, other = cast[item][first], cast[item][second]
            pattern = (one[0], one[1], other[0], other[1])
            shared.setdefault((first, second, categories.get(item, "")), {})[item] = pattern
    return [
        _Test((first, second), category, items, _permutation_p(items.values()))
        for (first, second, category), items in sorted(shared.items())
        if len(items) >= min_items
    ]


def _permutation_p(patterns: Iterable[Pattern]) -> float:
    """How often votes dealt to the groups at random disagree between the groups as often as these.

    Votes are exchanged within comparisons only, so hard and easy comparisons, and any share of votes for a, are
    accounted for. Exact: the distribution of the sum is the convolution of those of the comparisons.
    """
    observed, kinds = 0, Counter[tuple[int, int, int]]()
    for a1, n1, a2, n2 in patterns:
        observed += _disagreeing(a1, n1, a2, n2)
        kinds[n1, n2, min(a1 + a2, n1 + n2 - a1 - a2)] += 1  # the names of the sides do not matter
    distributions = []
    for (n1, n2, a), times in sorted(kinds.items()):
        chances = [0.0] * (n1 * n2 + 1)
        for a1 in range(max(0, a - n2), min(n1, a) + 1):
            ways = math.comb(n1, a1) * math.comb(n2, a - a1) / math.comb(n1 + n2, a)
            chances[_disagreeing(a1, n1, a - a1, n2)] += ways
        distributions.append((chances, times))
    return sum_tail(distributions, observed)


def _disagreeing(a1: int, n1: int, a2: int, n2: int) -> int:
    """Pairs of a vote of each group that name different sides."""
    return a1 * (n2 - a2) + (n1 - a1) * a2


def _concordance(patterns: Iterable[Pattern], seed: int) -> tuple[float | None, tuple[float, float] | None]:
    """E[d1 d2] / sqrt(E[d1^2] E[d2^2]) for the net preferences d = 2p - 1 of two groups, and its 95 % interval.

    Each mean is unbiased: products of votes of different people only (Spearman's correction for attenuation, 1904).
    """
    # Under either naming of the sides the same pattern, so that the draws of the bootstrap are the same too.
    counted = Counter(min((a1, n1, a2, n2), (n1 - a1, n1, n2 - a2, n2)) for a1, n1, a2, n2 in patterns)
    distinct = np.array(sorted(counted), dtype=np.float64).reshape(-1, 4)
    items = np.array([counted[pattern] for pattern in sorted(counted)], dtype=np.float64)
    nets = [2 * distinct[:, column] - distinct[:, column + 1] for column in (0, 2)]
    sizes = [distinct[:, 1], distinct[:, 3]]
    between = nets[0] * nets[1] / (sizes[0] * sizes[1])
    within = [(net**2 - size) / np.maximum(size * (size - 1), 1) for net, size in zip(nets, sizes, strict=True)]

    def estimate(weights: Array) -> Array:
        noise = []
        for products, size in zip(within, sizes, strict=True):
            several = weights * (size >= 2)
            total = several.sum(axis=-1)
            noise.append(np.where(total > 0, (several * products).sum(axis=-1) / np.maximum(total, 1), 0.0))
        signal = (weights * between).sum(axis=-1) / weights.sum(axis=-1)
        known = (noise[0] > 0) & (noise[1] > 0)
        values: Array = np.where(known, signal / np.sqrt(np.where(known, noise[0] * noise[1], 1.0)), np.nan)
        return np.clip(values, -1.0, 1.0)

    value = float(estimate(items))
    if math.isnan(value):
        return None, None
    total = int(items.sum())
    samples = np.random.default_rng(seed).multinomial(total, items / total, size=1000).astype(np.float64)
    return value, percentile_interval(estimate(samples))


def _agreements(patterns: Iterable[Pattern]) -> dict[str, float | list[float | None] | None]:
    """Shares of pairs of votes that name the same side: within each group and between them."""
    equal, pairs = [0, 0, 0], [0, 0, 0]
    for a1, n1, a2, n2 in patterns:
        for place, (a, n) in enumerate(((a1, n1), (a2, n2))):
            equal[place] += math.comb(a, 2) + math.comb(n - a, 2)
            pairs[place] += math.comb(n, 2)
        equal[2] += n1 * n2 - _disagreeing(a1, n1, a2, n2)
        pairs[2] += n1 * n2
    shares = [same / total if total else None for same, total in zip(equal, pairs, strict=True)]
    return {"agreement_within": shares[:2], "agreement_between": shares[2]}


def _most_opposed(items: Mapping[str, Pattern]) -> list[str]:
    def products(item: str) -> tuple[float, str]:
        a1, n1, a2, n2 = items[item]
        return (2 * a1 - n1) * (2 * a2 - n2), item

    return [item for item in sorted(items, key=products) if products(item)[0] < 0][:_SHOWN_ITEMS]


def category_disagreement(
    votes: VotesLike,
    categories: Mapping[str, str],
    *,
    alpha: float = 0.01,
    max_ratio: float = 0.5,
    min_items: int = 20,
) -> list[Conflict]:
    """Categories in which pairs of votes agree less than in all others together, sorted by category.

    The test asks how often as many disagreements would fall into the category if categories were dealt to the
    comparisons at random among those with equally many votes (normal approximation, hence `min_items`). It cannot say
    whether the category is hard or contested: the proposal is `add_context`, or a clearer guideline.

    Args:
        votes: each annotator's last vote on each comparison; only votes for a side count.
        categories: category of each comparison; comparisons without one only serve for comparison.
        alpha: false discovery rate over all categories (Benjamini-Hochberg).
        max_ratio: largest ratio of the net agreements 2A - 1 inside and outside the category; 0.5 is half the signal.
        min_items: fewest comparisons with two or more votes, in the category and outside it.
    """
    table = Votes.of(votes)
    counts = table.counts()[:, :2]
    several = counts.sum(axis=1) >= 2
    named = [categories.get(item, "") for item, use in zip(table.items, several.tolist(), strict=True) if use]
    names = sorted({*named} - {""})
    place = {name: number for number, name in enumerate(names)}
    sizes, differing = counts[several].sum(axis=1), counts[several].prod(axis=1)
    own = np.array([place.get(name, len(names)) for name in named], dtype=np.int64)
    items = np.bincount(own, minlength=len(names) + 1)
    apart = np.bincount(own, differing, len(names) + 1)
    pairs = np.bincount(own, sizes * (sizes - 1) / 2, len(names) + 1)
    enough = [place[name] for name in names if min_items <= items[place[name]] <= len(named) - min_items]
    p_values = _crowded(differing, sizes, own, enough)
    conflicts = []
    for number, p_value, value in zip(enough, p_values, adjusted_p_values(p_values).tolist(), strict=True):
        agreement = float(1 - apart[number] / pairs[number])
        elsewhere = float(1 - (apart.sum() - apart[number]) / (pairs.sum() - pairs[number]))
        if value <= alpha and 2 * agreement - 1 <= max_ratio * (2 * elsewhere - 1):
            evidence = {
                "items": int(items[number]),
                "agreement": agreement,
                "agreement_elsewhere": elsewhere,
                "p_value": p_value,
                "adjusted_p_value": value,
                "tests": len(enough),
            }
            who = (names[number],)
            conflicts.append(Conflict("category_disagreement", who, evidence, "add_context", who))
    return conflicts


def _crowded(differing: Array, sizes: Array, own: Ints, categories: Sequence[int]) -> list[float]:
    """One-sided p-value of the disagreements in each category, against drawing as many comparisons of each size."""
    if not categories:
        return []
    distinct, stratum = np.unique(sizes, return_inverse=True)
    total = np.bincount(stratum).astype(np.float64)
    mean = np.bincount(stratum, differing) / total
    spread = np.bincount(stratum, (differing - mean[stratum]) ** 2) / np.maximum(total - 1, 1)
    cells = np.bincount(own * distinct.size + stratum, minlength=(int(own.max(initial=0)) + 1) * distinct.size)
    drawn, seen = cells.reshape(-1, distinct.size), np.bincount(own, differing)
    tails = []
    for category in categories:
        excess = float(seen[category] - (drawn[category] * mean).sum())
        variance = float((drawn[category] * (total - drawn[category]) / total * spread).sum())
        tails.append(normal_tail(excess / math.sqrt(variance)) if variance > 0 else 1.0)
    return tails
