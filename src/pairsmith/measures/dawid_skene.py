"""Dawid-Skene: a full confusion matrix per rater, where there are votes enough to estimate one.

Dawid and Skene 1979, "Maximum likelihood estimation of observer error-rates using the EM algorithm". A matrix has
K (K - 1) free numbers per rater, so raters with few votes get the one-coin form (see `consensus`), and the prior is
the same evidence as there: 7 right and 3 wrong verdicts, spread over the rows.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.consensus import Consensus
from pairsmith.measures.latent_class import (
    ClassPrior,
    class_shares,
    known_truth,
    normalised,
    one_hot,
    silent_items,
    start_posterior,
)
from pairsmith.measures.overlap import component_sizes
from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints, VoteTable, leading_class, sum_by

__all__ = ["MIN_VOTES_FOR_CONFUSION", "confusion_matrices", "dawid_skene", "why_not_dawid_skene"]

MIN_VOTES_FOR_CONFUSION = 100
"""Raters with fewer votes are described by one accuracy."""

PRIOR_RIGHT, PRIOR_WRONG = 7.0, 3.0

_TINY = 1e-300


def why_not_dawid_skene(table: VoteTable, truth: ArrayLike | None = None) -> str:
    """Why the model cannot be used on these votes; empty if it can.

    Raters are compared through items that several of them rated (or whose truth is known). In a graph of raters and
    items that falls apart, the error rates of one part say nothing about the other.
    """
    if not table.items.size:
        return "there are no votes"
    sizes = component_sizes(table, truth)
    if len(sizes) > 1:
        shown = ", ".join(str(size) for size in sizes[:5]) + (", ..." if len(sizes) > 5 else "")
        return (
            f"raters and items fall into {len(sizes)} parts without a vote between them ({shown} votes); let raters "
            "of different parts rate the same items, or add gold items to each part"
        )
    if (np.bincount(table.items) < 2).all() and truth is None:
        return "no item has two or more votes"
    return ""


def dawid_skene(
    table: VoteTable,
    truth: ArrayLike | None = None,
    *,
    min_votes: int = MIN_VOTES_FOR_CONFUSION,
    prior_votes: tuple[float, float] = (PRIOR_RIGHT, PRIOR_WRONG),
    class_prior: ClassPrior = "flat",
    flip: Sequence[int] | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
) -> Consensus:
    """The most probable class of each item under a confusion matrix per rater.

    A class that nobody ever named is no class of any item: with a matrix of its own it would only soak up the items
    that raters disagree about.

    Args:
        table: the votes. Several votes of one rater on one item count as so many.
        truth: gold answers and rulings, taken as observed; `UNKNOWN` elsewhere.
        min_votes: raters with fewer votes, and all raters if there are fewer than 3 classes, get one accuracy.
        prior_votes: verdicts, right and wrong, that each rater is taken to have given already.
        class_prior: see `consensus`.
        flip: the class each class becomes when sides change names; matrices are then the same under both namings.
        max_iterations: EM stops there if it has not converged.
        tolerance: EM stops when no posterior changes by more.

    Returns:
        labels, posterior, `log_likelihood` of the votes, and `rater_accuracy`: the mean of the diagonal of each matrix
        over the classes as they occur.

    Raises:
        ValueError: with the reason of `why_not_dawid_skene`.
    """
    reason = why_not_dawid_skene(table, truth)
    if reason:
        raise ValueError(f"Dawid-Skene cannot be used here: {reason}")
    known = known_truth(table, truth)
    fixed = known != UNKNOWN
    full = (table.votes_per_rater() >= min_votes) & (table.n_classes >= 3)
    absent = _absent_classes(table, known, flip)
    posterior = start_posterior(table, known)
    change, step, likelihood = np.inf, 0, 0.0
    confusion = np.zeros((table.n_raters, table.n_classes, table.n_classes))
    while step < max_iterations and change > tolerance:
        confusion = _confusions(table, posterior, full, prior_votes, flip)
        scores = _log_scores(table, confusion) + np.log(class_shares(posterior, class_prior, flip))
        scores[:, absent] = -np.inf
        likelihood = _log_likelihood(scores, known)
        updated = normalised(scores)
        updated[fixed] = one_hot(known[fixed], table.n_classes)
        change = float(np.abs(updated - posterior).max(initial=0.0))
        posterior, step = updated, step + 1
    labels = np.where(silent_items(table, known), UNKNOWN, leading_class(posterior))
    accuracy = np.einsum("rkk,k->r", confusion, posterior.mean(axis=0))
    return Consensus("dawid_skene", labels, posterior, accuracy, likelihood, step, change <= tolerance)


def _absent_classes(table: VoteTable, known: Ints, flip: Sequence[int] | None) -> NDArray[np.bool_]:
    """Classes, under either naming, without a vote and without a truth; none if there are neither votes nor truth."""
    named = np.zeros(table.n_classes, dtype=bool)
    named[table.labels] = True
    named[known[known != UNKNOWN]] = True
    if flip is not None:
        named |= named[list(flip)]
    return ~named if named.any() else named


def confusion_matrices(table: VoteTable, posterior: Floats, prior_votes: tuple[float, float] = (0, 0)) -> Floats:
    """P(rater says l | class is z), shape (raters, z, l), by maximum likelihood unless `prior_votes` says otherwise."""
    full = np.ones(table.n_raters, dtype=bool)
    return _confusions(table, posterior, full, prior_votes, None)


def _confusions(
    table: VoteTable,
    posterior: Floats,
    full: NDArray[np.bool_],
    prior_votes: tuple[float, float],
    flip: Sequence[int] | None,
) -> Floats:
    classes = table.n_classes
    cells = table.raters * classes + table.labels
    rows = [sum_by(cells, posterior[table.items, z] * table.weights, table.n_raters * classes) for z in range(classes)]
    counts = np.stack([row.reshape(table.n_raters, classes) for row in rows], axis=1)
    same = np.eye(classes, dtype=bool)
    prior = np.where(same, prior_votes[0], prior_votes[1] / max(classes - 1, 1)) / classes
    counts = counts + prior
    if flip is not None:
        counts = (counts + counts[:, list(flip), :][:, :, list(flip)]) / 2
    totals = counts.sum(axis=2, keepdims=True)
    matrices: Floats = np.where(totals > 0, counts / np.where(totals > 0, totals, 1.0), 1.0 / classes)
    right = np.einsum("rkk->r", counts) / np.maximum(counts.sum(axis=(1, 2)), _TINY)
    coin = np.where(same, right[:, None, None], ((1 - right) / max(classes - 1, 1))[:, None, None])
    return np.where(full[:, None, None], matrices, coin)


def _log_scores(table: VoteTable, confusion: Floats) -> Floats:
    logs = np.log(np.maximum(confusion, _TINY))
    columns = [
        sum_by(table.items, logs[table.raters, z, table.labels] * table.weights, table.n_items)
        for z in range(table.n_classes)
    ]
    return np.stack(columns, axis=1)


def _log_likelihood(scores: Floats, known: Ints) -> float:
    """Of all votes: unknown classes summed over, known ones given."""
    top = scores.max(axis=1)
    summed = top + np.log(np.exp(scores - top[:, None]).sum(axis=1))
    given = scores[np.arange(len(scores)), np.maximum(known, 0)]
    return float(np.where(known == UNKNOWN, summed, given).sum())
