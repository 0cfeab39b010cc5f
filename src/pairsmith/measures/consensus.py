"""From many votes on an item to one label: majority with rulings, and the one-coin model of rater accuracy.

**One coin** (Dawid and Skene 1979, with one accuracy per rater): rater r names the true class with probability q_r and
each other class with (1 - q_r) / (K - 1). Labels and accuracies are estimated together by EM, with a Beta(8, 4) prior
on q that keeps raters with few votes near 0.7: without it the model loses to majority on small crowds.

**The classes are flat** by default: none is taken to be commoner before the votes are seen. Estimating their shares
starves the rarest one, because its few votes look like errors: on UKPConvArg1 the agreement with the gold labels falls
from .90 to .81, nearly all of it at ties.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.latent_class import (
    ClassPrior,
    class_shares,
    known_truth,
    normalised,
    one_hot,
    silent_items,
    start_posterior,
)
from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints, VoteTable, leading_class

__all__ = [
    "ACCURACY_PRIOR",
    "Consensus",
    "Method",
    "break_even_splits",
    "choose_method",
    "compare_labels",
    "majority",
    "one_coin_map",
    "typical_votes_per_rater",
]

Method: TypeAlias = Literal["majority", "one_coin_map", "dawid_skene"]

ACCURACY_PRIOR = (8.0, 4.0)
"""Beta prior on a rater's accuracy: as if each had been seen right 7 times and wrong 3 times."""

MIN_VOTES_PER_RATER = 20
"""Below this the accuracy of a rater is mostly prior; see `choose_method`."""

_CERTAIN = 1e-6  # accuracies stay this far from 0 and 1, so that no single vote is a proof


@dataclass(frozen=True, slots=True)
class Consensus:
    """What a method made of a table of votes.

    `labels` has shape (items,), `UNKNOWN` where nothing decides. `posterior` has shape (items, classes), `None` for
    methods that make no claim of certainty. `rater_accuracy` has shape (raters,), `None` likewise.
    """

    method: Method
    labels: Ints
    posterior: Floats | None = None
    rater_accuracy: Floats | None = None
    log_likelihood: float | None = None
    iterations: int = 0
    converged: bool = True


def majority(table: VoteTable, truth: ArrayLike | None = None) -> Consensus:
    """The class with most (weighted) votes; even splits stay `UNKNOWN` unless `truth` settles them.

    Args:
        table: the votes.
        truth: class of each item that a ruling or a gold answer settled, `UNKNOWN` elsewhere, shape (items,).
    """
    known = known_truth(table, truth)
    totals = table.totals()
    labels = np.where(totals.sum(axis=1) > 0, leading_class(totals), UNKNOWN)
    return Consensus("majority", np.where(known != UNKNOWN, known, labels))


def one_coin_map(
    table: VoteTable,
    truth: ArrayLike | None = None,
    *,
    prior: tuple[float, float] = ACCURACY_PRIOR,
    class_prior: ClassPrior = "flat",
    flip: Sequence[int] | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-5,
) -> Consensus:
    """The most probable class of each item under the one-coin model; cost per iteration linear in the votes.

    Args:
        table: the votes; weights scale how much evidence a vote is.
        truth: gold answers and rulings, taken as observed; `UNKNOWN` elsewhere.
        prior: parameters of the Beta prior on accuracies, each at least 1; (1, 1) is maximum likelihood.
        class_prior: see the module.
        flip: the class each class becomes when sides change names; only matters for an estimated class prior.
        max_iterations: EM stops there if it has not converged.
        tolerance: EM stops when no posterior changes by more.

    Returns:
        labels, posterior and `rater_accuracy`. Items with neither vote nor truth are `UNKNOWN`, as are those where two
        classes are equally probable.

    Raises:
        ValueError: for a prior below 1 or truth of the wrong shape.
    """
    if min(prior) < 1:
        raise ValueError(f"the parameters of the Beta prior must be at least 1, not {prior}")
    known = known_truth(table, truth)
    fixed = known != UNKNOWN
    posterior = start_posterior(table, known)
    votes, others = table.sum_by_rater(table.weights), max(table.n_classes - 1, 1)
    accuracy = np.zeros(table.n_raters)
    change, step = np.inf, 0
    while step < max_iterations and change > tolerance:
        right = table.sum_by_rater(posterior[table.items, table.labels] * table.weights)
        accuracy = _mode(right, votes, prior)
        evidence = np.log(accuracy) - np.log1p(-accuracy) + np.log(others)
        scores = table.sum_by_class(evidence[table.raters] * table.weights)
        scores += np.log(class_shares(posterior, class_prior, flip))
        updated = normalised(scores)
        updated[fixed] = one_hot(known[fixed], table.n_classes)
        change = float(np.abs(updated - posterior).max(initial=0.0))
        posterior, step = updated, step + 1
    labels = np.where(silent_items(table, known), UNKNOWN, leading_class(posterior))
    return Consensus("one_coin_map", labels, posterior, accuracy, None, step, change <= tolerance)


def _mode(right: Floats, votes: Floats, prior: tuple[float, float]) -> Floats:
    """Most probable accuracies; one half for raters without votes under a flat prior."""
    seen = votes + sum(prior) - 2
    accuracy: Floats = np.where(seen > 0, (right + prior[0] - 1) / np.where(seen > 0, seen, 1.0), 0.5)
    return np.clip(accuracy, _CERTAIN, 1 - _CERTAIN)


def typical_votes_per_rater(table: VoteTable) -> float:
    """How many votes the rater behind a typical vote cast: the median over votes, not over raters.

    Crowds have a long tail: on UKPConvArg1 the median rater cast 3 votes, but half of all votes come from raters with
    106 or more, and those are what the labels rest on. Where all cast equally many it is votes per rater.
    """
    votes = table.votes_per_rater()
    return float(np.median(votes[table.raters])) if table.raters.size else 0.0


def choose_method(table: VoteTable, *, minimum: float = MIN_VOTES_PER_RATER) -> tuple[Method, str]:
    """Majority below `minimum` votes per rater, else the one-coin model; and why, in words.

    With few votes per rater the model gains little (.01 to .02 in simulations with 7 of them, up to .06 with 250) and
    rests on its prior, while a count can be explained to everybody.
    """
    typical = typical_votes_per_rater(table)
    if typical < minimum:
        return "majority", f"typically {typical:g} votes per rater; a model of raters needs {minimum:g}"
    return "one_coin_map", f"typically {typical:g} votes per rater, at least {minimum:g}"


def compare_labels(plain: Consensus, modelled: Consensus) -> dict[str, Any]:
    """What a model changed against plain counting: `items`, `same`, `changed`, `newly_decided`, `newly_undecided`."""
    before, after = plain.labels, modelled.labels
    decided = (before != UNKNOWN, after != UNKNOWN)
    return {
        "methods": [plain.method, modelled.method],
        "items": int(before.size),
        "same": int((before == after).sum()),
        "changed": int((decided[0] & decided[1] & (before != after)).sum()),
        "newly_decided": int((~decided[0] & decided[1]).sum()),
        "newly_undecided": int((decided[0] & ~decided[1]).sum()),
    }


def break_even_splits(plain: Consensus, modelled: Consensus) -> Consensus:
    """The labels of `plain`, and those of `modelled` where counting votes left an even split."""
    return replace(modelled, labels=np.where(plain.labels != UNKNOWN, plain.labels, modelled.labels))
