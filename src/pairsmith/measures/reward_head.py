"""A reward head: Bradley-Terry models with ties over several blocks of features, fused late.

Each block (the surface of a text, its embedding, hidden states) gets a model of its own; their log-odds are then
combined by weights learned on held-out log-odds. One model over all columns at once does worse: hundreds of
embedding columns drown two dozen good ones. Nothing is chosen by hand: the penalty of each block, the weights and the
temperature come from cross-validation inside the data given, with whole groups held out.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pairsmith.measures.calibration import fit_temperature, grouped_folds
from pairsmith.measures.davidson import Davidson, fit_davidson

__all__ = ["INNER_FOLDS", "BlockHead", "Head", "PairTable", "decided", "fit_head"]

Vector: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float64]

INNER_FOLDS: Final = 5
PENALTIES: Final = (4.0, 16.0, 64.0, 256.0, 1024.0, 4096.0)
"""The penalties tried for each block, on standardised features."""
MAX_COMPONENTS: Final = 256
"""A wider block is first projected on the directions in which the two sides of a pair differ most."""
FUSION_PENALTY: Final = 1.0
MIN_WEIGHT: Final = 1e-3
_FLAT: Final = 1e-9


@dataclass(frozen=True, slots=True)
class PairTable:
    """Pairs of responses with their votes.

    Attributes:
        first, second: features of both sides by block, each (n, d of the block).
        votes: votes for the first, for the second and for a tie, (n, 3); every row should sum to the same.
        groups: what is held out together, one name per pair (its prompt).
        longer: +1 where the first is the longer text, -1 the second, 0 neither, (n,).
    """

    first: Mapping[str, Matrix]
    second: Mapping[str, Matrix]
    votes: Matrix
    groups: tuple[str, ...]
    longer: Vector

    def __len__(self) -> int:
        return len(self.groups)

    def rows(self, index: Sequence[int]) -> "PairTable":
        """Some of the pairs."""
        some = np.asarray(index, dtype=np.int64)
        return PairTable(
            {name: block[some] for name, block in self.first.items()},
            {name: block[some] for name, block in self.second.items()},
            self.votes[some],
            tuple(self.groups[row] for row in some),
            self.longer[some],
        )

    def only(self, blocks: Sequence[str]) -> "PairTable":
        """The same pairs with some of the blocks."""
        return replace(
            self,
            first={name: self.first[name] for name in blocks},
            second={name: self.second[name] for name in blocks},
        )

    @property
    def outcomes(self) -> Vector:
        """1 where more votes name the first than the second, 0 the second, 0.5 neither; shape (n,)."""
        return 0.5 + 0.5 * np.sign(self.votes[:, 0] - self.votes[:, 1])

    @property
    def decided(self) -> npt.NDArray[np.bool_]:
        """Whether one side has more votes than the other and more than ties have; shape (n,)."""
        return decided(self.votes)


@dataclass(frozen=True, slots=True)
class BlockHead:
    """One block's model: log-odds of a response are ((x - mean) / scale) @ weights; `l2` is the penalty chosen."""

    mean: Vector
    scale: Vector
    weights: Vector
    l2: float

    def score(self, features: npt.ArrayLike) -> Vector:
        """The log-odds of each response against the average one, shape (n,)."""
        score: Vector = ((np.asarray(features, dtype=np.float64) - self.mean) / self.scale) @ self.weights
        return score


@dataclass(frozen=True, slots=True)
class Head:
    """The model: blocks, their weights in the sum, the temperature that divides it, and Davidson's tie parameter."""

    blocks: Mapping[str, BlockHead]
    fusion: Mapping[str, float]
    temperature: float
    tie: float | None

    def score(self, features: Mapping[str, npt.ArrayLike]) -> Vector:
        """The reward of each response; the difference of two is the log-odds that the first is better. Shape (n,)."""
        parts = [self.fusion[name] * block.score(features[name]) for name, block in self.blocks.items()]
        score: Vector = np.sum(parts, axis=0) / self.temperature
        return score

    def log_odds(self, table: PairTable) -> Vector:
        """The log-odds that the first of each pair is better, shape (n,)."""
        return self.score(table.first) - self.score(table.second)


def decided(votes: Matrix) -> npt.NDArray[np.bool_]:
    """Where one side has more votes than the other, and more than ties have; votes (n, 3), shape (n,)."""
    most: Vector = votes[:, :2].max(axis=1, initial=0.0)
    clear: npt.NDArray[np.bool_] = (votes[:, 0] != votes[:, 1]) & (most > votes[:, 2])
    return clear


def fit_head(table: PairTable, *, seed: int = 0) -> Head:
    """The head of these pairs.

    Raises:
        ValueError: if there are fewer than two groups, or no pair has more votes for one side.
    """
    folds = list(grouped_folds(table.groups, min(INNER_FOLDS, len(set(table.groups))), seed=seed))
    blocks, held_out = {}, {}
    for name in table.first:
        blocks[name], held_out[name] = _fit_block(table.first[name], table.second[name], table.votes, folds)
    names, columns = list(held_out), np.stack(list(held_out.values()), axis=1)
    fused = _fuse(columns, table.votes)
    log_odds = columns @ fused.weights
    temperature = _temperature(log_odds, table)
    fusion = dict(zip(names, fused.weights.tolist(), strict=True))
    return Head(blocks, fusion, temperature, fused.tie)


def _fit_block(
    first: Matrix, second: Matrix, votes: Matrix, folds: Sequence[tuple[list[int], list[int]]]
) -> tuple[BlockHead, Vector]:
    """The block's model, and the log-odds that models without a pair's group give the pair, shape (n,)."""
    held_out = np.zeros((len(PENALTIES), len(votes)))
    for train, held in folds:
        scale = _scale(first[train], second[train])
        x, rotation = _projected((first[train] - second[train]) / scale)
        outside = (first[held] - second[held]) / scale
        start = None
        for row, l2 in reversed(list(enumerate(PENALTIES))):  # the strongest first: it is near the starting point
            start = fit_davidson(x, votes[train], l2=l2, start=start)
            held_out[row, held] = outside @ (rotation @ start.weights)
    losses = [_log_loss(row, votes) for row in held_out]
    best = int(np.argmin(losses))
    scale = _scale(first, second)
    x, rotation = _projected((first - second) / scale)
    weights = rotation @ fit_davidson(x, votes, l2=PENALTIES[best]).weights
    mean = (first.mean(axis=0, dtype=np.float64) + second.mean(axis=0, dtype=np.float64)) / 2
    return BlockHead(mean, scale, weights, PENALTIES[best]), held_out[best]


def _scale(first: Matrix, second: Matrix) -> Vector:
    """Standard deviation of each column over all responses, 1 where a column does not vary."""
    scale: Vector = np.concatenate([first, second]).std(axis=0, dtype=np.float64)
    return np.where(scale < _FLAT, 1.0, scale)


def _projected(differences: Matrix) -> tuple[Matrix, Matrix]:
    """The differences in at most `MAX_COMPONENTS` columns, and the rotation that brings weights back, (d, k)."""
    width = differences.shape[1]
    if width <= MAX_COMPONENTS:
        return differences, np.eye(width)
    if len(differences) >= width:
        _, vectors = np.linalg.eigh(differences.T @ differences)
        rotation = vectors[:, -MAX_COMPONENTS:]
    else:  # the same directions from the smaller of the two products
        squares, places = np.linalg.eigh(differences @ differences.T)
        used = np.flatnonzero(squares > _FLAT * squares[-1])[-MAX_COMPONENTS:]
        rotation = differences.T @ (places[:, used] / np.sqrt(squares[used]))
    return differences @ rotation, rotation


def _log_loss(log_odds: Vector, votes: Matrix) -> float:
    """Negative log-likelihood of the votes that name a side, each block at its own best temperature set aside."""
    total = votes[:, 0] + votes[:, 1]
    return float(np.sum(total * np.logaddexp(0.0, log_odds) - votes[:, 0] * log_odds))


def _fuse(columns: Matrix, votes: Matrix) -> Davidson:
    """Weights at least 0 of the blocks' log-odds: a block that would get a negative one is left out.

    The columns are fitted as shares of their spread, so that the penalty asks the same of every block.
    """
    spread = np.maximum(columns.std(axis=0), _FLAT)
    used = list(range(columns.shape[1]))
    while True:
        fitted = fit_davidson(columns[:, used] / spread[used], votes, l2=FUSION_PENALTY)
        worst = int(np.argmin(fitted.weights))
        if fitted.weights[worst] >= 0 or len(used) == 1:
            break
        used.pop(worst)
    weights = np.zeros(columns.shape[1])
    weights[used] = np.maximum(fitted.weights, MIN_WEIGHT) / spread[used]
    return Davidson(weights, fitted.tie)


def _temperature(log_odds: Vector, table: PairTable) -> float:
    decided = table.decided
    return fit_temperature(log_odds[decided], table.outcomes[decided]) if decided.any() else 1.0
