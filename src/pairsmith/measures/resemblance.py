"""How alike the texts of many small groups are, all groups at once.

The similarity is that of `pairsmith.measures.similarity`. Texts of one group that share a 3-gram (or, both being short,
a word) lie beside each other once all features are sorted, so counting what each two share costs as much as they share.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.compiled import has_numba
from pairsmith.measures.hashing import mixed
from pairsmith.measures.shingles import Sets, features
from pairsmith.measures.vote_table import Floats, Ints

__all__ = ["similarities_within"]

_MIN_TEXTS_FOR_NUMBA = 5_000
_CODES_AT_A_TIME = 4_000_000


def similarities_within(texts: Sequence[str], groups: Ints, *, compiled: bool | None = None) -> tuple[Ints, Floats]:
    """The similarity of every two texts of one group that have anything in common.

    Args:
        texts: of all groups; memory grows with their number, so hand in some thousands at a time.
        groups: number of the group of each text, at least 0, shape (texts,).
        compiled: by numba; by default where it is installed and there are enough texts.

    Returns:
        Pairs of places in `texts`, the smaller first, each text with itself (if it has words) among them, shape (pairs,
        2), sorted; and their similarities in (0, 1].
    """
    if compiled is None:
        compiled = len(texts) >= _MIN_TEXTS_FOR_NUMBA and has_numba()
    codes, similarities = np.zeros(0, dtype=np.int64), np.zeros(0)
    for sets in features(texts, compiled=compiled):
        sizes = np.diff(sets.starts)
        found, shared = _shared(sets, groups)
        one, other = found // max(1, len(texts)), found % max(1, len(texts))
        codes = np.concatenate([codes, found])
        similarities = np.concatenate([similarities, shared / (sizes[one] + sizes[other] - shared)])
    distinct, place = np.unique(codes, return_inverse=True)
    largest = np.zeros(distinct.size)
    np.maximum.at(largest, place, similarities)
    return np.stack([distinct // max(1, len(texts)), distinct % max(1, len(texts))], axis=1), largest


def _shared(sets: Sets, groups: Ints) -> tuple[Ints, Ints]:
    """Pairs i * texts + j, i <= j, of one group that share features, and how many."""
    count = len(groups)
    owners = np.repeat(np.arange(count, dtype=np.uint64), np.diff(sets.starts))
    salted = mixed(sets.hashes ^ mixed(groups.astype(np.uint64) + np.uint64(1))[owners.astype(np.int64)])
    # Each key carries its text in its last bits: sorting it sorts both.
    low = np.uint64((1 << count.bit_length()) - 1)
    keyed = np.sort(salted & ~low | owners)
    key, owner = keyed & ~low, (keyed & low).astype(np.int64)
    places = np.arange(len(key))
    codes, counts, pending, waiting = np.zeros(0, np.int64), np.zeros(0, np.int64), list[NDArray[np.int64]](), 0
    step = 0
    while places.size:
        first, second = owner[places], owner[places + step]
        same = groups[first] == groups[second]
        pending.append((first * count + second)[same])
        waiting += places.size
        step += 1
        places = places[places + step < len(key)]
        places = places[key[places] == key[places + step]]
        if waiting >= _CODES_AT_A_TIME or not places.size:
            new, times = np.unique(np.concatenate(pending), return_counts=True)
            codes, back = np.unique(np.concatenate([codes, new]), return_inverse=True)
            counts = np.bincount(back, np.concatenate([counts, times]), codes.size).astype(np.int64)
            pending, waiting = [], 0
    return codes, counts
