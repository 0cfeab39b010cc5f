"""Corrections that change labels: verdicts that turn with the order, voters who vote by position, and length.

Each returns what it made of the labels, so a caller can report how many changed. None of them can find quality where
a judge saw none; they only take away what is not quality.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.calibration import fit_pairwise_logistic, sigmoid
from pairsmith.measures.vote_table import Floats

__all__ = ["LengthAdjustment", "length_adjusted", "position_weights", "stable_verdicts"]

_POSITION_PRIOR = 5.0  # as if everybody had chosen each side five times already: a run of luck is not a habit
_SURE = 1e-6
_CLOSE, _MAX_ROUNDS = 1e-6, 100


def stable_verdicts(a_first: ArrayLike, b_first: ArrayLike) -> Floats:
    """The verdict that holds in both orders, else 0: a preference that turns with the order is a tie.

    Args:
        a_first: verdicts with `a` shown first: 1 for `a`, -1 for `b`, 0 for neither, NaN unread; shape (pairs,).
        b_first: verdicts on the same pairs with `b` shown first.

    Returns:
        1, -1 or 0. An unread verdict confirms nothing.
    """
    one, two = np.asarray(a_first, dtype=np.float64), np.asarray(b_first, dtype=np.float64)
    return np.where((one == two) & (np.abs(one) == 1), one, 0.0)


def position_weights(annotators: ArrayLike, chose_first: ArrayLike, *, prior: float = _POSITION_PRIOR) -> Floats:
    """Weight of each vote once its annotator's habit of choosing one position is taken out.

    Model: with probability e an annotator takes the favoured position without looking, else judges. Votes for the
    other position are then genuine (weight 1), and of those for the favoured one the share (1 - e) / (1 + e) is.
    Somebody who always chooses the first loses nearly all weight; somebody who chooses each as often keeps all of it.
    Sides must have been shown in random order.

    Args:
        annotators: who cast each vote, integers from 0, shape (votes,).
        chose_first: whether it went to the side shown first.
        prior: votes for each position that everybody is taken to have cast already.

    Returns:
        shape (votes,), in (0, 1]; for `weights` of `vote_table`.
    """
    people, first = np.asarray(annotators, dtype=np.int64), np.asarray(chose_first, dtype=bool)
    share = (np.bincount(people, weights=first) + prior) / (np.bincount(people) + 2 * prior)
    habit = np.maximum(share, 1 - share)[people]
    favoured = first == (share > 0.5)[people]
    return np.where(favoured & (habit > 0.5), (1 - habit) / habit, 1.0)


@dataclass(frozen=True, slots=True)
class LengthAdjustment:
    """Probabilities without the part that length explains, and the fit behind them.

    `coefficient`: log-odds that length adds per standard unit, with the judge; `reference`: with people (0 if unknown);
    `left`: with the judge after the adjustment. `scale`: characters per unit. `changed`: pairs whose better side is
    another one now.
    """

    probability: Floats
    coefficient: float
    reference: float
    left: float
    scale: float
    changed: int


def length_adjusted(
    probability: ArrayLike, length_difference: ArrayLike, reference: ArrayLike | None = None, *, l2: float = 1.0
) -> LengthAdjustment:
    """P(a is better) of every pair with length mattering as much as it does to people, or not at all.

    c * tanh(difference / sd) (AlpacaEval's length control) is taken from the log-odds, with the c for which length then
    predicts the verdicts as well as it predicts people's. Where people prefer longer answers, that part is quality and
    stays; without a `reference` all of it goes.

    Args:
        probability: calibrated P(a is better), shape (pairs,). From a verdict without a probability, use the accuracy
            of its judge and not 1.
        length_difference: characters of `a` less those of `b`.
        reference: P(a is better) by people, NaN where unknown; the fit then uses the pairs where it is known.
        l2: penalty on the coefficients.

    Raises:
        ValueError: if shapes differ, or there are no pairs.
    """
    p, difference = np.asarray(probability, dtype=np.float64), np.asarray(length_difference, dtype=np.float64)
    theirs = np.full(p.shape, np.nan) if reference is None else np.asarray(reference, dtype=np.float64)
    if p.ndim != 1 or not p.size or len({p.shape, difference.shape, theirs.shape}) != 1:
        raise ValueError(
            f"expected n probabilities and n differences, got {p.shape}, {difference.shape}, {theirs.shape}"
        )
    scale = float(np.sqrt((difference**2).mean())) or 1.0
    x = np.tanh(difference / scale)
    known = np.isfinite(theirs)
    fitted = known if known.any() else np.ones(p.size, dtype=bool)

    def coefficient(values: Floats) -> float:
        return float(fit_pairwise_logistic(x[fitted, None], values[fitted], l2=l2)[0])

    people = coefficient(theirs) if known.any() else 0.0
    kept = np.clip(p, _SURE, 1 - _SURE)
    logits = np.log(kept) - np.log1p(-kept)
    before = left = coefficient(p)
    taken, adjusted = 0.0, kept
    for _ in range(_MAX_ROUNDS):
        if abs(left - people) < _CLOSE:
            break
        taken += left - people
        adjusted = sigmoid(logits - taken * x)
        left = coefficient(adjusted)
    changed = int((np.sign(adjusted - 0.5) != np.sign(p - 0.5)).sum())
    return LengthAdjustment(adjusted, before, people, left, scale, changed)
