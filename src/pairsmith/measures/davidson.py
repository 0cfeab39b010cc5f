"""Bradley-Terry regression with ties after Davidson (1970): how much better, and how alike two responses must be.

With d = (x_first - x_second) @ w the model says P(first) : P(second) : P(tie) = exp(d/2) : exp(-d/2) : exp(tie).
Without ties it is Bradley and Terry's (1952): given that somebody wins, P(first) = sigmoid(d) in both. The negative
log-likelihood is convex in (w, tie), so Newton's method finds the optimum.
"""

from dataclasses import dataclass
from typing import Final, TypeAlias

import numpy as np
import numpy.typing as npt

__all__ = ["Davidson", "fit_davidson"]

Vector: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float64]

MAX_STEPS: Final = 100
TOLERANCE: Final = 1e-9
_TINY_RIDGE: Final = 1e-9  # keeps the Newton system solvable when features are collinear and l2 is 0
_ROUNDING: Final = 1e-12  # near the optimum the sum itself is no more exact, and a right step must not look wrong


@dataclass(frozen=True, slots=True)
class Davidson:
    """A fitted model: `weights` of shape (d,), and `tie`, `None` where no tie was seen (ties then have no chance)."""

    weights: Vector
    tie: float | None

    def probabilities(self, differences: npt.ArrayLike) -> Matrix:
        """P(first wins), P(second wins), P(tie) of each row of feature differences (n, d), shape (n, 3)."""
        d = np.asarray(differences, dtype=np.float64) @ self.weights
        return _shares(d, -np.inf if self.tie is None else self.tie)


def fit_davidson(
    differences: npt.ArrayLike, counts: npt.ArrayLike, *, l2: npt.ArrayLike = 1.0, start: Davidson | None = None
) -> Davidson:
    """The model of least penalised negative log-likelihood.

    There is no intercept: exchanging the sides exactly reverses the verdict, so no side can be favoured.

    Args:
        differences: x_first - x_second, shape (n, d).
        counts: votes for the first, for the second, and for a tie, shape (n, 3); fractions are fine.
        l2: strength of the penalty l2/2 * w^2, one number or one of each column (d,). `tie` is not penalised.
        start: where to begin; the optimum does not depend on it.

    Raises:
        ValueError: if shapes do not fit, a value is not finite or a count negative, there is no vote for a side, or
            the fit does not converge (use l2 > 0).
    """
    x, votes = _checked(differences, counts)
    penalty = np.broadcast_to(np.asarray(l2, dtype=np.float64), (x.shape[1],))
    ties = float(votes[:, 2].sum())
    w = np.zeros(x.shape[1]) if start is None else start.weights
    # with equal strengths the share of ties is exp(tie) / (2 + exp(tie)), which makes this the best first guess
    tie = float(np.log(2 * ties / votes[:, :2].sum())) if ties else -np.inf
    loss = _loss(x, votes, penalty, w, tie)
    for _ in range(MAX_STEPS):
        step, tie_step = _newton(x, votes, penalty, w, tie)
        if max(np.abs(step).max(initial=0.0), abs(tie_step)) < TOLERANCE:
            return Davidson(w, tie if ties else None)
        size = 1.0
        while True:
            moved, moved_tie = w - size * step, tie - size * tie_step
            lower = _loss(x, votes, penalty, moved, moved_tie)
            if lower <= loss + _ROUNDING * abs(loss) or size < 1e-6:
                break
            size /= 2  # a full step can overshoot far from the optimum
        w, tie, loss = moved, moved_tie, lower
    raise ValueError(f"no convergence after {MAX_STEPS} steps; separable votes need l2 > 0 (smallest: {penalty.min()})")


def _checked(differences: npt.ArrayLike, counts: npt.ArrayLike) -> tuple[Matrix, Matrix]:
    x, votes = np.asarray(differences, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if x.ndim != 2 or not x.size or votes.shape != (len(x), 3):
        raise ValueError(f"expected (n, d) differences and (n, 3) counts, got {x.shape} and {votes.shape}")
    if not (np.isfinite(x).all() and np.isfinite(votes).all() and (votes >= 0).all()):
        raise ValueError("differences and counts must be finite, counts at least 0")
    if not votes[:, :2].sum() > 0:
        raise ValueError("nothing but ties: there is no vote for a side to learn from")
    return x, votes


def _shares(d: Vector, tie: float) -> Matrix:
    scores = np.stack([d / 2, -d / 2, np.full_like(d, tie)], axis=1)
    scores -= scores.max(axis=1, keepdims=True)
    shares = np.exp(scores)
    normalised: Matrix = shares / shares.sum(axis=1, keepdims=True)
    return normalised


def _loss(x: Matrix, votes: Matrix, penalty: Vector, w: Vector, tie: float) -> float:
    d = x @ w
    total = np.logaddexp(np.logaddexp(d / 2, -d / 2), tie)
    tied = float(votes[:, 2].sum()) * tie if np.isfinite(tie) else 0.0
    fit = float(np.sum(votes.sum(axis=1) * total - (votes[:, 0] - votes[:, 1]) * d / 2)) - tied
    return fit + float(penalty @ (w * w)) / 2


def _newton(x: Matrix, votes: Matrix, penalty: Vector, w: Vector, tie: float) -> tuple[Vector, float]:
    """The step of Newton's method for w and for tie."""
    n = votes.sum(axis=1)
    p = _shares(x @ w, tie)
    lead = p[:, 0] - p[:, 1]
    by_d = n * lead / 2 - (votes[:, 0] - votes[:, 1]) / 2
    curve = n * (p[:, 0] + p[:, 1] - lead**2) / 4
    gradient = x.T @ by_d + penalty * w
    hessian = (x.T * curve) @ x + np.diag(penalty + _TINY_RIDGE)
    if not np.isfinite(tie):
        return np.linalg.solve(hessian, gradient), 0.0
    mixed = x.T @ (-n * p[:, 2] * lead / 2)
    corner = float(np.sum(n * p[:, 2] * (1 - p[:, 2]))) + _TINY_RIDGE
    full = np.block([[hessian, mixed[:, None]], [mixed[None, :], np.array([[corner]])]])
    step = np.linalg.solve(full, np.append(gradient, float(np.sum(n * p[:, 2]) - votes[:, 2].sum())))
    return step[:-1], float(step[-1])
