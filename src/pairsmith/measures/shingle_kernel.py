"""`shingles.features` text by text, for numba. Imported only with numba."""

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures import reading_kernel
from pairsmith.measures.keys import GRAM_BASE
from pairsmith.measures.lookup_kernel import text_key
from pairsmith.measures.reading_kernel import desk_for, mixed_word, read_words
from pairsmith.measures.shingles import SHINGLE_WORDS, SHORT_WORDS

__all__ = ["HELPERS", "shingle_each"]

_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]


def shingle_each(
    data: NDArray[np.uint8], offsets: _I64, joined: bool, fold: NDArray[np.uint32]
) -> tuple[_U64, _I64, _U64, _I64, NDArray[np.bool_]]:
    """3-grams and where those of each text begin, words of short texts likewise, and which texts were not read."""
    texts, room = len(offsets) - 1, len(data) // 2 + 2
    desk, words = desk_for(int(np.diff(offsets).max()) if texts else 0), np.empty(room, np.uint64)
    grams, gram_starts = np.empty(room + texts, np.uint64), np.zeros(texts + 1, np.int64)
    bags, bag_starts = np.empty(room + texts, np.uint64), np.zeros(texts + 1, np.int64)
    context = np.zeros(texts, np.bool_)
    for text in range(texts):
        used, held = gram_starts[text], bag_starts[text]
        count, _, _ = read_words(data, offsets[text], offsets[text + 1], joined, fold, desk, words)
        context[text] = count < 0
        if count > 0:
            used += _keep_distinct(grams, used, _shingle(words, count, grams, used))
            if count <= SHORT_WORDS:
                for word in range(count):
                    bags[held + word] = mixed_word(words[word])
                held += _keep_distinct(bags, held, count)
        gram_starts[text + 1], bag_starts[text + 1] = used, held
    return grams[: gram_starts[texts]].copy(), gram_starts, bags[: bag_starts[texts]].copy(), bag_starts, context


def _shingle(words: _U64, count: int, grams: _U64, at: int) -> int:
    """Write the 3-grams of the words from `at` on; how many they are."""
    if count < SHINGLE_WORDS:
        grams[at] = text_key(words, 0, count)
        return 1
    for first in range(count - SHINGLE_WORDS + 1):
        key = words[first]
        for place in range(1, SHINGLE_WORDS):
            key = key * GRAM_BASE + words[first + place]
        grams[at + first] = mixed_word(key)
    return count - SHINGLE_WORDS + 1


def _keep_distinct(values: _U64, at: int, count: int) -> int:
    """Sort `count` values from `at` on and push out repetitions; how many are left."""
    values[at : at + count].sort()
    kept = 0
    for place in range(at, at + count):
        if kept == 0 or values[place] != values[at + kept - 1]:
            values[at + kept] = values[place]
            kept += 1
    return kept


HELPERS = (*reading_kernel.HELPERS, text_key, _shingle, _keep_distinct)
"""What `compiled.with_numba` must be told to compile `shingle_each`."""
