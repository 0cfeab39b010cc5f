"""How many labels are right, from the best evidence there is, and how much signal that leaves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from pairsmith.measures.intervals import figure, percentile_interval, share_figure
from pairsmith.measures.preference import effective_pairs
from pairsmith.measures.vote_table import UNKNOWN

__all__ = ["EVIDENCE", "audited_accuracy", "best_accuracy", "effective_pairs_figure", "posterior_accuracy"]

EVIDENCE = ("audit", "calibrated", "posterior", "one_coin")
"""Kinds of evidence on the accuracy of labels, the strongest first."""

_STEPS = 1000  # posteriors are gathered into steps of 0.001 (each at its own mean), so intervals cost the same at any n


def audited_accuracy(confirmed: int, audited: int) -> dict[str, Any]:
    """Share of a random sample of labels that blind people confirmed, with its Wilson interval; `kind` "audit"."""
    return share_figure(confirmed, audited, "no label was audited") | {"kind": "audit"}


def posterior_accuracy(
    posterior: ArrayLike, labels: ArrayLike, *, seed: int, kind: str = "posterior", replicates: int = 1000
) -> dict[str, Any]:
    """Mean probability, under a model, that the label of an item is right: a figure in [0, 1].

    It is as good as the model: a bias that annotators share looks like accuracy. The interval is a bootstrap over
    items with the model held fixed.

    Args:
        posterior: probability of each class, shape (items, classes).
        labels: the class each item got, `UNKNOWN` where it got none, shape (items,).
        seed: seed of the bootstrap.
        kind: "posterior" (a model of raters) or "calibrated" (scores calibrated on people).
        replicates: bootstrap samples.
    """
    probabilities, chosen = np.asarray(posterior, dtype=np.float64), np.asarray(labels, dtype=np.int64)
    rows = np.nonzero(chosen != UNKNOWN)[0]
    if not rows.size:
        return figure(None, None, 0, "no item has a label", kind=kind)
    right = np.clip(probabilities[rows, chosen[rows]], 0.0, 1.0)
    place = np.minimum((right * _STEPS).astype(np.int64), _STEPS - 1)
    items = np.bincount(place, minlength=_STEPS)
    mean = np.bincount(place, weights=right, minlength=_STEPS) / np.maximum(items, 1)
    value = float(items @ mean / rows.size)
    draws = np.random.default_rng(seed).multinomial(rows.size, items / rows.size, size=replicates)
    interval = percentile_interval(draws @ mean / rows.size) if rows.size > 1 else None
    return figure(value, interval, rows.size, kind=kind)


def best_accuracy(figures: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The figure with the strongest kind of evidence (see `EVIDENCE`) that has a value; `others` has the rest.

    Raises:
        ValueError: for a figure without a known `kind`.
    """
    unknown = [each.get("kind") for each in figures if each.get("kind") not in EVIDENCE]
    if unknown:
        raise ValueError(f"kinds of evidence are {', '.join(EVIDENCE)}, not {unknown[0]!r}")
    ordered = sorted(figures, key=lambda each: EVIDENCE.index(each["kind"]))
    best = next((each for each in ordered if each["value"] is not None), None)
    if best is None:
        reasons = "; ".join(f"{each['kind']}: {each['reason']}" for each in ordered)
        return figure(None, None, 0, reasons or "nothing is known about the labels", kind="", others=[])
    return dict(best) | {"others": [dict(each) for each in ordered if each is not best]}


def effective_pairs_figure(unique_pairs: int, accuracy: Mapping[str, Any]) -> dict[str, Any]:
    """Clean pairs that carry as much signal as `unique_pairs` with labels of this accuracy: n (2a - 1)^2.

    The interval is that of the accuracy carried over; gates should use its lower end.
    """
    if accuracy["value"] is None:
        return figure(None, None, unique_pairs, f"accuracy of the labels: {accuracy['reason']}")
    bounds = accuracy["interval"]
    interval = None if bounds is None else [effective_pairs(unique_pairs, bound) for bound in bounds]
    return figure(effective_pairs(unique_pairs, accuracy["value"]), interval, unique_pairs, kind=accuracy["kind"])
