"""From feature differences to probabilities that can be believed: Bradley-Terry regression, temperature, error."""

from collections.abc import Iterator, Sequence
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = [
    "Matrix",
    "Vector",
    "expected_calibration_error",
    "fit_pairwise_logistic",
    "fit_temperature",
    "grouped_folds",
    "log_loss",
    "sigmoid",
]

Vector: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float64]

MAX_STEPS: Final = 100
TOLERANCE: Final = 1e-10
TEMPERATURE_RANGE: Final = (1e-3, 1e3)
_TINY_RIDGE: Final = 1e-9  # keeps the Newton system solvable when features are collinear and l2 is 0
_ROUNDING: Final = 1e-12  # near the optimum the sum itself is no more exact, and a right step must not look wrong
_GOLDEN: Final = (5**0.5 - 1) / 2


def sigmoid(logits: npt.ArrayLike) -> Vector:
    """1 / (1 + exp(-x)), without overflow for any finite x.

    >>> float(sigmoid(0.0))
    0.5
    """
    x = np.asarray(logits, dtype=np.float64)
    positive = 1.0 / (1.0 + np.exp(-np.abs(x)))
    return np.where(x >= 0, positive, 1.0 - positive)


def fit_pairwise_logistic(
    differences: npt.ArrayLike, first_wins: npt.ArrayLike, *, l2: float = 1.0, weights: npt.ArrayLike | None = None
) -> Vector:
    """Weights w of P(first beats second) = sigmoid((x_first - x_second) @ w), by Newton's method.

    There is no intercept: exchanging the sides exactly reverses the verdict, so no side can be favoured. With one
    column of ones per item (+1 first, -1 second) this is the Bradley-Terry model (Bradley and Terry, 1952).

    Args:
        differences: x_first - x_second, shape (n, d).
        first_wins: 1 where the first won, 0 where the second did, shape (n,).
        l2: strength of the penalty l2/2 * |w|^2; 0 is maximum likelihood, which separable data drive to infinity.
        weights: how often each row counts, shape (n,); by default once.

    Returns:
        float64, shape (d,).

    Raises:
        ValueError: if the shapes do not fit, a value is not finite, or the fit does not converge (use l2 > 0).
    """
    x, y = np.asarray(differences, dtype=np.float64), np.asarray(first_wins, dtype=np.float64)
    counts = np.ones(len(y)) if weights is None else np.asarray(weights, dtype=np.float64)
    if x.ndim != 2 or y.shape != (len(x),) or counts.shape != y.shape or not len(x):
        raise ValueError(f"expected (n, d) differences and n outcomes, got {x.shape}, {y.shape} and {counts.shape}")
    if not (np.isfinite(x).all() and np.isfinite(y).all() and np.isfinite(counts).all()):
        raise ValueError("differences, outcomes and weights must be finite")
    w = np.zeros(x.shape[1])
    loss = _penalised_loss(x, y, counts, w, l2)
    for _ in range(MAX_STEPS):
        p = sigmoid(x @ w)
        gradient = x.T @ (counts * (p - y)) + l2 * w
        curvature = (x.T * (counts * p * (1 - p))) @ x + (l2 + _TINY_RIDGE) * np.eye(len(w))
        step = np.linalg.solve(curvature, gradient).astype(np.float64)
        if np.abs(step).max() < TOLERANCE:
            return w
        w, loss = _descend(x, y, counts, w, step, l2, loss)
    raise ValueError(f"no convergence after {MAX_STEPS} steps; separable data need l2 > 0 (given: {l2})")


def _penalised_loss(x: Matrix, y: Vector, counts: Vector, w: Vector, l2: float) -> float:
    logits = x @ w
    return float(np.sum(counts * (np.logaddexp(0.0, logits) - y * logits)) + l2 / 2 * (w @ w))


def _descend(
    x: Matrix, y: Vector, counts: Vector, w: Vector, step: Vector, l2: float, loss: float
) -> tuple[Vector, float]:
    """The Newton step, halved until the loss does not rise (a full step can overshoot far from the optimum)."""
    size = 1.0
    while True:
        moved = w - size * step
        lower = _penalised_loss(x, y, counts, moved, l2)
        if lower <= loss + _ROUNDING * abs(loss) or size < 1e-6:
            return moved, lower
        size /= 2


def log_loss(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """Mean negative log-likelihood, in nats, of outcomes in {0, 1}; a certain and wrong probability costs 34.5."""
    p = np.clip(np.asarray(probabilities, dtype=np.float64), 1e-15, 1 - 1e-15)
    y = np.asarray(outcomes, dtype=np.float64)
    return float(-np.mean(y * np.log(p) + (1 - y) * np.log1p(-p)))


def fit_temperature(logits: npt.ArrayLike, outcomes: npt.ArrayLike) -> float:
    """The T in [0.001, 1000] for which sigmoid(logits / T) has the least log-loss (Guo et al., 2017).

    Golden-section search over log T: the loss is convex in 1/T, hence has one valley in log T.

    Raises:
        ValueError: if there are no logits or the shapes differ.
    """
    x, y = np.asarray(logits, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if x.ndim != 1 or x.shape != y.shape or not len(x):
        raise ValueError(f"expected n logits and n outcomes, got {x.shape} and {y.shape}")

    def loss(log_temperature: float) -> float:
        scaled = x / np.exp(log_temperature)
        return float(np.mean(np.logaddexp(0.0, scaled) - y * scaled))

    low, high = np.log(TEMPERATURE_RANGE[0]), np.log(TEMPERATURE_RANGE[1])
    while high - low > 1e-9:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        low, high = (low, right) if loss(left) <= loss(right) else (left, high)
    return float(np.exp((low + high) / 2))


def expected_calibration_error(probabilities: npt.ArrayLike, outcomes: npt.ArrayLike, *, bins: int = 10) -> float:
    """Mean distance in [0, 1] between claimed confidence and accuracy over equally wide bins (Naeini et al., 2015).

    The confidence of a verdict is the probability of the side it names, so the bins cover [0.5, 1] and exchanging
    the sides changes nothing. A probability of exactly one half counts as half right, as does a tie (outcome 0.5).

    Raises:
        ValueError: if there are no probabilities or the shapes differ.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(outcomes, dtype=np.float64)
    if p.ndim != 1 or p.shape != y.shape or not len(p):
        raise ValueError(f"expected n probabilities and n outcomes, got {p.shape} and {y.shape}")
    confidence = np.maximum(p, 1 - p)
    right = np.where(p == 0.5, 0.5, np.where(p > 0.5, y, 1 - y))
    place = np.minimum(((confidence - 0.5) * 2 * bins).astype(np.int64), bins - 1)
    claimed = np.bincount(place, weights=confidence, minlength=bins)
    seen = np.bincount(place, weights=right, minlength=bins)
    return float(np.abs(claimed - seen).sum() / len(p))


def grouped_folds(groups: Sequence[str], folds: int, *, seed: int = 0) -> Iterator[tuple[list[int], list[int]]]:
    """Indices of the training and the held-out part, `folds` times; a group is never on both sides.

    Groups are dealt largest first to the smallest fold, in an order that `seed` shuffles among equals.

    Raises:
        ValueError: if there are fewer groups than folds.
    """
    members: dict[str, list[int]] = {}
    for index, group in enumerate(groups):
        members.setdefault(group, []).append(index)
    if not 2 <= folds <= len(members):
        raise ValueError(f"{len(members)} groups cannot make {folds} folds; at least 2 folds, one group each")
    names = sorted(members)
    luck = np.random.default_rng(seed).permutation(len(names))
    dealt = sorted(range(len(names)), key=lambda place: (-len(members[names[place]]), luck[place]))
    held: list[list[int]] = [[] for _ in range(folds)]
    for place in dealt:
        min(held, key=len).extend(members[names[place]])
    for part in held:
        outside = set(part)
        yield [index for index in range(len(groups)) if index not in outside], sorted(part)
