"""Humans and models combined: model scores calibrated on the pairs people labelled, then both as one probability.

Scores of different models are on different scales (one published reward model spans 3 points, another 39), so a score
says nothing until it is calibrated: fitted to what people said about some of the pairs. `fit_calibration` does that
and says how far its claims can be believed; `combine` applies it to every pair and adds the votes people cast.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.calibration import expected_calibration_error, grouped_folds, log_loss, sigmoid
from pairsmith.measures.intervals import figure
from pairsmith.measures.score_curve import CurveKind, ScoreCurve, curve_probability, curve_side, fit_curve
from pairsmith.measures.vote_table import Floats

__all__ = [
    "MAX_NET_WIN_ERROR",
    "MIN_LABELS",
    "Calibration",
    "Combined",
    "NetWinCheck",
    "calibration_figures",
    "combine",
    "fit_calibration",
    "net_win_check",
]

MIN_LABELS = 50
"""Labelled pairs without which nothing may be called calibrated; 100 and more are advised."""

MAX_NET_WIN_ERROR = 0.15

_FOLDS, _HALVES = 5, 20
_CELLS = 2_000_000
_TINY = 1e-12


class NetWinCheck(NamedTuple):
    """Mean claimed and true net win over random halves, and the mean absolute difference on a single half.

    The means tell a biased curve; they agree by themselves where all pairs are alike, because every half is used on
    both sides. The difference on one half also has the noise of its labels in it: about 0.1 with 100 of them.
    """

    claimed: float
    true: float
    error: float


@dataclass(frozen=True, slots=True)
class Calibration:
    """A fitted curve and what is known about it.

    `n` labelled pairs; `nll` in nats and `ece` in [0, 1] are cross-fitted (each pair judged by a curve that did not
    see its group), `None` with too few. `check`: net win on held-out halves. `fitted_on` is the date the caller gave.
    `replicates` are curves of bootstrap samples of the labelled pairs.
    """

    curve: ScoreCurve
    n: int
    calibrated: bool
    nll: float | None = None
    ece: float | None = None
    check: NetWinCheck | None = None
    fitted_on: str = ""
    reason: str = ""
    warnings: tuple[str, ...] = ()
    replicates: tuple[ScoreCurve, ...] = ()

    def __post_init__(self) -> None:
        """Refuse the word where the data do not carry it.

        Raises:
            ValueError: for `calibrated` with fewer than `MIN_LABELS` pairs.
        """
        if self.calibrated and self.n < MIN_LABELS:
            raise ValueError(f"{self.n} labelled pairs cannot calibrate a score; {MIN_LABELS} are needed")


@dataclass(frozen=True, slots=True)
class Combined:
    """P(a is better) of every pair with a 95 % interval, all of shape (n,), and whether anything is known about it."""

    probability: Floats
    low: Floats
    high: Floats
    evaluated: NDArray[np.bool_]


def fit_calibration(
    scores: ArrayLike,
    outcomes: ArrayLike,
    *,
    seed: int,
    kind: CurveKind = "temperature",
    groups: Sequence[str] | None = None,
    replicates: int = 200,
    fitted_on: str = "",
) -> Calibration:
    """Calibrate the scores of one or several models on pairs that people labelled.

    Args:
        scores: evidence toward `a`, shape (n,) or (n, models): a difference of rewards, or votes for `a` less votes
            for `b`. NaN where a model said nothing.
        outcomes: 1 where people preferred `a`, 0 for `b`, 0.5 for a tie, shape (n,).
        seed: seed of folds, halves and bootstrap.
        kind: "temperature" for a logistic curve; "isotonic" for any rising one, with a few hundred labels or more.
        groups: prompt of each pair; pairs of one prompt stay together. By default each pair is a group.
        replicates: bootstrap curves for the intervals of `combine`.
        fitted_on: date to store; this function does not know it.

    Returns:
        A calibration with `calibrated` False and a reason with fewer than `MIN_LABELS` pairs. `warnings` has a
        sentence if on a held-out half the claimed net win misses the true one by more than 0.15 on average.

    Raises:
        ValueError: without pairs, or for shapes or outcomes that do not fit.
    """
    x, y = _checked(scores, outcomes)
    names = [str(index) for index in range(len(y))] if groups is None else [str(group) for group in groups]
    curve = fit_curve(x, y, kind)
    if len(y) < MIN_LABELS:
        reason = f"{len(y)} labelled pairs; {MIN_LABELS} are needed"
        return Calibration(curve, len(y), calibrated=False, fitted_on=fitted_on, reason=reason)
    cross = _cross_fitted(x, y, names, kind, seed)
    check = net_win_check(x, y, kind=kind, groups=names, seed=seed)
    warnings = []
    if check.error > MAX_NET_WIN_ERROR:
        warnings.append(
            f"on a held-out half the claimed net win misses the true one by {check.error:.2f} on average; "
            "label more pairs before relying on it"
        )
    return Calibration(
        curve,
        len(y),
        calibrated=True,
        nll=None if cross is None else log_loss(cross, y),
        ece=None if cross is None else expected_calibration_error(cross, y),
        check=check,
        fitted_on=fitted_on,
        warnings=tuple(warnings),
        replicates=_bootstrap_curves(x, y, names, kind, seed, replicates),
    )


def net_win_check(
    scores: ArrayLike,
    outcomes: ArrayLike,
    *,
    seed: int,
    kind: CurveKind = "temperature",
    groups: Sequence[str] | None = None,
    halves: int = _HALVES,
) -> NetWinCheck:
    """Claimed and true net win of the model on halves the curve did not see.

    The net win is the share of pairs where people agree with the model less the share where they do not.
    """
    x, y = _checked(scores, outcomes)
    names = [str(index) for index in range(len(y))] if groups is None else [str(group) for group in groups]
    claimed, true = [], []
    for split in range((halves + 1) // 2):
        for seen, held in grouped_folds(names, 2, seed=seed + split):
            curve = fit_curve(x[seen], y[seen], kind)
            claimed.append(float(np.abs(2 * curve_probability(curve, x[held]) - 1).mean()))
            true.append(float((curve_side(curve, x[held]) * (2 * y[held] - 1)).mean()))
    error = float(np.abs(np.subtract(claimed, true)).mean())
    return NetWinCheck(float(np.mean(claimed)), float(np.mean(true)), error)


def combine(
    calibration: Calibration, scores: ArrayLike, human_log_odds: ArrayLike | None = None, *, level: float = 0.95
) -> Combined:
    """P(a is better) of every pair from the models and, where people voted, from their votes too.

    Votes and scores count as independent given the truth, so their log-odds add up. The interval covers the
    uncertainty of the calibration; the votes' part is taken as it is given.

    Args:
        calibration: a fitted calibration.
        scores: as in `fit_calibration`, for all pairs.
        human_log_odds: log P(a) / P(b) of people's votes alone (posterior of a model of raters under a flat prior),
            0 where nobody voted, shape (n,).
        level: of the interval.

    Returns:
        Pairs without any evidence have probability 0.5, interval 0 to 1, and `evaluated` False. The interval is 0 to 1
        everywhere if the calibration has no bootstrap curves (too few labels).
    """
    x = _matrix(scores)
    votes = np.zeros(len(x)) if human_log_odds is None else np.asarray(human_log_odds, dtype=np.float64)
    if votes.shape != (len(x),):
        raise ValueError(f"expected one log-odds per pair ({len(x)}), got shape {votes.shape}")
    probability = _with_votes(curve_probability(calibration.curve, x), votes)
    low, high = probability.copy(), probability.copy()
    curves = calibration.replicates
    rows = max(1, _CELLS // max(len(curves), 1))
    for start in range(0, len(x) if curves else 0, rows):
        part = slice(start, start + rows)
        draws = np.stack([_with_votes(curve_probability(curve, x[part]), votes[part]) for curve in curves])
        low[part], high[part] = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    known = np.isfinite(x).any(axis=1) | (votes != 0)
    bounded = known & bool(curves)
    return Combined(
        np.where(known, probability, 0.5),
        np.where(bounded, np.minimum(low, probability), 0.0),
        np.where(bounded, np.maximum(high, probability), 1.0),
        known,
    )


def calibration_figures(calibration: Calibration) -> dict[str, Any]:
    """What to store and report about a calibration, as plain values."""
    curve = calibration.curve
    check = calibration.check
    halves = {} if check is None else {"claimed": check.claimed, "true": check.true}
    return {
        "kind": curve.kind,
        "temperatures": [value if np.isfinite(value) else None for value in curve.temperatures],
        "weights": list(curve.weights),
        "level": curve.level,
        "knots": [list(knot) for knot in curve.knots],
        "n": calibration.n,
        "calibrated": calibration.calibrated,
        "nll": figure(calibration.nll, None, calibration.n, calibration.reason or "too few groups"),
        "ece": figure(calibration.ece, None, calibration.n, calibration.reason or "too few groups"),
        "net_win_error": figure(check and check.error, None, calibration.n, calibration.reason, **halves),
        "fitted_on": calibration.fitted_on,
        "warnings": list(calibration.warnings),
    }


def _with_votes(probability: Floats, human_log_odds: Floats) -> Floats:
    kept = np.clip(probability, _TINY, 1 - _TINY)
    return sigmoid(np.log(kept) - np.log1p(-kept) + human_log_odds)


def _cross_fitted(x: Floats, y: Floats, groups: Sequence[str], kind: CurveKind, seed: int) -> Floats | None:
    """P(a) of each pair by a curve that did not see its group; `None` with fewer groups than folds."""
    if len(set(groups)) < _FOLDS:
        return None
    probability = np.zeros(len(y))
    for seen, held in grouped_folds(groups, _FOLDS, seed=seed):
        probability[held] = curve_probability(fit_curve(x[seen], y[seen], kind), x[held])
    return probability


def _bootstrap_curves(
    x: Floats, y: Floats, groups: Sequence[str], kind: CurveKind, seed: int, replicates: int
) -> tuple[ScoreCurve, ...]:
    """Curves fitted to samples of whole groups, drawn with replacement."""
    index = np.unique(np.array(groups), return_inverse=True)[1]
    order = np.argsort(index, kind="stable")
    members = np.split(order, np.cumsum(np.bincount(index))[:-1])
    rng = np.random.default_rng(seed)
    curves = []
    for _ in range(replicates):
        drawn = np.concatenate([members[group] for group in rng.integers(0, len(members), len(members))])
        curves.append(fit_curve(x[drawn], y[drawn], kind))
    return tuple(curves)


def _matrix(scores: ArrayLike) -> Floats:
    x = np.asarray(scores, dtype=np.float64)
    if x.ndim not in (1, 2) or np.isinf(x).any():
        raise ValueError(f"scores need shape (n,) or (n, models), finite or NaN; got shape {x.shape}")
    return x.reshape(len(x), -1)


def _checked(scores: ArrayLike, outcomes: ArrayLike) -> tuple[Floats, Floats]:
    x, y = _matrix(scores), np.asarray(outcomes, dtype=np.float64)
    if y.shape != (len(x),) or not len(y):
        raise ValueError(f"expected one outcome per pair ({len(x)}, at least one), got shape {y.shape}")
    if not ((y >= 0) & (y <= 1)).all():
        raise ValueError("outcomes lie in [0, 1]: 1 where `a` was preferred, 0 for `b`, 0.5 for a tie")
    return x, y
