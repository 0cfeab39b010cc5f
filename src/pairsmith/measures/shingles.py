"""Sets of features of many texts at once, and their MinHash signatures: compiled by numba, or by numpy alone."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.compiled import with_numba
from pairsmith.measures.hashing import (
    Words,
    concatenate,
    fold_table,
    hash_words,
    joined_words,
    mixed,
)
from pairsmith.measures.keys import gram_keys, text_keys

__all__ = ["SHINGLE_WORDS", "SHORT_WORDS", "Sets", "features", "read_all", "signatures"]

SHINGLE_WORDS = 3
SHORT_WORDS = 12

_U64 = NDArray[np.uint64]
_U32 = NDArray[np.uint32]
_I64 = NDArray[np.int64]

# Texts read at a time, so that what is needed meanwhile stays small.
_TEXTS_AT_A_TIME = 4096
_FEATURES_AT_A_TIME = 8192


class Sets(NamedTuple):
    """Sets of hashes: that of text i is hashes[starts[i]:starts[i + 1]], sorted and without repetition."""

    hashes: _U64
    starts: _I64


def features(texts: Sequence[str], *, compiled: bool = False) -> tuple[Sets, Sets]:
    """The word 3-grams of each text (all its words as one, if it has fewer), and the words of the short ones."""
    grams, bags = [], []
    for start in range(0, len(texts), _TEXTS_AT_A_TIME):
        batch = texts[start : start + _TEXTS_AT_A_TIME]
        each = _by_numba(batch) if compiled else _by_numpy(read_all(batch), len(batch))
        grams.append(each[0])
        bags.append(each[1])
    return _joined(grams), _joined(bags)


def _by_numpy(words: Words, count: int) -> tuple[Sets, Sets]:
    counts = np.bincount(words.texts, minlength=count)
    keys, first = gram_keys(words, SHINGLE_WORDS)
    brief = np.flatnonzero((counts > 0) & (counts < SHINGLE_WORDS))
    chosen = np.isin(words.texts, brief)
    whole = text_keys(words.hashes[chosen], np.flatnonzero(np.diff(words.texts[chosen], prepend=-1)))
    grams = _sets(np.concatenate([keys, whole]), np.concatenate([words.texts[first], brief]), count)
    short = counts[words.texts] <= SHORT_WORDS
    return grams, _sets(mixed(words.hashes[short]), words.texts[short], count)


def _by_numba(texts: Sequence[str]) -> tuple[Sets, Sets]:
    from pairsmith.measures.shingle_kernel import HELPERS, shingle_each

    run = with_numba(shingle_each, *HELPERS)
    plain = run(*concatenate(texts), False, fold_table())
    unread = np.flatnonzero(plain[4])
    found = Sets(plain[0], plain[1]), Sets(plain[2], plain[3])
    if not unread.size:
        return found
    more = run(*concatenate([joined_words(texts[place]) for place in unread.tolist()]), True, fold_table())
    return _merged(found[0], Sets(more[0], more[1]), unread), _merged(found[1], Sets(more[2], more[3]), unread)


def _merged(sets: Sets, more: Sets, places: _I64) -> Sets:
    """`more` in the places of `sets`, which are empty."""
    sizes = np.diff(sets.starts)
    owners = np.concatenate([np.repeat(np.arange(len(sizes)), sizes), np.repeat(places, np.diff(more.starts))])
    sizes[places] = np.diff(more.starts)
    hashes = np.concatenate([sets.hashes, more.hashes])[np.argsort(owners, kind="stable")]
    return Sets(hashes, np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)]))


def read_all(texts: Sequence[str]) -> Words:
    """The words of all texts, also of those that cannot be read plainly."""
    plain = hash_words(*concatenate(texts))
    unread = np.flatnonzero(plain.context)
    if not unread.size:
        return plain
    more = hash_words(*concatenate([joined_words(texts[place]) for place in unread.tolist()]), joined=True)
    owners = np.concatenate([plain.texts, unread[more.texts]])
    order = np.argsort(owners, kind="stable")
    hashes = np.concatenate([plain.hashes, more.hashes])[order]
    places = np.zeros(len(order), dtype=np.int64)  # nobody asks where these words stand
    return Words(hashes, owners[order], places, places, np.zeros(len(texts), dtype=np.bool_))


def _sets(hashes: _U64, owners: _I64, count: int) -> Sets:
    order = np.lexsort((hashes, owners))
    hashes, owners = hashes[order], owners[order]
    new = np.ones(len(hashes), dtype=np.bool_)
    new[1:] = (hashes[1:] != hashes[:-1]) | (owners[1:] != owners[:-1])
    return Sets(hashes[new], np.searchsorted(owners[new], np.arange(count + 1)))


def _joined(parts: Sequence[Sets]) -> Sets:
    if not parts:
        return Sets(np.zeros(0, dtype=np.uint64), np.zeros(1, dtype=np.int64))
    starts = [np.zeros(1, dtype=np.int64)]
    for part in parts:
        starts.append(part.starts[1:] + starts[-1][-1])
    return Sets(np.concatenate([part.hashes for part in parts]), np.concatenate(starts))


def signatures(sets: Sets, multipliers: _U64, offsets: _U64, *, compiled: bool = False) -> _U32:
    """MinHash signatures, shape (sets, permutations); those of empty sets are all ones.

    Args:
        sets: hashes whose high bits depend on all bits.
        multipliers: odd, one per permutation.
        offsets: one per permutation.
        compiled: by numba; the result is the same.
    """
    count = len(sets.starts) - 1
    rows = np.full((count, len(multipliers)), 0xFFFFFFFF, dtype=np.uint32)
    if compiled:
        with_numba(_sign_each)(sets.hashes, sets.starts, multipliers, offsets, rows)
        return rows
    filled = np.flatnonzero(np.diff(sets.starts))
    bounds = sets.starts[filled]
    batch = np.searchsorted(bounds, np.arange(0, len(sets.hashes), _FEATURES_AT_A_TIME))
    edges = np.unique(np.append(batch, len(filled)))
    for low, high in pairwise(edges.tolist()):
        first, last = bounds[low], sets.starts[filled[high - 1] + 1]
        values = (sets.hashes[first:last, None] * multipliers + offsets) >> np.uint64(32)
        rows[filled[low:high]] = np.minimum.reduceat(values, bounds[low:high] - first, axis=0)
    return rows


def _sign_each(hashes: _U64, starts: _I64, multipliers: _U64, offsets: _U64, rows: _U32) -> None:
    for text in range(len(starts) - 1):
        smallest = rows[text]
        for place in range(starts[text], starts[text + 1]):
            value = hashes[place]
            for each in range(len(multipliers)):
                smallest[each] = min(
                    smallest[each], np.uint32((value * multipliers[each] + offsets[each]) >> np.uint64(32))
                )
