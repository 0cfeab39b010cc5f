"""Votes with a known truth, and slow plain implementations to compare with."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Planted:
    """A simulated crowd: `truth` per item, `accuracy` per rater, and the columns of votes."""

    truth: NDArray[np.int64]
    accuracy: NDArray[np.float64]
    items: NDArray[np.int64]
    raters: NDArray[np.int64]
    labels: NDArray[np.int64]


def crowd(
    items: int, raters: int, votes: int, *, classes: int = 3, seed: int = 0, prior: tuple[float, float] = (8, 4)
) -> Planted:
    """Each item gets `votes` different raters whose errors are uniform."""
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, classes, items)
    accuracy = rng.beta(prior[0], prior[1], raters)
    who = np.argsort(rng.random((items, raters)), axis=1)[:, :votes].ravel()
    item = np.repeat(np.arange(items), votes)
    right = rng.random(item.size) < accuracy[who]
    wrong = (truth[item] + rng.integers(1, classes, item.size)) % classes
    return Planted(truth, accuracy, item, who, np.where(right, truth[item], wrong))


def slow_one_coin(planted: Planted, classes: int, prior: tuple[float, float], rounds: int) -> NDArray[np.float64]:
    """The one-coin model by loops over votes, straight from its definition, with flat classes."""
    size = len(planted.truth)
    votes = list(zip(planted.items, planted.raters, planted.labels, strict=True))
    posterior = np.zeros((size, classes))
    for item, _, label in votes:
        posterior[item, label] += 1
    posterior /= posterior.sum(axis=1, keepdims=True)
    for _ in range(rounds):
        right, seen = np.zeros(len(planted.accuracy)), np.zeros(len(planted.accuracy))
        for item, rater, label in votes:
            right[rater] += posterior[item, label]
            seen[rater] += 1
        accuracy = (right + prior[0] - 1) / (seen + prior[0] + prior[1] - 2)
        logs = np.zeros((size, classes))
        for item, rater, label in votes:
            for true in range(classes):
                chance = accuracy[rater] if label == true else (1 - accuracy[rater]) / (classes - 1)
                logs[item, true] += np.log(chance)
        posterior = np.exp(logs - logs.max(axis=1, keepdims=True))
        posterior /= posterior.sum(axis=1, keepdims=True)
    return posterior
