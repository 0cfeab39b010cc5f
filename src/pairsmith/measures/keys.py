"""One number for several words: of n-grams and of whole texts, the same in numba and in numpy."""

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.hashing import Words, mixed

__all__ = ["GRAM_BASE", "TEXT_BASE", "gram_keys", "text_keys"]

GRAM_BASE = np.uint64(0xD6E8FEB86659FD93)
"""The key of an n-gram is the polynomial in this number whose coefficients are the hashes of its words, mixed."""
TEXT_BASE = np.uint64(0xA0761D6478BD642F)

_U64 = NDArray[np.uint64]
_I64 = NDArray[np.int64]


def gram_keys(words: Words, ngram: int) -> tuple[_U64, _I64]:
    """The keys of all n-grams of each text, and the number of the first word of each, counted over all texts."""
    count = max(0, len(words.hashes) - ngram + 1)
    keys = np.zeros(count, dtype=np.uint64)
    for place in range(ngram):
        keys = keys * GRAM_BASE + words.hashes[place : place + count]
    first = np.flatnonzero(words.texts[:count] == words.texts[ngram - 1 :]) if count else np.zeros(0, dtype=np.int64)
    return mixed(keys[first]), first


def text_keys(hashes: _U64, starts: _I64) -> _U64:
    """One key for each run of words that begins at one of `starts`; no run is empty."""
    if not starts.size:
        return np.zeros(0, dtype=np.uint64)
    counts = np.diff(np.append(starts, len(hashes)))
    powers = np.ones(int(counts.max()) + 1, dtype=np.uint64)
    np.multiply.accumulate(np.full(len(powers) - 1, TEXT_BASE), out=powers[1:])
    left = np.repeat(starts + counts, counts) - np.arange(len(hashes)) - 1  # words to come in the run
    return mixed(np.add.reduceat(hashes * powers[left], starts))
