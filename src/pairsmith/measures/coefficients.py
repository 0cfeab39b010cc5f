"""Chance-corrected agreement as plain formulas over vote counts.

Everything here is a function of how many votes each category of an item got, so equal items are handled once:

- `counts[p, c]`: votes for category c in an item of pattern p;
- `weights[..., p]`: how many items have that pattern. Leading axes are bootstrap replicates.

Results have the shape of the leading axes; NaN where a coefficient is undefined.

**Sides are names.** In a comparison nothing makes one response the first, yet plain coefficients depend on which one
is called `a`: with the stronger model always first, 100 votes with 82 % agreement have alpha -0.09, with random
names 0.64. With `flip` (the category each one becomes when the sides change names) every coefficient is
*side-symmetrised*: category frequencies are averaged over both namings, so renaming the sides of any items changes
nothing.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "cohen_kappa",
    "fleiss_kappa",
    "gwet_ac",
    "krippendorff_alpha",
    "leave_one_out",
    "macro_agreement",
    "ordinal_weights",
    "pooled_agreement",
]

Array = NDArray[np.float64]
Flip = Sequence[int] | None


def _ratio(numerator: Array, denominator: Array) -> Array:
    """Element-wise quotient, NaN where the denominator is zero."""
    safe = np.where(denominator > 0, denominator, 1.0)
    quotient: Array = np.where(denominator > 0, numerator / safe, np.nan)
    return quotient


def _corrected(observed: Array, expected: Array) -> Array:
    """(observed - expected) / (1 - expected); NaN where chance alone explains everything."""
    room = 1.0 - expected
    return _ratio(observed - expected, np.where(room > 1e-12, room, 0.0))


def _symmetric(frequencies: Array, flip: Flip) -> Array:
    """Category frequencies averaged over both namings of the sides (last axis)."""
    if flip is None:
        return frequencies
    both: Array = (frequencies + frequencies[..., list(flip)]) / 2
    return both


def _several(counts: Array) -> Array:
    """1.0 for patterns with at least two votes, else 0.0."""
    several: Array = (counts.sum(axis=1) >= 2).astype(np.float64)
    return several


def pooled_agreement(counts: Array, weights: Array) -> Array:
    """Share of pairs of votes on one item that are equal, pooled over items, in [0, 1]."""
    votes = counts.sum(axis=1)
    equal = (counts * (counts - 1)).sum(axis=1) / 2
    return _ratio(weights @ equal, weights @ (votes * (votes - 1) / 2))


def macro_agreement(counts: Array, weights: Array) -> Array:
    """Mean over items of the share of equal pairs of votes, in [0, 1]; items with one vote do not count."""
    return _ratio(weights @ _item_agreement(counts), weights @ _several(counts))


def _item_agreement(counts: Array, category_weights: Array | None = None) -> Array:
    """Per pattern: (weighted) share of agreeing pairs of votes, 0 with fewer than two votes."""
    votes = counts.sum(axis=1)
    similar = counts if category_weights is None else counts @ category_weights
    pairs = np.where(votes >= 2, votes * (votes - 1), 1.0)
    agreeing: Array = (counts * (similar - 1)).sum(axis=1) / pairs * (votes >= 2)
    return agreeing


def leave_one_out(counts: Array, weights: Array) -> Array:
    """Mean over items of how often a vote equals the mode of the others, in [0, 1].

    Where the others have several modes the expectation of a random choice counts (1 / number of modes), so the
    figure needs no seed. AlpacaEval's human agreement.
    """
    categories = counts.shape[1]
    hits = np.zeros(counts.shape[0])
    for category in range(categories):
        others = counts.copy()
        others[:, category] -= 1
        top = others.max(axis=1)
        modes = (others == top[:, None]).sum(axis=1)
        hits += counts[:, category] * (others[:, category] == top) / modes
    several = _several(counts)
    per_item = hits / np.maximum(counts.sum(axis=1), 1) * several
    return _ratio(weights @ per_item, weights @ several)


def fleiss_kappa(counts: Array, weights: Array, flip: Flip = None) -> Array:
    """Fleiss' kappa generalised to any number of votes per item, in [-1, 1].

    Observed agreement is the mean over items with two or more votes; category frequencies are means over all items
    with a vote (Gwet 2014, as in irrCAC). With equal numbers of votes this is Fleiss 1971.
    """
    frequencies = _frequencies(counts, weights, flip)
    return _corrected(macro_agreement(counts, weights), (frequencies**2).sum(axis=-1))


def gwet_ac(counts: Array, weights: Array, flip: Flip = None, category_weights: Array | None = None) -> Array:
    """Gwet's AC1, or AC2 with `category_weights`, in [-1, 1]. Defined also where almost all votes are equal.

    The number of categories is the number that occur in `counts` (under either naming, with `flip`).
    """
    used = _symmetric(counts.sum(axis=0), flip) > 0
    categories = int(used.sum())
    observed = _ratio(weights @ _item_agreement(counts, category_weights), weights @ _several(counts))
    if categories < 2:
        return np.full_like(observed, np.nan)
    frequencies = _frequencies(counts, weights, flip)
    total = float(categories if category_weights is None else category_weights[np.ix_(used, used)].sum())
    expected = total * (frequencies * (1 - frequencies)).sum(axis=-1) / (categories * (categories - 1))
    return _corrected(observed, expected)


def _frequencies(counts: Array, weights: Array, flip: Flip) -> Array:
    votes = counts.sum(axis=1)
    shares = counts / np.maximum(votes, 1)[:, None]
    items = weights @ (votes > 0).astype(np.float64)
    return _symmetric(_ratio(weights @ shares, np.asarray(items)[..., None]), flip)


def krippendorff_alpha(counts: Array, weights: Array, flip: Flip = None, *, ordinal: bool = False) -> Array:
    """Krippendorff's alpha, nominal or ordinal (categories in the order of the columns), at most 1.

    Items with one vote carry no information and are left out, as in Krippendorff 2011.
    """
    categories = counts.shape[1]
    others = np.maximum(counts.sum(axis=1) - 1, 1)
    per_pattern = counts[:, :, None] * (counts[:, None, :] - np.eye(categories)) / others[:, None, None]
    per_pattern *= _several(counts)[:, None, None]
    flat = weights @ per_pattern.reshape(-1, categories**2)
    coincidences = flat.reshape(*flat.shape[:-1], categories, categories)
    if flip is not None:
        coincidences = (coincidences + coincidences[..., list(flip), :][..., list(flip)]) / 2
    totals = coincidences.sum(axis=-1)
    distance = _ordinal_distance(totals) if ordinal else 1.0 - np.eye(categories)
    votes = totals.sum(axis=-1)
    observed = (coincidences * distance).sum(axis=(-2, -1))
    expected = (totals[..., :, None] * totals[..., None, :] * distance).sum(axis=(-2, -1))
    return 1.0 - _ratio((votes - 1) * observed, expected)


def _ordinal_distance(totals: Array) -> Array:
    """Krippendorff's ordinal metric: squared number of votes that lie between two categories."""
    upto = totals.cumsum(axis=-1)
    middle = upto - totals / 2
    distance: Array = (middle[..., :, None] - middle[..., None, :]) ** 2
    return distance


def ordinal_weights(categories: int) -> Array:
    """Agreement weights in [0, 1] for Gwet's AC2 with ordered categories (irrCAC's `ordinal`)."""
    steps = np.abs(np.subtract.outer(np.arange(categories), np.arange(categories))) + 1.0
    pairs = steps * (steps - 1) / 2
    weights: Array = 1.0 - pairs / max(pairs.max(), 1.0)
    return weights


def cohen_kappa(tables: Array, flip: Flip = None) -> Array:
    """Cohen's kappa, in [-1, 1], of tables[..., c, k]: items where one annotator said c and the other k."""
    if flip is not None:
        tables = (tables + tables[..., list(flip), :][..., list(flip)]) / 2
    items = tables.sum(axis=(-2, -1))
    observed = _ratio(np.trace(tables, axis1=-2, axis2=-1), items)
    chance = (tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1)
    return _corrected(observed, _ratio(chance, items**2))
