"""What a reward head is worth: nested cross-validation, baselines, calibration, a learning curve, a verdict."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pairsmith.measures.calibration import expected_calibration_error, grouped_folds, log_loss, sigmoid
from pairsmith.measures.davidson import fit_davidson
from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, share_figure
from pairsmith.measures.reward_head import INNER_FOLDS, Head, PairTable, fit_head

__all__ = [
    "CURVE_SIZES",
    "FOLDS",
    "KEPT_FROM",
    "LEVELS",
    "REPEATS",
    "HeldOut",
    "cross_validate",
    "head_figures",
    "label_level",
    "learning_curve",
    "length_log_odds",
    "verdict",
]

Vector: TypeAlias = npt.NDArray[np.float64]
Matrix: TypeAlias = npt.NDArray[np.float64]
Groups: TypeAlias = npt.NDArray[np.str_]

FOLDS: Final = 5
REPEATS: Final = 3
KEPT_FROM: Final = 0.6
"""A head abstains where the better side is less probable than this."""
CURVE_SIZES: Final = (25, 50, 100, 200, 400, 800, 1600)
LEVELS: Final = ((400, "good"), (200, "usable"), (50, "warn"), (0, "refused"))
"""Decided pairs from which on a head is called so; below 50 none is fitted."""
_TOSSES: Final = 50
_NOTHING: Final = "no pair is decided"

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What heads that never saw a pair's group say of the pair.

    Attributes:
        log_odds: that the first side is better, one row per repetition with other folds, (repeats, n).
        length: the same by length alone, (repeats, n).
        folds: the heads of the first repetition, each with the groups it never saw.
    """

    log_odds: Matrix
    length: Matrix
    folds: tuple[tuple[Head, frozenset[str]], ...]


def label_level(decided: int) -> str:
    """What so many decided pairs are good for: `refused`, `warn`, `usable` or `good`.

    >>> label_level(199)
    'warn'
    """
    return next(name for least, name in LEVELS if decided >= least)


def cross_validate(table: PairTable, *, repeats: int = REPEATS, seed: int = 0, step: Step | None = None) -> HeldOut:
    """Every pair judged by a head fitted without its group; penalties, fusion and temperature are of the inner folds.

    Args:
        table: pairs with votes.
        repeats: how often, each time with other folds.
        seed: of the folds.
        step: called after each of the `repeats * FOLDS` folds.

    Raises:
        ValueError: if there are fewer groups than folds.
    """
    log_odds, length = np.zeros((repeats, len(table))), np.zeros((repeats, len(table)))
    heads: list[tuple[Head, frozenset[str]]] = []
    for repeat in range(repeats):
        for train, held in grouped_folds(table.groups, FOLDS, seed=seed + repeat):
            inner, outer = table.rows(train), table.rows(held)
            head = fit_head(inner, seed=seed + repeat)
            log_odds[repeat, held] = head.log_odds(outer)
            length[repeat, held] = _length_alone(inner) * outer.longer
            if repeat == 0:
                heads.append((head, frozenset(outer.groups)))
            if step is not None:
                step()
    return HeldOut(log_odds, length, tuple(heads))


def learning_curve(table: PairTable, *, seed: int = 0, step: Step | None = None) -> list[dict[str, Any]]:
    """Accuracy on held-out groups of heads fitted on so many pairs, smallest first; as far as the pairs reach.

    Args:
        table: pairs with votes.
        seed: of the folds and of the draws.
        step: called after each fit.
    """
    folds = list(grouped_folds(table.groups, FOLDS, seed=seed))
    smallest = min(len(train) for train, _ in folds)
    curve = []
    for size in (size for size in CURVE_SIZES if size <= smallest):
        log_odds = np.zeros(len(table))
        for number, (train, held) in enumerate(folds):
            drawn = _draw(table, train, size, seed=seed + number)
            log_odds[held] = fit_head(table.rows(drawn), seed=seed).log_odds(table.rows(held))
            if step is not None:
                step()
        curve.append({"pairs": size, "accuracy": _accuracy(_hits(log_odds, table))})
    return curve


def _draw(table: PairTable, train: Sequence[int], size: int, *, seed: int) -> list[int]:
    """Whole groups in a random order until there are `size` pairs; the last group is cut.

    Where that would be too few groups to fit a head to, one pair of each group in turn.
    """
    groups = [table.groups[row] for row in train]
    names = sorted(set(groups))
    order = {names[place]: rank for rank, place in enumerate(np.random.default_rng(seed).permutation(len(names)))}
    drawn = sorted(train, key=lambda row: (order[table.groups[row]], row))[:size]
    if len({table.groups[row] for row in drawn}) >= INNER_FOLDS:
        return drawn
    seen, turns = Counter[str](), list[tuple[int, int, int]]()
    for row in train:
        group = str(table.groups[row])
        turns.append((seen[group], order[table.groups[row]], row))
        seen[group] += 1
    return [row for _, _, row in sorted(turns)[:size]]


def length_log_odds(table: PairTable, *, seed: int = 0) -> Vector:
    """The log-odds that the longer or the shorter side is better, by what held-out groups preferred; (n,).

    With fewer groups than folds, that the longer is.
    """
    log_odds = table.longer.copy()
    if len(set(table.groups)) >= FOLDS:
        for train, held in grouped_folds(table.groups, FOLDS, seed=seed):
            log_odds[held] = _length_alone(table.rows(train)) * table.longer[held]
    return log_odds


def _length_alone(table: PairTable) -> float:
    """The log-odds that the longer side is better, learned from the pairs."""
    return float(fit_davidson(table.longer[:, None], table.votes, l2=1.0).weights[0])


def _hits(log_odds: npt.ArrayLike, table: PairTable) -> Vector:
    """For each decided pair: 1 if the sign names the winner, 0 if not, one half where it names nobody.

    Of several repetitions (repeats, n) the mean.
    """
    signs = np.sign(np.atleast_2d(np.asarray(log_odds, dtype=np.float64))[:, table.decided])
    hits: Vector = (0.5 + 0.5 * signs * (2 * table.outcomes[table.decided] - 1)).mean(axis=0)
    return hits


def _accuracy(hits: Vector) -> dict[str, Any]:
    return share_figure(float(hits.sum()), len(hits), _NOTHING)


def head_figures(
    log_odds: npt.ArrayLike, table: PairTable, *, length: npt.ArrayLike | None = None, seed: int = 0
) -> dict[str, Any]:
    """What log-odds are worth that nobody fitted to these very pairs. Pairs that are not decided are left out.

    Args:
        log_odds: that the first side is better, (n,), or (repeats, n): then every figure is the mean of them.
        table: the pairs and what people said.
        length: log-odds of a model of length alone, likewise held out; by default "the longer wins".
        seed: of the coin and the bootstraps.

    Returns:
        Figures: accuracy, length_only, random, gain_over_length, length_balanced, people_chose_longer, ece (and what
        it would be if the probabilities were true), log_loss, kept (share and accuracy where p >= `KEPT_FROM`, and
        what keeping adds), and `verdict` in words.
    """
    odds = np.atleast_2d(np.asarray(log_odds, dtype=np.float64))
    decided = table.decided
    groups = np.array(table.groups)[decided]
    right, n = _hits(odds, table), int(decided.sum())
    by_length = _hits(table.longer if length is None else length, table)
    chose_longer = table.longer[decided] * (2 * table.outcomes[decided] - 1)
    p, outcomes = sigmoid(odds[:, decided]), table.outcomes[decided]
    losses = [log_loss(row, outcomes) for row in p] if n else []
    found = {
        "pairs": n,
        "groups": len(set(table.groups)),
        "tied_pairs": len(table) - n,
        "accuracy": {**_accuracy(right), "clustered_interval": _clustered(right, groups, seed)},
        "length_only": _accuracy(by_length),
        "random": _accuracy(_hits(np.random.default_rng(seed).choice([-1.0, 1.0], len(table)), table)),
        "gain_over_length": _mean(right - by_length, groups, seed),
        "length_balanced": _balanced(right, chose_longer, groups, seed),
        "people_chose_longer": share_figure(float((chose_longer > 0).sum()), n, _NOTHING),
        "ece": _ece(p, outcomes, seed),
        "log_loss": figure(float(np.mean(losses)) if losses else None, None, n, _NOTHING),
        "kept": _kept(p, outcomes, right),
    }
    return {**found, "verdict": verdict(found)}


def _clustered(values: Vector, groups: Groups, seed: int) -> list[float] | None:
    """Pairs of one group stand or fall together: unlike Wilson's, this interval draws whole groups."""
    interval = cluster_bootstrap_mean(values, groups, seed=seed)
    return None if interval is None else list(interval)


def _mean(values: Vector, groups: Groups, seed: int) -> dict[str, Any]:
    value = float(values.mean()) if len(values) else None
    return figure(value, _clustered(values, groups, seed), len(values), _NOTHING)


def _balanced(right: Vector, chose_longer: Vector, groups: Groups, seed: int) -> dict[str, Any]:
    """Mean of the accuracies where people chose the longer and where they chose the shorter; 0.5: length at most."""
    long, short = chose_longer > 0, chose_longer < 0
    if not (long.any() and short.any()):
        return figure(None, n=len(right), reason="people always chose the longer, or always the shorter, response")
    weights = np.where(long, 0.5 / long.mean(), 0.0) + np.where(short, 0.5 / short.mean(), 0.0)
    interval = _clustered(right * weights, groups, seed)
    return figure((right[long].mean() + right[short].mean()) / 2, interval, int(long.sum() + short.sum()))


def _ece(p: Matrix, outcomes: Vector, seed: int) -> dict[str, Any]:
    """The calibration error, and the mean of what it would be if every probability were true.

    With few pairs that is far from 0: the share of heads in a bin of tosses of a fair coin is seldom one half.
    """
    if not len(outcomes):
        return figure(None, reason=_NOTHING, if_true=None)
    rng = np.random.default_rng(seed)
    tossed = [expected_calibration_error(row, (rng.random(len(row)) < row) * 1.0) for row in p for _ in range(_TOSSES)]
    value = float(np.mean([expected_calibration_error(row, outcomes) for row in p]))
    return figure(value, None, len(outcomes), if_true=float(np.mean(tossed)))


def _kept(p: Matrix, outcomes: Vector, right: Vector) -> dict[str, Any]:
    kept = np.maximum(p, 1 - p) >= KEPT_FROM
    none = f"no pair has p >= {KEPT_FROM}"
    share = float(kept.mean()) if kept.size else 0.0
    n = round(share * p.shape[1])
    hit = float((kept & ((p > 0.5) == (outcomes == 1.0))).sum() / kept.sum()) if n else 0.0
    return {
        "from_p": KEPT_FROM,
        "share": share_figure(share * p.shape[1], p.shape[1], _NOTHING),
        "accuracy": share_figure(hit * n, n, none),
        "adds": figure(hit - float(right.mean()) if n else None, None, n, none),
    }


def verdict(figures: Mapping[str, Any]) -> str:
    """`better`, or what the intervals do not exclude: `no better than chance`, `no better than length`."""
    accuracy, gain = figures["accuracy"], figures["gain_over_length"]
    if accuracy["value"] is None:
        return "not evaluated"
    low = min(each[0] for each in (accuracy["interval"], accuracy["clustered_interval"]) if each)
    if low <= 0.5:
        return "no better than chance"
    if gain["interval"] is None or gain["interval"][0] <= 0:
        return "no better than length"
    return "better"
