"""How far annotators agree, with intervals: raw, chance-corrected, per annotator and per pair of annotators.

Votes are integers: item, annotator and category of each vote, or a matrix votes[items, annotators] with -1 where
nobody voted. Intervals are percentile bootstraps over items. An item is fully described by its vote counts, so a
sample of items is a multinomial sample over the distinct patterns of counts: exact, and as fast for a million votes
as for a hundred.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures import coefficients
from pairsmith.measures.intervals import figure, percentile_interval

__all__ = [
    "MOST_NEIGHBOURS",
    "SIDES_FLIP",
    "agreement_figures",
    "annotator_pairs",
    "cohen_figures",
    "count_votes",
    "count_votes_matrix",
    "distinct_patterns",
    "hits_with_others",
    "undecided_items",
]

Array = NDArray[np.float64]
Statistic = Callable[[Array, Array], Array]

SIDES_FLIP = (2, 1, 0)
"""Categories b < tie < a (0, 1, 2): what each becomes when the sides change names."""

NO_VOTES = "there are no votes"
NO_OVERLAP = "no item has two or more votes"
NO_DECIDED_OVERLAP = "no item has two votes that name a side"
ALL_EQUAL = "all votes are equal, so chance cannot be told from agreement"

MOST_NEIGHBOURS = 50

_CHUNK_CELLS = 4_000_000
_MIN_SHARED_ITEMS = 30


def count_votes(items: ArrayLike, labels: ArrayLike, categories: int, n_items: int | None = None) -> Array:
    """counts[items, categories] from one entry per vote: `items` and `labels` are integers of shape (votes,)."""
    rows, columns = np.asarray(items, dtype=np.int64), np.asarray(labels, dtype=np.int64)
    if columns.size and not (columns.min() >= 0 and columns.max() < categories):
        raise ValueError(f"labels must lie in 0..{categories - 1}")
    size = int(rows.max(initial=-1)) + 1 if n_items is None else n_items
    flat = np.bincount(rows * categories + columns, minlength=size * categories)
    return flat.reshape(size, categories).astype(np.float64)


def count_votes_matrix(votes: ArrayLike, categories: int) -> Array:
    """counts[items, categories] from votes[items, annotators] with -1 for missing votes."""
    matrix = np.asarray(votes, dtype=np.int64)
    items, annotators = np.nonzero(matrix >= 0)
    return count_votes(items, matrix[items, annotators], categories, matrix.shape[0])


def distinct_patterns(counts: Array) -> tuple[Array, Array]:
    """The distinct rows of `counts` that hold a vote, sorted, and how many items have each."""
    rows = counts[counts.sum(axis=1) > 0].astype(np.int64)
    if not rows.size:
        return np.zeros((0, counts.shape[1])), np.zeros(0)
    base = int(rows.max()) + 1
    if base ** rows.shape[1] >= 2**62:
        patterns, frequency = np.unique(rows, axis=0, return_counts=True)
        return patterns.astype(np.float64), frequency.astype(np.float64)
    powers = base ** np.arange(rows.shape[1] - 1, -1, -1, dtype=np.int64)
    keys, frequency = np.unique(rows @ powers, return_counts=True)
    return (keys[:, None] // powers % base).astype(np.float64), frequency.astype(np.float64)


def undecided_items(counts: Array) -> int:
    """Items with two or more votes whose most frequent category is shared."""
    top = counts.max(axis=1, initial=0.0)
    shared = (counts == top[:, None]).sum(axis=1) > 1
    return int((shared & (counts.sum(axis=1) >= 2)).sum())


def agreement_figures(
    counts: Array,
    *,
    seed: int,
    flip: Sequence[int] | None = None,
    tie: int | None = None,
    replicates: int = 1000,
    no_votes: str = NO_VOTES,
) -> dict[str, Any]:
    """Every dataset-level agreement figure, each with a 95 % item-cluster bootstrap interval.

    With `flip` the chance-corrected figures are side-symmetrised (extra key `plain`: as the sides happen to be named),
    but `fleiss_kappa` is plain (extra key `symmetrised`), because that is what publications print.

    Args:
        counts: votes per item and category, shape (items, categories), categories in ordinal order.
        seed: seed of the bootstrap.
        flip: the category each category becomes when the sides change names; `None`: categories have no sides.
        tie: the category that names no side, left out of `agreement.without_ties`.
        replicates: bootstrap samples.
        no_votes: the reason given if `counts` holds no vote.

    Returns:
        `agreement` (`with_ties`, `without_ties`, `macro`), `leave_one_out`, `krippendorff_alpha`,
        `krippendorff_alpha_ordinal`, `fleiss_kappa`, `gwet_ac1`, `gwet_ac2`: figures, whose value is `None` with a
        reason where no item has two votes or all votes are equal.
    """
    categories = counts.shape[1]
    grades = coefficients.ordinal_weights(categories)
    decided = np.array([category != tie for category in range(categories)], dtype=np.float64)
    neutral: dict[str, Statistic] = {
        "with_ties": coefficients.pooled_agreement,
        "without_ties": lambda c, w: coefficients.pooled_agreement(c * decided, w),
        "macro": coefficients.macro_agreement,
        "leave_one_out": coefficients.leave_one_out,
        "krippendorff_alpha": lambda c, w: coefficients.krippendorff_alpha(c, w, flip),
        "krippendorff_alpha_ordinal": lambda c, w: coefficients.krippendorff_alpha(c, w, flip, ordinal=True),
        "fleiss_symmetrised": lambda c, w: coefficients.fleiss_kappa(c, w, flip),
        "gwet_ac1": lambda c, w: coefficients.gwet_ac(c, w, flip),
        "gwet_ac2": lambda c, w: coefficients.gwet_ac(c, w, flip, grades),
    }
    named: dict[str, Statistic] = {
        "fleiss_kappa": coefficients.fleiss_kappa,
        "krippendorff_alpha": coefficients.krippendorff_alpha,
        "krippendorff_alpha_ordinal": lambda c, w: coefficients.krippendorff_alpha(c, w, ordinal=True),
        "gwet_ac1": coefficients.gwet_ac,
        "gwet_ac2": lambda c, w: coefficients.gwet_ac(c, w, None, grades),
    }
    # Equal items get equal patterns whichever way their sides are named, so that even the draws do not depend on names.
    found = _estimate(neutral, *distinct_patterns(_canonical_sides(counts, flip)), seed, replicates)
    plain = _estimate(named, *distinct_patterns(counts), seed, replicates if flip is not None else 0)
    if flip is None:
        plain["fleiss_kappa"] = found["fleiss_symmetrised"]
    return _named_figures(counts, found, plain, tie, no_votes)


def _named_figures(
    counts: Array, found: dict[str, dict[str, Any]], plain: dict[str, dict[str, Any]], tie: int | None, no_votes: str
) -> dict[str, Any]:
    votes = counts.sum(axis=1)
    decided = votes - (counts[:, tie] if tie is not None else 0)
    overlap = int((votes >= 2).sum())
    reason = no_votes if not votes.any() else NO_OVERLAP if not overlap else ALL_EQUAL
    pairs, decided_pairs = (int((each * (each - 1) / 2).sum()) for each in (votes, decided))
    no_decided = reason if not overlap else NO_DECIDED_OVERLAP
    result: dict[str, Any] = {
        "agreement": {
            "with_ties": figure(**found["with_ties"], n=pairs, reason=reason),
            "without_ties": figure(**found["without_ties"], n=decided_pairs, reason=no_decided),
            "macro": figure(**found["macro"], n=overlap, reason=reason),
        },
        "leave_one_out": figure(**found["leave_one_out"], n=overlap, reason=reason),
    }
    for name in ("krippendorff_alpha", "krippendorff_alpha_ordinal", "gwet_ac1", "gwet_ac2"):
        result[name] = figure(**found[name], n=overlap, reason=reason, plain=plain[name]["value"])
    symmetrised = found["fleiss_symmetrised"]["value"]
    result["fleiss_kappa"] = figure(**plain["fleiss_kappa"], n=overlap, reason=reason, symmetrised=symmetrised)
    return result


def _canonical_sides(counts: Array, flip: Sequence[int] | None) -> Array:
    """Each row or its flipped form, whichever is larger lexicographically."""
    if flip is None or not counts.size:
        return counts
    flipped = counts[:, list(flip)]
    difference = counts - flipped
    first = (difference != 0).argmax(axis=1)
    smaller = difference[np.arange(len(counts)), first] < 0
    return np.where(smaller[:, None], flipped, counts)


def _estimate(
    statistics: dict[str, Statistic], patterns: Array, items: Array, seed: int, replicates: int
) -> dict[str, dict[str, Any]]:
    """Value and bootstrap interval of each statistic; both `None` where the statistic is undefined."""
    estimates: dict[str, dict[str, Any]] = {}
    draws: dict[str, list[Array]] = {name: [] for name in statistics}
    for sample in _samples_of_items(items, seed, replicates):
        for name, statistic in statistics.items():
            draws[name].append(statistic(patterns, sample))
    for name, statistic in statistics.items():
        value = float(statistic(patterns, items))
        interval = percentile_interval(np.concatenate(draws[name])) if draws[name] else None
        known = bool(np.isfinite(value))
        estimates[name] = {"value": value if known else None, "interval": interval if known else None}
    return estimates


def _samples_of_items(items: Array, seed: int, replicates: int) -> Iterator[Array]:
    total = int(items.sum())
    if total < 2:
        return
    rng = np.random.default_rng(seed)
    rows = max(1, _CHUNK_CELLS // items.size)
    for start in range(0, replicates, rows):
        yield rng.multinomial(total, items / total, size=min(rows, replicates - start)).astype(np.float64)


def annotator_pairs(
    items: ArrayLike, annotators: ArrayLike, labels: ArrayLike, categories: int
) -> tuple[NDArray[np.int64], Array]:
    """Contingency tables of every two annotators who share items.

    On an item with more than `MOST_NEIGHBOURS` + 1 votes, each is paired with the `MOST_NEIGHBOURS` that follow it in
    the order of the annotators: everybody with everybody would be a million pairs for one item with 1,400 votes.

    Returns:
        pairs of shape (pairs, 2), lower annotator first and sorted, and tables[pairs, category of the first, category
        of the second].
    """
    columns = (np.asarray(items, np.int64), np.asarray(annotators, np.int64), np.asarray(labels, np.int64))
    order = np.lexsort((columns[1], columns[0]))
    item, annotator, label = (column[order] for column in columns)
    people = int(annotator.max(initial=-1)) + 1
    keys: list[NDArray[np.int64]] = []
    most = int(np.bincount(item).max(initial=0)) if item.size else 0
    for step in range(1, min(most, MOST_NEIGHBOURS + 1)):
        same = np.nonzero(item[step:] == item[:-step])[0]
        pair = annotator[same] * people + annotator[same + step]
        keys.append((pair * categories + label[same]) * categories + label[same + step])
    cells, frequency = np.unique(np.concatenate(keys) if keys else np.zeros(0, np.int64), return_counts=True)
    pairs, index = np.unique(cells // categories**2, return_inverse=True)
    tables = np.zeros((pairs.size, categories**2))
    tables[index, cells % categories**2] = frequency
    return np.stack([pairs // max(people, 1), pairs % max(people, 1)], axis=1), tables.reshape(
        -1, categories, categories
    )


def cohen_figures(
    pairs: NDArray[np.int64],
    tables: Array,
    *,
    seed: int,
    flip: Sequence[int] | None = None,
    min_items: int = _MIN_SHARED_ITEMS,
    limit: int = 20,
    replicates: int = 1000,
) -> list[dict[str, Any]]:
    """Cohen's kappa of the `limit` pairs of annotators with most shared items, at least `min_items` of them.

    Each entry is a figure (n = shared items) with `first` and `second`, the annotators.
    """
    shared = tables.sum(axis=(1, 2))
    chosen = [int(index) for index in np.argsort(-shared, kind="stable") if shared[index] >= min_items][:limit]
    figures = []
    for index in chosen:
        cells = _fold_sides(tables[index], flip).reshape(-1)

        def kappa(_: Array, weights: Array, side: int = tables.shape[1]) -> Array:
            return coefficients.cohen_kappa(weights.reshape(*weights.shape[:-1], side, side), flip)

        found = _estimate({"kappa": kappa}, cells, cells, seed, replicates)["kappa"]
        first, second = (int(person) for person in pairs[index])
        figures.append(figure(**found, n=int(shared[index]), reason=ALL_EQUAL, first=first, second=second))
    return figures


def _fold_sides(table: Array, flip: Sequence[int] | None) -> Array:
    """The table with each cell and its flipped form counted in one of the two."""
    if flip is None:
        return table
    cells = np.arange(table.size).reshape(table.shape)
    one_name = np.minimum(cells, cells[np.ix_(list(flip), list(flip))])
    folded = np.bincount(one_name.reshape(-1), weights=table.reshape(-1), minlength=table.size)
    return folded.reshape(table.shape).astype(np.float64)


def hits_with_others(items: ArrayLike, labels: ArrayLike, counts: Array, counted: ArrayLike | None = None) -> Array:
    """Per vote: 1 if it equals the mode of the other votes on its item (1 / modes if shared), NaN if there are none.

    Args:
        items: item of each vote.
        labels: category of each vote.
        counts: votes[items, categories] to compare with.
        counted: False for votes that `counts` does not hold, for example a model's where `counts` holds people's.
    """
    rows, columns = np.asarray(items, np.int64), np.asarray(labels, np.int64)
    own = np.ones(rows.size) if counted is None else np.asarray(counted, dtype=np.float64)
    others = counts[rows]
    others[np.arange(rows.size), columns] -= own
    top = others.max(axis=1, initial=0.0)
    modes = (others == top[:, None]).sum(axis=1)
    hits = (others[np.arange(rows.size), columns] == top) / np.maximum(modes, 1)
    return np.where(top > 0, hits, np.nan)
