"""The benchmark items whose words are most like those of a text: cosine of TF-IDF vectors of words and word pairs.

Unlike n-gram coverage this survives rewording of every third word, and unlike containment it cannot see an item inside
a long text. Weights come from the benchmark items alone, so that a text's neighbours depend on nothing but the text and
the items. Words that rare in the items that few have them propose an item; all words then decide its cosine.

Source: Manning, Raghavan, Schuetze, Introduction to Information Retrieval, ch. 6 (TF-IDF, cosine).
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.keys import gram_keys
from pairsmith.measures.shingles import read_all

__all__ = ["LexicalIndex", "Neighbours", "build_lexical", "nearest_items"]

_I64 = NDArray[np.int64]
_F64 = NDArray[np.float64]
_U64 = NDArray[np.uint64]

# Features of more items than this propose none of them: "which of the following" stands in thousands.
_PROPOSING = 300
_BLOCK = 64
_CELLS = 4_000_000
# A word or pair no item has may be the rewording of one; counted in full, three new words in ten hide a copy.
_UNKNOWN_SHARE = 0.3


class _Rows(NamedTuple):
    """Sparse rows: row i holds values[starts[i]:starts[i + 1]] in the columns of the same places, ascending."""

    starts: _I64
    columns: _I64
    values: _F64


class LexicalIndex(NamedTuple):
    """Texts by their words; made by `build_lexical`, picklable.

    Attributes:
        keys: hashes of the features, ascending.
        weights: inverse document frequency of each.
        rare: which of them propose items.
        items: unit vectors of the texts.
        holders: the same by feature: which texts have it, with what weight; only rare features.
        cells: text and feature of every value in `items` as one ascending number.
        unknown: the weight of a feature no text has; it only lengthens the vector of the text that is compared.
    """

    keys: _U64
    weights: _F64
    rare: NDArray[np.bool_]
    items: _Rows
    holders: _Rows
    cells: _I64
    unknown: float


class Neighbours(NamedTuple):
    """Pairs of a text and an item, by text and then by falling cosine."""

    texts: _I64
    items: _I64
    cosines: _F64


def build_lexical(items: Sequence[str]) -> LexicalIndex:
    """Index the texts `items`, numbered in order."""
    keys, owners, counts = _features(items)
    distinct, columns = np.unique(keys, return_inverse=True)
    frequency = np.bincount(columns, minlength=len(distinct))
    weights = np.log((1 + len(items)) / (1 + frequency)) + 1.0
    rows = _unit_rows(_Rows(np.searchsorted(owners, np.arange(len(items) + 1)), columns, counts * weights[columns]))
    rare = frequency <= _PROPOSING
    chosen = np.flatnonzero(rare[columns])
    chosen = chosen[np.argsort(columns[chosen], kind="stable")]
    holders = _Rows(np.searchsorted(columns[chosen], np.arange(len(distinct) + 1)), owners[chosen], rows.values[chosen])
    cells = owners * len(distinct) + columns
    return LexicalIndex(
        distinct, weights, rare, rows, holders, cells, float(_UNKNOWN_SHARE * (np.log(1 + len(items)) + 1.0))
    )


def nearest_items(index: LexicalIndex, texts: Sequence[str], *, floor: float, most: int = 5) -> Neighbours:
    """The items most like each text.

    Args:
        index: what to look for.
        texts: any number; the cost is linear in it.
        floor: smallest cosine, in (0, 1].
        most: at most so many items of each text.
    """
    count = len(index.items.starts) - 1
    if not len(index.keys) or not texts:
        return Neighbours(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))
    size = max(1, min(_BLOCK, _CELLS // count))
    found = [_nearest(index, texts[start : start + size], start, floor, most) for start in range(0, len(texts), size)]
    return Neighbours(*(np.concatenate([getattr(part, name) for part in found]) for name in Neighbours._fields))


def _nearest(index: LexicalIndex, texts: Sequence[str], first: int, floor: float, most: int) -> Neighbours:
    queries = _queries(index, texts)
    owners = np.repeat(np.arange(len(texts)), np.diff(queries.starts))
    places, pairs = _proposals(index, queries, owners)
    count = len(index.items.starts) - 1
    partial: _F64 = np.bincount(pairs, weights=places).astype(np.float64)
    proposed = np.flatnonzero(partial)
    proposed = _largest(proposed // count, partial[proposed], proposed, 4 * most)
    cosines = _cosines(index, queries, proposed // count, proposed % count)
    kept = cosines >= floor
    proposed, cosines = proposed[kept], cosines[kept]
    best = _largest(proposed // count, cosines, np.arange(len(proposed)), most)
    return Neighbours(proposed[best] // count + first, proposed[best] % count, cosines[best])


def _queries(index: LexicalIndex, texts: Sequence[str]) -> _Rows:
    """Unit vectors of texts in the columns of the index; what the index does not know counts in their length only."""
    keys, owners, counts = _features(texts)
    places = np.minimum(np.searchsorted(index.keys, keys), len(index.keys) - 1)
    known = index.keys[places] == keys
    values = counts * np.where(known, index.weights[places], index.unknown)
    rows = _unit_rows(_Rows(np.searchsorted(owners, np.arange(len(texts) + 1)), places, values))
    starts = np.searchsorted(owners[known], np.arange(len(texts) + 1))
    return _Rows(starts, places[known], rows.values[known])


def _proposals(index: LexicalIndex, queries: _Rows, owners: _I64) -> tuple[_F64, _I64]:
    """For each rare feature of a query and each holder of it: what it adds, and the pair as query * items + item."""
    chosen = np.flatnonzero(index.rare[queries.columns])
    columns = queries.columns[chosen]
    begins, sizes = index.holders.starts[columns], np.diff(index.holders.starts)[columns]
    which = np.repeat(np.arange(len(chosen)), sizes)
    places = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + begins[which]
    added = queries.values[chosen][which] * index.holders.values[places]
    return added, owners[chosen][which] * (len(index.items.starts) - 1) + index.holders.columns[places]


def _cosines(index: LexicalIndex, queries: _Rows, owners: _I64, items: _I64) -> _F64:
    """The cosine of each pair, over all features."""
    sizes = np.diff(queries.starts)[owners]
    which = np.repeat(np.arange(len(owners)), sizes)
    places = np.arange(len(which)) - np.repeat(np.cumsum(sizes) - sizes, sizes) + queries.starts[owners][which]
    wanted = items[which] * len(index.keys) + queries.columns[places]
    at = np.minimum(np.searchsorted(index.cells, wanted), len(index.cells) - 1)
    products = queries.values[places] * np.where(index.cells[at] == wanted, index.items.values[at], 0.0)
    cosines: _F64 = np.bincount(which, weights=products, minlength=len(owners)).astype(np.float64)
    return cosines


def _largest(groups: _I64, scores: _F64, values: _I64, most: int) -> _I64:
    """Of the values of each group those with the largest scores; by group, then falling score, then value."""
    order = np.lexsort((values, -scores, groups))
    groups = groups[order]
    rank = np.arange(len(order)) - np.searchsorted(groups, groups)
    chosen: _I64 = values[order[rank < most]]
    return chosen


def _unit_rows(rows: _Rows) -> _Rows:
    sizes = np.diff(rows.starts)
    owners = np.repeat(np.arange(len(sizes)), sizes)
    norms = np.sqrt(np.bincount(owners, weights=rows.values**2, minlength=len(sizes)))
    return rows._replace(values=rows.values / norms[owners])


def _features(texts: Sequence[str]) -> tuple[_U64, _I64, _F64]:
    """Words and pairs of neighbouring words: hash, text and how often, by text and then by hash."""
    words = read_all(texts)
    single, first = gram_keys(words, 1)
    double, second = gram_keys(words, 2)
    keys = np.concatenate([single, double])
    owners = np.concatenate([words.texts[first], words.texts[second]])
    order = np.lexsort((keys, owners))
    keys, owners = keys[order], owners[order]
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = (keys[1:] != keys[:-1]) | (owners[1:] != owners[:-1])
    starts = np.flatnonzero(new)
    return keys[starts], owners[starts], np.diff(np.append(starts, len(keys))).astype(np.float64)
