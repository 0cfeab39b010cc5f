"""What a reward head is worth: nested cross-validation, baselines, calibration, a learning curve, and a verdict in words."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt

from pairsmith.measures.calibration import expected_calibration_error, grouped_folds, log_loss, sigmoid
from pairsmith.measures.davidson import fit_davidson
from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, share_figure
from pairsmith.measures.reward_head import Head, PairTable, fit_head

__all__ = [
    "CURVE_SIZES",
    "FOLDS",
    "KEPT_FROM",
    "LEVELS",
    "HeldOut",
    "cross_validate",
    "head_figures",
    "label_level",
    "learning_curve",
    "verdict",
]

Vector: TypeAlias = npt.NDArray[np.float64]

FOLDS: Final = 5
KEPT_FROM: Final = 0.6
"""A head abstains where the better side is less probable than this."""
CURVE_SIZES: Final = (25, 50, 100, 200, 400, 800, 1600)
LEVELS: Final = ((400, "good"), (200, "usable"), (50, "warn"), (0, "refused"))
"""Decided pairs from which on a head is called so; below 50 none is fitted."""

Step = Callable[[], None]


@dataclass(frozen=True, slots=True)
class HeldOut:
    """What models that never saw a pair's group say of the pair: log-odds of the head and of length alone, (n,)."""

    log_odds: Vector
    length: Vector


def label_level(decided: int) -> str:
    """What so many decided pairs are good for: `refused`, `warn`, `usable` or `good`.

    >>> label_level(199)
    'warn'
    """
    return next(name for least, name in LEVELS if decided >= least)


def cross_validate(table: PairTable, *, seed: int = 0, step: Step | None = None) -> HeldOut:
    """Every pair judged by a head fitted without its group; penalties, fusion and temperature are of the inner folds.

    Args:
        table: pairs with votes.
        seed: of the folds.
        step: called after each of the `FOLDS` folds.

    Raises:
        ValueError: if there are fewer groups than folds.
    """
    log_odds, length = np.zeros(len(table)), np.zeros(len(table))
    for train, held in grouped_folds(table.groups, FOLDS, seed=seed):
        inner, outer = table.rows(train), table.rows(held)
        log_odds[held] = fit_head(inner, seed=seed).log_odds(outer)
        length[held] = _length_alone(inner) * outer.longer
        if step is not None:
            step()
    return HeldOut(log_odds, length)


def learning_curve(table: PairTable, *, seed: int = 0, step: Step | None = None) -> list[dict[str, Any]]:
    """Accuracy on held-out groups of heads fitted on so many pairs, smallest first; sizes the data cannot fill are left out.

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
        curve.append({"pairs": size, "accuracy": _accuracy(log_odds, table)})
    return curve


def _draw(table: PairTable, train: Sequence[int], size: int, *, seed: int) -> list[int]:
    """Whole groups in a random order until there are `size` pairs; the last group is cut."""
    groups = [table.groups[row] for row in train]
    names = sorted(set(groups))
    order = {names[place]: rank for rank, place in enumerate(np.random.default_rng(seed).permutation(len(names)))}
    return sorted(train, key=lambda row: (order[table.groups[row]], row))[:size]


def _length_alone(table: PairTable) -> float:
    """The log-odds that the longer side is better, learned from the pairs."""
    return float(fit_davidson(table.longer[:, None], table.votes, l2=1.0).weights[0])


def _hits(log_odds: Vector, table: PairTable) -> Vector:
    """For each decided pair: 1 if the sign names the winner, 0 if not, one half where it names nobody."""
    decided = table.decided
    hits: Vector = 0.5 + 0.5 * np.sign(log_odds[decided]) * (2 * table.outcomes[decided] - 1)
    return hits


def _accuracy(log_odds: Vector, table: PairTable) -> dict[str, Any]:
    hits = _hits(log_odds, table)
    return share_figure(float(hits.sum()), len(hits), "no pair is decided")


def head_figures(log_odds: Vector, table: PairTable, *, length: Vector | None = None, seed: int = 0) -> dict[str, Any]:
    """What log-odds are worth that nobody fitted to these very pairs. Pairs that are not decided are left out.

    Args:
        log_odds: that the first side is better, (n,).
        table: the pairs and what people said.
        length: log-odds of a model of length alone, likewise held out; by default "the longer wins".
        seed: of the coin and the bootstraps.

    Returns:
        Figures: accuracy, length_only, random, gain_over_length, length_balanced, ece, log_loss, kept (share and
        accuracy where p >= `KEPT_FROM`, and what keeping adds), people_chose_longer, and `verdict` in words.
    """
    decided = table.decided
    groups = np.array(table.groups)[decided]
    right = _hits(log_odds, table)
    n = len(right)
    longer = table.longer if length is None else length
    coin = np.random.default_rng(seed).choice([-1.0, 1.0], len(table))
    chose_longer = table.longer[decided] * (2 * table.outcomes[decided] - 1)
    gain = right - _hits(longer, table)
    p, outcomes = sigmoid(log_odds[decided]), table.outcomes[decided]
    clustered = cluster_bootstrap_mean(right, groups, seed=seed)
    found = {
        "pairs": n,
        "groups": len(set(table.groups)),
        "tied_pairs": len(table) - n,
        "accuracy": {**_accuracy(log_odds, table), "clustered_interval": clustered and list(clustered)},
        "length_only": _accuracy(longer, table),
        "random": _accuracy(coin, table),
        "gain_over_length": _mean(gain, groups, seed),
        "length_balanced": _balanced(right, chose_longer, groups, seed),
        "people_chose_longer": share_figure(float((chose_longer > 0).sum()), n, "no pair is decided"),
        "ece": figure(expected_calibration_error(p, outcomes) if n else None, None, n, "no pair is decided"),
        "log_loss": figure(log_loss(p, outcomes) if n else None, None, n, "no pair is decided"),
        "kept": _kept(p, right),
    }
    return {**found, "verdict": verdict(found)}


def _mean(values: Vector, groups: npt.NDArray[np.str_], seed: int) -> dict[str, Any]:
    if not len(values):
        return figure(None, reason="no pair is decided")
    # pairs of one group stand or fall together: unlike Wilson's, this interval draws whole groups
    return figure(float(values.mean()), cluster_bootstrap_mean(values, groups, seed=seed), len(values))


def _balanced(right: Vector, chose_longer: Vector, groups: npt.NDArray[np.str_], seed: int) -> dict[str, Any]:
    """Mean of the accuracies where people chose the longer and where they chose the shorter; 0.5: length at most."""
    long, short = chose_longer > 0, chose_longer < 0
    if not (long.any() and short.any()):
        return figure(None, n=len(right), reason="people always chose the longer, or always the shorter, response")
    weights = np.where(long, 0.5 / long.mean(), 0.0) + np.where(short, 0.5 / short.mean(), 0.0)
    interval = cluster_bootstrap_mean(right * weights, groups, seed=seed)
    return figure((right[long].mean() + right[short].mean()) / 2, interval, int(long.sum() + short.sum()))


def _kept(p: Vector, right: Vector) -> dict[str, Any]:
    kept = np.maximum(p, 1 - p) >= KEPT_FROM
    accuracy = share_figure(float(right[kept].sum()), int(kept.sum()), f"no pair has p >= {KEPT_FROM}")
    adds = None if not kept.any() else float(right[kept].mean() - right.mean())
    return {
        "from_p": KEPT_FROM,
        "share": share_figure(float(kept.sum()), len(p), "no pair is decided"),
        "accuracy": accuracy,
        "adds": figure(adds, None, int(kept.sum()), f"no pair has p >= {KEPT_FROM}"),
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
