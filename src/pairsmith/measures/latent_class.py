"""What the models of raters share: prior, first guess and normalisation of the probabilities of classes."""

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints, VoteTable

__all__ = ["ClassPrior", "class_shares", "known_truth", "normalised", "one_hot", "silent_items", "start_posterior"]

ClassPrior: TypeAlias = Literal["flat", "estimated"]

_RARE = 1e-12


def start_posterior(table: VoteTable, known: Ints) -> Floats:
    """Vote shares, the known classes certain, and nothing known where nobody voted."""
    totals = table.totals()
    votes = totals.sum(axis=1, keepdims=True)
    shares: Floats = np.where(votes > 0, totals / np.where(votes > 0, votes, 1.0), 1.0 / table.n_classes)
    fixed = known != UNKNOWN
    shares[fixed] = one_hot(known[fixed], table.n_classes)
    return shares


def class_shares(posterior: Floats, class_prior: ClassPrior, flip: Sequence[int] | None = None) -> Floats:
    """Prior probability of each class, shape (classes,); the same under both namings of the sides with `flip`."""
    classes = posterior.shape[1]
    if class_prior == "flat" or not posterior.size:
        return np.full(classes, 1.0 / classes)
    shares: Floats = np.maximum(posterior.mean(axis=0), _RARE)
    return shares if flip is None else (shares + shares[list(flip)]) / 2


def normalised(scores: Floats) -> Floats:
    """Log-probabilities up to a constant per row -> probabilities."""
    raised = np.exp(scores - scores.max(axis=1, keepdims=True, initial=-np.inf))
    probabilities: Floats = raised / raised.sum(axis=1, keepdims=True)
    return probabilities


def one_hot(classes: Ints, n_classes: int) -> Floats:
    """Rows with a one at the class of each."""
    return np.eye(n_classes)[classes]


def known_truth(table: VoteTable, truth: ArrayLike | None) -> Ints:
    """`truth` as an array of classes, checked; all `UNKNOWN` for `None`.

    Raises:
        ValueError: if its shape is not (items,) or a class is out of range.
    """
    if truth is None:
        return np.full(table.n_items, UNKNOWN, dtype=np.int64)
    known = np.asarray(truth, dtype=np.int64)
    if known.shape != (table.n_items,):
        raise ValueError(f"truth needs one class per item ({table.n_items}), got shape {known.shape}")
    if known.size and not (known.min() >= UNKNOWN and known.max() < table.n_classes):
        raise ValueError(f"truth must lie in {UNKNOWN}..{table.n_classes - 1}, got {known.min()}..{known.max()}")
    return known


def silent_items(table: VoteTable, known: Ints) -> NDArray[np.bool_]:
    """True for items about which nobody said anything, neither by a vote nor as truth."""
    silent: NDArray[np.bool_] = (np.bincount(table.items, minlength=table.n_items) == 0) & (known == UNKNOWN)
    return silent
