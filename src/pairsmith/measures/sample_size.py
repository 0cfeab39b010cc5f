"""How many labels by people a question needs: for an interval of a wanted width, or to tell a share from a bar."""

import math
from statistics import NormalDist

__all__ = ["labels_to_halve", "size_for_half_width", "size_to_exceed"]


def size_for_half_width(expected: float, half_width: float, confidence: float = 0.95) -> int:
    """Labels for a confidence interval of a share that reaches so far to each side (Cochran 1977, section 4.4).

    n = z^2 p (1 - p) / h^2, rounded up. A smaller population needs fewer; that is left out, on the safe side.

    Args:
        expected: the share that is expected, in (0, 1); 0.5 needs the most labels.
        half_width: half the width of the interval, in (0, 1).
        confidence: of the interval, in (0, 1).

    Raises:
        ValueError: if a number is out of range.

    >>> size_for_half_width(0.9, 0.05), size_for_half_width(0.8, 0.05)
    (139, 246)
    """
    _check(expected=expected, half_width=half_width, confidence=confidence)
    z = NormalDist().inv_cdf((1 + confidence) / 2)
    return math.ceil(z * z * expected * (1 - expected) / half_width**2)


def size_to_exceed(bar: float, truth: float, power: float = 0.8, alpha: float = 0.05) -> int:
    """Labels with which a one-sided test shows that a share lies above `bar`, if it really is `truth`.

    n = ((z_alpha sqrt(p0 q0) + z_power sqrt(p1 q1)) / (p1 - p0))^2, rounded up (Fleiss, Levin and Paik 2003, section
    2.4; the normal approximation). Detecting that a share is *below* a bar is the same question about its complement.

    Args:
        bar: the share under the null hypothesis, in (0, 1).
        truth: the share that is to be found out, in (bar, 1).
        power: probability of finding it out.
        alpha: probability of finding it by mistake.

    Raises:
        ValueError: if a number is out of range, or `truth` is not above `bar`.

    >>> size_to_exceed(0.8, 0.9), size_to_exceed(0.8, 0.85), size_to_exceed(0.5, 0.6), size_to_exceed(0.7, 0.8)
    (83, 368, 153, 119)
    """
    _check(bar=bar, truth=truth, power=power, alpha=alpha)
    if truth <= bar:
        raise ValueError(f"a share of {truth} cannot be shown to lie above {bar}")
    normal = NormalDist()
    found = normal.inv_cdf(1 - alpha) * math.sqrt(bar * (1 - bar)) + normal.inv_cdf(power) * math.sqrt(
        truth * (1 - truth)
    )
    return math.ceil((found / (truth - bar)) ** 2)


def labels_to_halve(labels: int) -> int:
    """How many more labels halve an interval that rests on `labels`: its width goes with 1 / sqrt(n).

    >>> labels_to_halve(139)
    417
    """
    return 3 * labels


def _check(**shares: float) -> None:
    for name, value in shares.items():
        if not 0 < value < 1:
            raise ValueError(f"{name} must lie between 0 and 1, not {value}")
