"""How much each annotator's vote counts, from hidden gold items whose answer is known."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.consensus import ACCURACY_PRIOR
from pairsmith.measures.intervals import share_figure
from pairsmith.measures.latent_class import known_truth
from pairsmith.measures.vote_table import UNKNOWN, Floats, Ints, VoteTable

__all__ = ["MIN_GOLD", "GoldWeights", "gold_figures", "gold_weights"]

MIN_GOLD = 20
"""Nobody is judged on fewer gold items: 14 right of 20 still leaves .48 to .85."""

_Z95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class GoldWeights:
    """Per rater, all of shape (raters,).

    `seen` and `right`: votes on gold items. `accuracy`: posterior mean under the prior of the one-coin model.
    `low` and `high`: 95 % Wilson bounds of the raw share, 0 and 1 without gold. `weight`: log-odds of the accuracy
    against chance, at least 0, so the vote of somebody no better than chance does not count and is never turned round.
    `below`: True where there is gold enough and `high` lies below the demanded accuracy.
    """

    seen: Ints
    right: Ints
    accuracy: Floats
    low: Floats
    high: Floats
    weight: Floats
    below: NDArray[np.bool_]


def gold_weights(
    table: VoteTable,
    truth: ArrayLike,
    *,
    min_accuracy: float = 0.6,
    min_gold: int = MIN_GOLD,
    prior: tuple[float, float] = ACCURACY_PRIOR,
) -> GoldWeights:
    """Accuracy and weight of each rater from the items whose `truth` is known.

    Use the weights as `weights=found.weight[raters]` of a new `vote_table`.

    Args:
        table: all votes.
        truth: class of each gold item, `UNKNOWN` elsewhere, shape (items,).
        min_accuracy: whose interval lies below it is marked.
        min_gold: gold votes needed before anybody is marked.
        prior: Beta prior on accuracies; raters without gold have its mean.
    """
    known = known_truth(table, truth)[table.items]
    seen = np.bincount(table.raters[known != UNKNOWN], minlength=table.n_raters)
    right = np.bincount(table.raters[(known != UNKNOWN) & (known == table.labels)], minlength=table.n_raters)
    accuracy = (right + prior[0]) / (seen + sum(prior))
    low, high = _wilson(right.astype(np.float64), seen.astype(np.float64))
    others = max(table.n_classes - 1, 1)
    weight = np.maximum(np.log(accuracy) - np.log1p(-accuracy) + np.log(others), 0.0)
    below = (seen >= min_gold) & (high < min_accuracy)
    return GoldWeights(seen.astype(np.int64), right.astype(np.int64), accuracy, low, high, weight, below)


def gold_figures(found: GoldWeights) -> list[dict[str, Any]]:
    """One figure per rater, in their order: raw share of gold items right, with `accuracy`, `weight`, `below`."""
    return [
        share_figure(int(right), int(seen), "saw no gold item")
        | {"accuracy": float(accuracy), "weight": float(weight), "below": bool(below)}
        for seen, right, accuracy, weight, below in zip(
            found.seen, found.right, found.accuracy, found.weight, found.below, strict=True
        )
    ]


def _wilson(right: Floats, seen: Floats) -> tuple[Floats, Floats]:
    """Wilson bounds of many shares at once; 0 and 1 where nothing was seen."""
    n = np.where(seen > 0, seen, 1.0)
    share, z2 = right / n, _Z95**2
    centre = share + z2 / (2 * n)
    spread = _Z95 * np.sqrt(share * (1 - share) / n + z2 / (4 * n * n))
    low, high = (centre - spread) / (1 + z2 / n), (centre + spread) / (1 + z2 / n)
    return np.where(seen > 0, np.clip(low, 0, 1), 0.0), np.where(seen > 0, np.clip(high, 0, 1), 1.0)
