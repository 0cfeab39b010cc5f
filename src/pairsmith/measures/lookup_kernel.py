"""`lookup.look_up` text by text, for numba. Imported only with numba."""

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures import reading_kernel
from pairsmith.measures.keys import GRAM_BASE, TEXT_BASE
from pairsmith.measures.lookup import FILTER_SHIFT, Table, filter_bits
from pairsmith.measures.reading_kernel import Desk, desk_for, mixed_word, read_words, word_begin, word_end

__all__ = ["HELPERS", "look_up_each", "text_key"]

_U8 = NDArray[np.uint8]
_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]


def look_up_each(
    data: _U8, offsets: _I64, ngram: int, grams: Table, exact: Table, joined: bool, fold: NDArray[np.uint32]
) -> tuple[_I64, _I64, _I64, _I64, _I64, _I64, _I64, _I64, NDArray[np.bool_]]:
    """The fields of `lookup.Found`."""
    texts, longest = len(offsets) - 1, 0
    for text in range(texts):
        longest = max(longest, offsets[text + 1] - offsets[text])
    desk, hashes = desk_for(longest), np.empty(longest // 2 + 2, dtype=np.uint64)
    keys, places = np.empty_like(hashes), np.empty(len(hashes), dtype=np.int64)
    rows = np.zeros((1024, 5), dtype=np.int64)
    exact_of, context = np.full(texts, -1, dtype=np.int64), np.zeros(texts, dtype=np.bool_)
    exact_begins, exact_ends = np.zeros(texts, dtype=np.int64), np.zeros(texts, dtype=np.int64)
    for text in range(texts):
        at, end = offsets[text], offsets[text + 1]
        count, foreign, parts = read_words(data, at, end, joined, fold, desk, hashes)
        if count <= 0:
            context[text] = count < 0
            continue
        before = rows[0, 0]
        rows = _match_grams(text, hashes[:count], ngram, grams, keys, places, rows)
        for row in range(before + 1, rows[0, 0] + 1):
            rows[row, 3] = word_begin(desk, at, foreign, rows[row, 2])
            rows[row, 4] = word_end(desk, at, foreign, rows[row, 2] + ngram - 1)
        number, first, after = -1, 0, count
        # A text that is an item begins with an n-gram of it, if it is long enough to have one.
        if count < ngram or (rows[0, 0] > before and rows[before + 1, 2] == 0):
            number = _position(exact, text_key(hashes, 0, count))
        if number < 0 and parts:
            number, first, after = _match_parts(data, at, foreign, desk, hashes[:count], exact)
        if number >= 0:
            exact_of[text] = number
            exact_begins[text] = word_begin(desk, at, foreign, first)
            exact_ends[text] = word_end(desk, at, foreign, after - 1)
    rows = rows[1 : rows[0, 0] + 1]
    found = (rows[:, 0].copy(), rows[:, 1].copy(), rows[:, 2].copy(), rows[:, 3].copy(), rows[:, 4].copy())
    return (*found, exact_of, exact_begins, exact_ends, context)


def _match_grams(text: int, words: _U64, ngram: int, grams: Table, keys: _U64, places: _I64, rows: _I64) -> _I64:
    """The rows with one more for each n-gram found: text, number, first word; rows[0, 0] counts them.

    `keys` and `places` are room for as many n-grams as there are words.
    """
    # Two loops: looks into the filter, which no branch holds up, overlap; few n-grams are left for the second.
    likely = _likely_grams(words, ngram, grams.filter, grams.mask, keys, places)
    used = rows[0, 0]
    for each in range(likely):
        number = _position(grams, keys[each])
        if number >= 0:
            used += 1
            if used == rows.shape[0]:
                rows = _grow(rows)
            rows[used, 0], rows[used, 1], rows[used, 2] = text, number, places[each]
    rows[0, 0] = used
    return rows


def _likely_grams(words: _U64, ngram: int, bloom: _U64, mask: np.uint64, keys: _U64, places: _I64) -> int:
    """Key and first word of each n-gram that passes the filter; how many they are."""
    leaving, key, last = np.uint64(1), np.uint64(0), np.uint64(0)
    for place in range(ngram):
        leaving *= GRAM_BASE
        if place < min(ngram - 1, len(words)):
            key = key * GRAM_BASE + words[place]
    likely = 0
    for first in range(len(words) - ngram + 1):
        key = key * GRAM_BASE + (words[first + ngram - 1] - leaving * last)
        last = words[first]
        keys[likely], places[likely] = mixed_word(key), first
        bits = filter_bits(keys[likely])
        likely += bloom[keys[likely] >> FILTER_SHIFT & mask] & bits == bits
    return likely


def _position(table: Table, key: np.uint64) -> int:
    """The place of the key among the keys of a table, or -1."""
    bucket = key >> table.shift
    for place in range(table.buckets[bucket], table.buckets[bucket + np.uint64(1)]):
        if table.keys[place] == key:
            return place
    return -1


def _grow(rows: _I64) -> _I64:
    larger = np.empty((2 * rows.shape[0], rows.shape[1]), dtype=np.int64)
    larger[: rows.shape[0]] = rows
    return larger


def text_key(hashes: _U64, start: int, stop: int) -> np.uint64:
    """`keys.text_keys` of one run of words."""
    key = np.uint64(0)
    for word in range(start, stop):
        key = key * TEXT_BASE + hashes[word]
    return mixed_word(key)


def _match_parts(data: _U8, at: int, foreign: bool, desk: Desk, hashes: _U64, exact: Table) -> tuple[int, int, int]:
    """The first part that is an item: its number, or -1, its first word and the word after its last."""
    first, count = 0, len(hashes)
    for word in range(1, count + 1):
        apart = word == count
        if not apart:
            for place in range(word_end(desk, at, foreign, word - 1), word_begin(desk, at, foreign, word)):
                apart = apart or data[place] == 0x1E
        if apart:
            number = _position(exact, text_key(hashes, first, word))
            if number >= 0:
                return number, first, word
            first = word
    return -1, 0, 0


HELPERS = (*reading_kernel.HELPERS, filter_bits, _match_grams, _likely_grams, _position, _grow, text_key, _match_parts)
"""What `compiled.with_numba` must be told to compile `look_up_each`."""
