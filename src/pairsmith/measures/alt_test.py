"""The alternative annotator test: may a model stand in for a person? Calderon, Reichart and Dror, ACL 2025.

Each person is left out in turn. On every item the model and that person are scored by the share of the *other* people
they agree with; the model has the advantage where it scores at least as high, the person where they do. The null
hypothesis is that the person's advantage probability exceeds the model's by epsilon or more; a one-sided paired t-test
rejects it. With the false discovery rate held at 5 % (Benjamini and Yekutieli 2001: the tests share people), the
winning rate omega is the share of people beaten so. The model passes with omega of one half or more. The mean of its
advantage probabilities, rho, compares models.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.measures.intervals import figure

__all__ = ["EPSILONS", "MIN_ITEMS", "alt_test", "benjamini_yekutieli", "student_t_below"]

EPSILONS: Final = (0.15, 0.2)
"""What a person may be better by and still lose: 0.15 for skilled annotators, 0.2 for experts (section 3.3)."""

MIN_ITEMS: Final = 30
"""Fewer items of one person leave the t-test without its ground."""

_MIN_PEOPLE, _RATE, _TO_PASS = 2, 0.05, 0.5


def alt_test(
    people: Mapping[str, Mapping[str, str]], model: Mapping[str, str], *, epsilon: float = EPSILONS[0]
) -> dict[str, Any]:
    """The test on the items the model and two people or more have labelled.

    Args:
        people: by person, the label of each item.
        model: the model's label of each item.
        epsilon: the advantage that a person is allowed.

    Returns:
        `winning_rate` (omega) and `advantage` (rho) as figures, n the people compared; `passed` (None if not
        evaluated), `epsilon`, `items` and `people`: for each, `items`, the advantage probabilities `model` and
        `person`, `p_value`, `beaten`.
    """
    labels: dict[str, dict[str, str]] = {}
    for person in sorted(people):
        for item, label in people[person].items():
            if item in model:
                labels.setdefault(item, {})[person] = label
    shared = {item: said for item, said in labels.items() if len(said) >= _MIN_PEOPLE}
    rows = []
    for person in sorted(people):
        wins = np.array([_advantages(said, person, model[item]) for item, said in shared.items() if person in said])
        if len(wins) >= MIN_ITEMS:
            rows.append(_compared(person, wins, epsilon))
    base = {"epsilon": epsilon, "items": len(shared)}
    if len(rows) < _MIN_PEOPLE:
        why = f"{len(rows)} people share {MIN_ITEMS} items with another person and the model; two are needed"
        missing = figure(None, None, 0, why)
        return {**base, "winning_rate": missing, "advantage": dict(missing), "passed": None, "people": rows}
    beaten = benjamini_yekutieli([row["p_value"] for row in rows], _RATE)
    listed = [{**row, "beaten": bool(each)} for row, each in zip(rows, beaten, strict=True)]
    rate = float(beaten.mean())
    return {
        **base,
        "winning_rate": figure(rate, None, len(rows)),
        "advantage": figure(float(np.mean([row["model"] for row in rows])), None, len(rows)),
        "passed": rate >= _TO_PASS,
        "people": listed,
    }


def benjamini_yekutieli(p_values: ArrayLike, rate: float) -> NDArray[np.bool_]:
    """Which hypotheses are rejected with the false discovery rate held at `rate` under any dependence; shape (tests,).

    >>> benjamini_yekutieli([0.001, 0.02, 0.9], 0.05).tolist()
    [True, False, False]
    """
    p = np.asarray(p_values, dtype=np.float64)
    steps = np.arange(1, p.size + 1)
    bars = steps * rate / (p.size * (1 / steps).sum()) if p.size else p
    order = np.argsort(p, kind="stable")
    under = np.flatnonzero(p[order] <= bars)
    rejected = np.zeros(p.size, dtype=np.bool_)
    rejected[order[: under[-1] + 1 if under.size else 0]] = True
    return rejected


def student_t_below(t: float, freedom: int) -> float:
    """P(T <= t) for Student's t distribution, by the incomplete beta function's continued fraction.

    >>> round(student_t_below(-2.0, 10), 6)
    0.036694
    """
    x = freedom / (freedom + t * t)
    tail = 0.5 * _beta_share(freedom / 2, 0.5, x)
    return tail if t < 0 else 1 - tail


def _advantages(said: Mapping[str, str], person: str, by_model: str) -> tuple[float, float]:
    """Whether the model, and whether the person, agrees with the others at least as often as its rival."""
    others = [label for name, label in said.items() if name != person]
    model = sum(label == by_model for label in others)
    own = sum(label == said[person] for label in others)
    return float(model >= own), float(own >= model)


def _compared(person: str, wins: NDArray[np.float64], epsilon: float) -> dict[str, Any]:
    differences = wins[:, 1] - wins[:, 0]
    return {
        "name": person,
        "items": len(wins),
        "model": float(wins[:, 0].mean()),
        "person": float(wins[:, 1].mean()),
        "p_value": _p_value(differences, epsilon),
    }


def _p_value(differences: NDArray[np.float64], epsilon: float) -> float:
    """Of the one-sided t-test that the mean difference is below epsilon."""
    spread = float(differences.std(ddof=1))
    mean, n = float(differences.mean()), differences.size
    if spread == 0:  # always the same: no test, and no doubt
        return 0.0 if mean < epsilon else 1.0
    return student_t_below((mean - epsilon) / (spread / math.sqrt(n)), n - 1)


def _beta_share(a: float, b: float, x: float) -> float:
    """The regularised incomplete beta function I_x(a, b) (Lentz's method; Press et al. 2007, section 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _beta_share(b, a, 1 - x)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    tiny = 1e-300
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1) or tiny)
    found = d
    for m in range(1, 500):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for step in (even, odd):
            d = 1 / (1 + step * d or tiny)
            c = 1 + step / c or tiny
            found *= c * d
        if abs(c * d - 1) < 1e-14:
            break
    return front * found
