"""The curve from scores of models to the probability that a person prefers `a`, fitted on pairs people labelled."""

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.calibration import fit_pairwise_logistic
from pairsmith.measures.isotonic import fit_isotonic
from pairsmith.measures.vote_table import Floats

__all__ = ["CurveKind", "ScoreCurve", "curve_probability", "curve_side", "fit_curve"]

CurveKind: TypeAlias = Literal["temperature", "isotonic"]

_MAX_LOGIT = 20.0
_RIDGE = 1.0
_FAINT = 0.01  # keeps a score that is always right from an infinite slope; nothing beside 50 labels
_SLOPES = (1e-3, 1e3)  # a score that is mostly wrong gets the first: it says nothing, and is never turned round
_PARTS = 5


@dataclass(frozen=True, slots=True)
class ScoreCurve:
    """How scores become probabilities, symmetric in the sides: P(a) of a score s and of -s add up to one.

    1. each model's score s (positive toward `a`) is divided by its temperature and held within +-20;
    2. several models are added up with their `weights`;
    3. `knots`, if any, replace the logistic curve: net win at each absolute evidence (isotonic regression);
    4. the net win 2p - 1 is multiplied by `level`: the share of verdicts that mean anything at all.

    Step 4 makes the mean claimed net win that of the labelled pairs. A temperature alone claims too much where small
    gaps are no better than coins: .03 to .09 too much on five published reward models.
    """

    kind: CurveKind
    temperatures: tuple[float, ...]
    weights: tuple[float, ...]
    knots: tuple[tuple[float, float], ...]
    level: float


def fit_curve(scores: Floats, outcomes: Floats, kind: CurveKind) -> ScoreCurve:
    """Fit to labelled pairs.

    Args:
        scores: evidence of each model toward `a`, shape (n, models); NaN where a model said nothing.
        outcomes: 1 where people preferred `a`, 0 for `b`, 0.5 for a tie, shape (n,).
        kind: shape of the curve.
    """
    temperatures = tuple(_temperature(scores[:, model], outcomes) for model in range(scores.shape[1]))
    logits = _logits(scores, temperatures)
    weights = _weights(logits, outcomes)
    evidence = logits @ weights
    knots = _knots(evidence, outcomes) if kind == "isotonic" else ()
    claimed = float(_net(np.abs(evidence), knots).sum())
    won = float((_unseen_sides(logits, outcomes) * (2 * outcomes - 1)).sum())
    level = float(np.clip(won / claimed, 0.0, 1.0)) if claimed > 0 else 0.0
    return ScoreCurve(kind, temperatures, tuple(weights.tolist()), knots, level)


def curve_probability(curve: ScoreCurve, scores: Floats) -> Floats:
    """P(a is better) of each pair, shape (n,), from scores of shape (n, models)."""
    evidence = _logits(scores, curve.temperatures) @ np.array(curve.weights)
    net = np.sign(evidence) * _net(np.abs(evidence), curve.knots) * curve.level
    probability: Floats = (1 + net) / 2
    return probability


def curve_side(curve: ScoreCurve, scores: Floats) -> Floats:
    """The side the models name: 1 for `a`, -1 for `b`, 0 for neither, shape (n,), however little it means."""
    side: Floats = np.sign(_logits(scores, curve.temperatures) @ np.array(curve.weights))
    return side


def _temperature(scores: Floats, outcomes: Floats) -> float:
    """The temperature on the scale of the scores; infinite for a model that says nothing."""
    there: NDArray[np.bool_] = np.isfinite(scores) & (scores != 0)
    if not there.any():
        return float("inf")
    unit = float(np.median(np.abs(scores[there])))
    slope = float(fit_pairwise_logistic(scores[there, None] / unit, outcomes[there], l2=_FAINT)[0])
    return unit / min(max(slope, _SLOPES[0]), _SLOPES[1])


def _weights(logits: Floats, outcomes: Floats) -> Floats:
    if logits.shape[1] == 1:
        return np.ones(1)
    # Below zero would mean that a model is trusted for being wrong, which no later data bear out.
    return np.maximum(fit_pairwise_logistic(logits, outcomes, l2=_RIDGE), 0.0)


def _unseen_sides(logits: Floats, outcomes: Floats) -> Floats:
    """The side named for each pair with weights fitted to other pairs: on its own pairs a panel looks too good."""
    if logits.shape[1] == 1:
        return np.sign(logits[:, 0])
    sides = np.zeros(len(logits))
    for held in np.array_split(np.arange(len(logits)), min(_PARTS, len(logits))):
        others = np.setdiff1d(np.arange(len(logits)), held)
        fitted = _weights(logits[others], outcomes[others]) if others.size else np.ones(logits.shape[1])
        sides[held] = np.sign(logits[held] @ fitted)
    return sides


def _logits(scores: Floats, temperatures: tuple[float, ...]) -> Floats:
    known = np.where(np.isfinite(scores), scores, 0.0)
    logits: Floats = np.clip(known / np.array(temperatures), -_MAX_LOGIT, _MAX_LOGIT)
    return logits


def _knots(evidence: Floats, outcomes: Floats) -> tuple[tuple[float, float], ...]:
    """Net win by absolute evidence, never falling, never negative, each step drawn toward a coin by two pairs."""
    there = evidence != 0
    if not there.any():
        return ()
    right = np.where(evidence > 0, outcomes, 1 - outcomes)[there]
    places, fitted = fit_isotonic(np.abs(evidence[there]), right)
    pairs = np.histogram(np.abs(evidence[there]), bins=[*places.tolist(), np.inf])[0]
    step = np.unique(fitted, return_inverse=True)[1]
    size = np.bincount(step, weights=pairs)[step]
    net = np.maximum((2 * fitted - 1) * size / (size + 2), 0.0)
    smooth = np.maximum.accumulate(net)
    changes = np.diff(smooth) > 0
    ends = np.r_[True, changes] | np.r_[changes, True]  # a step is described by where it begins and where it ends
    return tuple((float(place), float(value)) for place, value in zip(places[ends], smooth[ends], strict=True))


def _net(evidence: Floats, knots: tuple[tuple[float, float], ...]) -> Floats:
    if not knots:
        return np.tanh(evidence / 2)
    places, values = zip(*knots, strict=True)
    net: Floats = np.interp(evidence, places, values)
    return net
