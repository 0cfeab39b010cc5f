"""Finding near texts by sorting: keys that near texts share, and the pairs that meet under one key.

Each step works on a part of the texts or of the keys at a time, so it can be spread over machines: `band_records` and
`prefix_records` per batch of texts, `star_pairs` and `parted_pairs` per range of keys, `similarities` per batch of
pairs. Near is what `pairsmith.measures.similarity` calls near.

- MinHash bands propose all but about one in a thousand of the pairs at the threshold. Of the texts under one key only
  those beside each other and those beside the first are compared, so the work is linear. A pair proposed among texts
  in order of arrival is proposed whatever comes later.
- Prefixes propose every pair (Bayardo et al. 2007): two sets with a Jaccard similarity of t share one of the first
  n - ceil(t n) + 1 features of each, under any order of features that is the same for all sets; here rarest first.
"""

import math

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.clusters import jaccards
from pairsmith.measures.hashing import mixed
from pairsmith.measures.shingles import Sets, signatures
from pairsmith.measures.similarity import MULTIPLIERS, OFFSETS, bands_for

__all__ = [
    "band_records",
    "feature_counts",
    "parted_pairs",
    "prefix_records",
    "similarities",
    "star_pairs",
    "unique_pairs",
]

_ROW_BASE = np.uint64(0xE7037ED1A0B428DB)
_BAG_SPACE = np.uint64(0x5851F42D4C957F2D)
_BINS_BITS = 16
_PAIRS_AT_A_TIME = 4_000_000

_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]


def band_records(grams: Sets, bags: Sets, threshold: float, *, compiled: bool = False) -> tuple[_U64, _I64]:
    """One key per band of each text, and the number of the text: sorted by key, then text.

    `grams` and `bags` are what `shingles.features` gives. Texts without words have no keys.
    """
    bands, rows = bands_for(threshold)
    keys, texts = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    for space, sets in enumerate((grams, bags)):
        filled = np.flatnonzero(np.diff(sets.starts))
        used = bands * rows
        signed = signatures(sets, MULTIPLIERS.ravel()[:used], OFFSETS.ravel()[:used], compiled=compiled)[filled]
        for band in range(bands):
            key = np.full(len(filled), space * bands + band, dtype=np.uint64)
            for row in range(band * rows, band * rows + rows):
                key = key * _ROW_BASE + signed[:, row]
            keys.append(mixed(key))
            texts.append(filled)
    return _sorted(np.concatenate(keys), np.concatenate(texts))


def star_pairs(keys: _U64, texts: _I64) -> _I64:
    """Under each key, each text with the one before it and with the first; shape (pairs, 2), the smaller first.

    `keys` are sorted, and `texts` under each key.
    """
    new = np.ones(len(keys), dtype=np.bool_)
    new[1:] = keys[1:] != keys[:-1]
    same = np.flatnonzero(~new)
    first = texts[np.maximum.accumulate(np.where(new, np.arange(len(new)), 0))[same]]
    ones, others = np.concatenate([first, texts[same - 1]]), np.concatenate([texts[same], texts[same]])
    return unique_pairs(np.stack([ones, others], axis=1))


def unique_pairs(pairs: _I64) -> _I64:
    """Pairs without repetition and without (x, x), by the second and then the first number."""
    pairs = pairs[pairs[:, 0] != pairs[:, 1]]
    pairs = pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]
    new = np.ones(len(pairs), dtype=np.bool_)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[new]


def similarities(grams: Sets, bags: Sets, pairs: _I64, *, compiled: bool = False) -> NDArray[np.float64]:
    """The similarity of each pair of texts, in [0, 1]: that of their 3-grams, or of their words if both are short."""
    return np.maximum(jaccards(grams, pairs, compiled=compiled), jaccards(bags, pairs, compiled=compiled))


def feature_counts(grams: Sets, bags: Sets) -> _I64:
    """About how many texts hold each feature, by the first 16 bits of its hash; adds up over batches. Shape (2, 65536).

    A feature may share its count with others: the order by it is then worse, not wrong.
    """
    shift = np.uint64(64 - _BINS_BITS)
    counts = [np.bincount((sets.hashes >> shift).astype(np.int64), minlength=1 << _BINS_BITS) for sets in (grams, bags)]
    return np.stack(counts).astype(np.int64)


def prefix_records(grams: Sets, bags: Sets, counts: _I64, threshold: float) -> tuple[_U64, _I64]:
    """The rarest features of each text, of which near texts share at least one, and its number; sorted likewise.

    `counts` are those of `feature_counts`, of all texts that are compared.
    """
    keys, texts = [], []
    for space, sets in enumerate((grams, bags)):
        sizes = np.diff(sets.starts)
        owners = np.repeat(np.arange(len(sizes)), sizes)
        frequency = counts[space][(sets.hashes >> np.uint64(64 - _BINS_BITS)).astype(np.int64)]
        order = np.lexsort((sets.hashes, frequency, owners))
        lengths = np.array(
            [size - math.ceil(threshold * size - 1e-9) + 1 for size in range(int(sizes.max(initial=0)) + 1)]
        )
        rank = np.arange(len(owners)) - sets.starts[owners]
        chosen = order[rank < lengths[sizes[owners]]]  # owners come first in the order, so they stay where they are
        keys.append(mixed(sets.hashes[chosen] ^ (_BAG_SPACE * np.uint64(space))))
        texts.append(owners[chosen])
    return _sorted(np.concatenate(keys), np.concatenate(texts))


def parted_pairs(keys: _U64, texts: _I64, parts: NDArray[np.int16]) -> _I64:
    """Under each key, all pairs of texts whose `parts` differ; those in part -1 are left out. Sorted by key."""
    inside = parts >= 0
    keys, texts, parts = keys[inside], texts[inside], parts[inside]
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    if not starts.size:
        return np.zeros((0, 2), dtype=np.int64)
    stops = np.append(starts[1:], len(keys))
    mixed_buckets = np.flatnonzero(np.minimum.reduceat(parts, starts) != np.maximum.reduceat(parts, starts))
    found, size = [np.zeros((0, 2), dtype=np.int64)], 0
    for start, stop in zip(starts[mixed_buckets].tolist(), stops[mixed_buckets].tolist(), strict=True):
        for each in range(start, stop - 1):
            others = each + 1 + np.flatnonzero(parts[each + 1 : stop] != parts[each])
            ends = texts[others]
            here = np.full(len(ends), texts[each])
            found.append(np.stack([np.minimum(here, ends), np.maximum(here, ends)], axis=1))
            size += len(ends)
        if size > _PAIRS_AT_A_TIME:
            found = [unique_pairs(np.concatenate(found))]
            size = 0
    return unique_pairs(np.concatenate(found))


def _sorted(keys: _U64, texts: _I64) -> tuple[_U64, _I64]:
    order = np.lexsort((texts, keys))
    return keys[order], texts[order]
