"""Votes as three columns of integers, checked once and sorted: what every consensus method works on."""

from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

__all__ = ["UNKNOWN", "Floats", "Ints", "VoteTable", "leading_class", "sum_by", "vote_table"]

Ints: TypeAlias = NDArray[np.int64]
Floats: TypeAlias = NDArray[np.float64]

UNKNOWN = -1
"""In arrays of classes: nobody knows, or nobody decided."""

_EQUAL = 1e-9  # sums of equal weights in another order differ in the last bits, and that must not decide a tie


@dataclass(frozen=True, slots=True)
class VoteTable:
    """One entry per vote in each of `items`, `raters`, `labels` and `weights`; see `vote_table`."""

    items: Ints
    raters: Ints
    labels: Ints
    weights: Floats
    n_items: int
    n_raters: int
    n_classes: int

    def totals(self) -> Floats:
        """Weight of the votes for each class, shape (items, classes)."""
        return self.sum_by_class(self.weights)

    def sum_by_class(self, values: Floats) -> Floats:
        """`values` of the votes (shape (votes,)) added up per item and class voted for, shape (items, classes)."""
        cells = self.items * self.n_classes + self.labels
        return sum_by(cells, values, self.n_items * self.n_classes).reshape(self.n_items, self.n_classes)

    def sum_by_rater(self, values: Floats) -> Floats:
        """`values` of the votes (shape (votes,)) added up per rater, shape (raters,)."""
        return sum_by(self.raters, values, self.n_raters)

    def votes_per_rater(self) -> Ints:
        """How many votes each rater cast, shape (raters,)."""
        return np.bincount(self.raters, minlength=self.n_raters).astype(np.int64)


def vote_table(
    items: ArrayLike,
    raters: ArrayLike,
    labels: ArrayLike,
    classes: int,
    *,
    n_items: int | None = None,
    n_raters: int | None = None,
    weights: ArrayLike | None = None,
) -> VoteTable:
    """Votes in a canonical order, so that no result depends on the order they came in.

    Args:
        items: the item of each vote, integers from 0, shape (votes,).
        raters: who cast it, integers from 0.
        labels: the class it names, in 0..classes-1. A skipped item or `unsure` is no vote; leave it out.
        classes: number of classes.
        n_items: number of items, if the last ones may have no vote.
        n_raters: number of raters, likewise.
        weights: how much each vote counts, at least 0; by default 1.

    Raises:
        ValueError: for columns of different lengths, numbers out of range, or weights that are negative or not finite.
    """
    columns = [np.asarray(column, dtype=np.int64) for column in (items, raters, labels)]
    item, rater, label = columns
    weight = np.ones(item.size) if weights is None else np.asarray(weights, dtype=np.float64)
    if len({each.shape for each in (*columns, weight)}) != 1 or item.ndim != 1:
        raise ValueError(f"votes need columns of one length, got {[each.shape for each in (*columns, weight)]}")
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise ValueError("weights of votes must be finite and at least 0")
    size = _size(item, n_items, "items")
    people = _size(rater, n_raters, "raters")
    _size(label, classes, "classes")
    order = np.lexsort((weight, label, rater, item))
    return VoteTable(item[order], rater[order], label[order], weight[order], size, people, classes)


def sum_by(index: Ints, values: Floats, size: int) -> Floats:
    """`values` added up by `index`, shape (size,)."""
    return np.asarray(np.bincount(index, weights=values, minlength=size), dtype=np.float64)


def leading_class(scores: Floats) -> Ints:
    """The class with the highest score of each row, `UNKNOWN` where two classes share it. Shape (items,)."""
    if not scores.size:
        return np.full(scores.shape[0], UNKNOWN, dtype=np.int64)
    top = scores.max(axis=1)
    shared = (scores >= (top - _EQUAL)[:, None]).sum(axis=1) > 1
    return np.where(shared, UNKNOWN, scores.argmax(axis=1)).astype(np.int64)


def _size(column: Ints, size: int | None, name: str) -> int:
    needed = int(column.max(initial=-1)) + 1
    if column.min(initial=0) < 0 or (size is not None and needed > size):
        raise ValueError(f"{name} must lie in 0..{(size or needed) - 1}, got {column.min()}..{column.max()}")
    return needed if size is None else size
