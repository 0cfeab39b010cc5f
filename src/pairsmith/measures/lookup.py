"""Which n-grams of an index stand in a batch of texts, and which texts equal an item: compiled, or by numpy.

An n-gram is a number of 64 bits made of the hashes of its words. Two different n-grams have the same number with a
probability of 2**-64, so equal numbers are taken for equal words.
"""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.compiled import has_numba, with_numba
from pairsmith.measures.hashing import Words, fold_table, hash_words
from pairsmith.measures.keys import gram_keys, text_keys

__all__ = ["FILTER_SHIFT", "Found", "Table", "filter_bits", "look_up", "make_table", "use_numba"]

_U8 = NDArray[np.uint8]
_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]

_FILTER_BITS_PER_KEY = 8  # rounded up to a power of two words: 8 to 16
FILTER_SHIFT = np.uint64(18)
# Below this, loading the compiled code takes longer than it saves.
_MIN_BYTES_FOR_NUMBA = 2_000_000


class Table(NamedTuple):
    """A set of 64-bit keys, sorted, with what makes asking for one fast; made by `make_table`.

    The keys whose first bits are b are keys[buckets[b]:buckets[b + 1]]. `filter` is a Bloom filter: three bits of
    one of its words are set for each key (`filter_bits`), so that 99 of 100 questions end after one look into it.
    """

    keys: _U64
    buckets: NDArray[np.uint32]
    shift: np.uint64
    filter: _U64
    mask: np.uint64


class Found(NamedTuple):
    """What stands where. The first five have one entry per n-gram found, in the order of the texts and words.

    Attributes:
        texts: number of the text.
        grams: number of the n-gram, as in the keys of the table.
        places: number of its first word within the text.
        begins: first byte of its first word.
        ends: byte after its last word.
        exact: per text, the number of the text key that the whole text, else the first of its parts, has; or -1.
        exact_begins: per text, where that begins.
        exact_ends: per text, where it ends.
        context: per text, whether it could not be read and nothing was looked for (see `hashing`).
    """

    texts: _I64
    grams: _I64
    places: _I64
    begins: _I64
    ends: _I64
    exact: _I64
    exact_begins: _I64
    exact_ends: _I64
    context: NDArray[np.bool_]


def make_table(keys: _U64) -> Table:
    """The table of distinct sorted keys."""
    bits = max(1, len(keys).bit_length())
    shift = np.uint64(64 - bits)
    buckets = np.zeros((1 << bits) + 1, dtype=np.uint32)
    np.cumsum(np.bincount((keys >> shift).astype(np.int64), minlength=1 << bits), out=buckets[1:])
    size = 1 << max(0, (len(keys) * _FILTER_BITS_PER_KEY // 64).bit_length())
    mask = np.uint64(size - 1)
    bloom = np.zeros(size, dtype=np.uint64)
    np.bitwise_or.at(bloom, ((keys >> FILTER_SHIFT) & mask).astype(np.int64), filter_bits(keys))
    return Table(keys, buckets, shift, bloom, mask)


def filter_bits(keys: Any) -> Any:
    """Which bits of a word of the filter a key has; of one key or of an array."""
    one, six, last = np.uint64(1), np.uint64(6), np.uint64(63)
    return one << (keys & last) | one << (keys >> six & last) | one << (keys >> (six + six) & last)


def use_numba(size: int) -> bool:
    """Whether texts of so many bytes are worth loading the compiled code for."""
    return size >= _MIN_BYTES_FOR_NUMBA and has_numba()


def look_up(
    data: _U8, offsets: _I64, ngram: int, grams: Table, exact: Table, *, joined: bool = False, compiled: bool = False
) -> Found:
    """Find the n-grams of `grams` and the whole texts of `exact` in the texts data[offsets[i]:offsets[i + 1]].

    Args:
        data: UTF-8, bytes as uint8.
        offsets: int64, one more than texts.
        ngram: words per n-gram.
        grams: keys of n-grams.
        exact: keys of whole texts.
        joined: whether the texts come from `joined_words`.
        compiled: by numba, otherwise by numpy; the result is the same.
    """
    if compiled:
        from pairsmith.measures.lookup_kernel import HELPERS, look_up_each

        data = data.view()
        data.flags.writeable = False  # one type for all buffers, so that one compilation serves them all
        run = with_numba(look_up_each, *HELPERS)
        return Found(*run(data, offsets, ngram, grams, exact, joined, fold_table()))
    words = hash_words(data, offsets, joined=joined)
    return _look_up_all(words, data, offsets, ngram, grams, exact)


def _positions(table: Table, keys: _U64) -> _I64:
    """The place of each key in the table, or -1."""
    bits = filter_bits(keys)
    likely = np.flatnonzero(table.filter[((keys >> FILTER_SHIFT) & table.mask).astype(np.int64)] & bits == bits)
    found = np.full(len(keys), -1, dtype=np.int64)
    if likely.size and table.keys.size:
        places = np.minimum(np.searchsorted(table.keys, keys[likely]), len(table.keys) - 1)
        found[likely] = np.where(table.keys[places] == keys[likely], places, -1)
    return found


def _look_up_all(words: Words, data: _U8, offsets: _I64, ngram: int, grams: Table, exact: Table) -> Found:
    keys, first = gram_keys(words, ngram)
    numbers = _positions(grams, keys)
    there = np.flatnonzero(numbers >= 0)
    first, numbers = first[there], numbers[there]
    texts = words.texts[first]
    count = len(offsets) - 1
    begin_of_text = np.searchsorted(words.texts, np.arange(count))
    exact_of, begins, ends = (np.full(count, value, dtype=np.int64) for value in (-1, 0, 0))
    part_starts = np.unique(np.concatenate([offsets[:-1], np.flatnonzero(data == 0x1E)]))
    parts = np.searchsorted(part_starts, words.begins, side="right")
    for units in (parts, words.texts):  # the whole text comes last and wins
        starts = np.flatnonzero(np.diff(units, prepend=-1))
        found = _positions(exact, text_keys(words.hashes, starts))
        stops = np.append(starts[1:], len(units))
        for unit in np.flatnonzero(found >= 0)[::-1]:  # the first part wins
            text = words.texts[starts[unit]]
            exact_of[text] = found[unit]
            begins[text], ends[text] = words.begins[starts[unit]], words.ends[stops[unit] - 1]
    return Found(
        texts,
        numbers,
        first - begin_of_text[texts],
        words.begins[first],
        words.ends[first + ngram - 1],
        exact_of,
        begins,
        ends,
        words.context,
    )
