"""Near-duplicate texts: MinHash with banding proposes, the true Jaccard similarity decides.

Two texts are near each other if their word 3-grams have a Jaccard similarity of at least the threshold; or, both
being short (at most 12 words), if their sets of words have; or if they are the same after normalisation. Everything
depends on the texts alone, never on when they came: hashes are fixed, so a pair once near is always near.

Sources: Broder 1997 (resemblance); Leskovec, Rajaraman, Ullman, Mining of Massive Datasets, ch. 3 (banding);
Bayardo et al. 2007 (prefix filtering, used by `cross_pairs`).
"""

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.text import words

__all__ = ["MULTIPLIERS", "OFFSETS", "NearDuplicates", "bands_for", "cross_pairs", "similarity"]

SHINGLE_WORDS = 3
SHORT_WORDS = 12
_PERMUTATIONS = 128
_RECALL_AT_THRESHOLD = 0.999

_Features = NDArray[np.uint64]
_EMPTY: _Features = np.empty(0, dtype=np.uint64)
_RANDOM = np.frombuffer(hashlib.shake_256(b"pairsmith minhash").digest(16 * _PERMUTATIONS), dtype="<u8")
MULTIPLIERS, OFFSETS = _RANDOM.astype(np.uint64).reshape(2, _PERMUTATIONS, 1)
MULTIPLIERS |= np.uint64(1)  # odd: multiplication modulo 2**64 stays a permutation
_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], dtype=np.uint64)


@dataclass(frozen=True, slots=True)
class _Sketch:
    """What comparisons need of one text: its 3-grams and, if it is short, its words, as sorted hashes."""

    grams: _Features
    bag: _Features


def bands_for(threshold: float) -> tuple[int, int]:
    """Number of bands and rows per band that propose a pair at `threshold` with probability of at least 0.999.

    >>> bands_for(0.8)
    (25, 5)
    """
    rows = 1
    for more in range(2, _PERMUTATIONS + 1):
        if 1 - (1 - threshold**more) ** (_PERMUTATIONS // more) >= _RECALL_AT_THRESHOLD:
            rows = more
    return _PERMUTATIONS // rows, rows


def similarity(one: str, other: str) -> float:
    """The similarity the threshold is compared with, in [0, 1]; 0 if a text has no words.

    >>> similarity("Name the capital of France.", "name the capital of FRANCE")
    1.0
    """
    hashes: dict[str, int] = {}
    return _similarity(_sketch(one, hashes), _sketch(other, hashes))


class NearDuplicates:
    """Texts seen so far, numbered from 0 in order of arrival; one more costs about the same at any size.

    Args:
        threshold: smallest Jaccard similarity of near texts, in (0, 1].
    """

    def __init__(self, threshold: float) -> None:
        if not 0 < threshold <= 1:
            raise ValueError(f"the similarity threshold must be in (0, 1], not {threshold}")
        self._threshold = threshold
        self._bands, self._rows = bands_for(threshold)
        self._word_hashes: dict[str, int] = {}
        self._sketches: list[_Sketch] = []
        self._buckets: dict[tuple[int, bytes], list[int]] = {}
        self._last: tuple[str, _Sketch, list[tuple[int, bytes]]] | None = None

    def __len__(self) -> int:
        return len(self._sketches)

    def neighbours(self, text: str, group_of: Callable[[int], Hashable] | None = None) -> list[int]:
        """The numbers of earlier texts near `text`, ascending.

        With `group_of`, only one neighbour of each group is looked for: among thousands of texts made from one
        template, which all are near each other, that is the difference between linear and quadratic time.
        """
        sketch, keys = self._read(text)
        proposed = sorted({number for key in keys for number in self._buckets.get(key, ())})
        near: list[int] = []
        settled: set[Hashable] = set()
        for number in proposed:
            group = group_of(number) if group_of else number
            if group not in settled and _similarity(sketch, self._sketches[number]) >= self._threshold:
                settled.add(group)
                near.append(number)
        return near

    def add(self, text: str) -> None:
        """Give `text` the next number."""
        sketch, keys = self._read(text)
        for key in keys:
            self._buckets.setdefault(key, []).append(len(self._sketches))
        self._sketches.append(sketch)

    def neighbours_then_add(self, text: str, group_of: Callable[[int], Hashable] | None = None) -> list[int]:
        """`neighbours`, then `add`."""
        near = self.neighbours(text, group_of)
        self.add(text)
        return near

    def _read(self, text: str) -> tuple[_Sketch, list[tuple[int, bytes]]]:
        """Features and buckets of a text; those of the last text are kept, as it usually is added next."""
        if self._last is None or self._last[0] != text:
            sketch = _sketch(text, self._word_hashes)
            self._last = (text, sketch, self._keys(sketch))
        return self._last[1:]

    def _keys(self, sketch: _Sketch) -> list[tuple[int, bytes]]:
        """The buckets of a text: one per band for its 3-grams, and again for the words of a short text."""
        keys = []
        for space, features in enumerate((sketch.grams, sketch.bag)):
            if features.size:
                signature = _signature(features)
                for band in range(self._bands):
                    rows = signature[band * self._rows : (band + 1) * self._rows]
                    keys.append((space * self._bands + band, rows.tobytes()))
        return keys


def cross_pairs(left: Sequence[str], right: Sequence[str], threshold: float) -> list[tuple[int, int]]:
    """All pairs (i, j) of a text in `left` near a text in `right`; exact, and independent of MinHash.

    Texts with a Jaccard similarity of at least t share one of the rarest (1 - t) of their features (prefix
    filtering), so only texts that share a rare feature are compared.
    """
    hashes: dict[str, int] = {}
    sketches = [[_sketch(text, hashes) for text in side] for side in (left, right)]
    proposed: set[tuple[int, int]] = set()
    for kind in ("grams", "bag"):
        sides: list[list[_Features]] = [[getattr(sketch, kind) for sketch in side] for side in sketches]
        proposed |= _prefix_pairs(sides[0], sides[1], threshold)
    return sorted((i, j) for i, j in proposed if _similarity(sketches[0][i], sketches[1][j]) >= threshold)


def _prefix_pairs(left: list[_Features], right: list[_Features], threshold: float) -> set[tuple[int, int]]:
    """Pairs that share a feature among those that any pair above the threshold must share one of."""
    counts = Counter(feature for side in (left, right) for features in side for feature in features.tolist())

    def prefix(features: _Features) -> list[int]:
        rarest = sorted(features.tolist(), key=lambda feature: (counts[feature], feature))
        return rarest[: len(rarest) - math.ceil(threshold * len(rarest) - 1e-9) + 1]

    holders: dict[int, list[int]] = {}
    for i, features in enumerate(left):
        for feature in prefix(features):
            holders.setdefault(feature, []).append(i)
    return {
        (i, j) for j, features in enumerate(right) for feature in prefix(features) for i in holders.get(feature, ())
    }


def _sketch(text: str, hashes: dict[str, int]) -> _Sketch:
    """Features of a text; `hashes` remembers the hash of each word."""
    tokens = words(text)
    for word in tokens:
        if word not in hashes:
            hashes[word] = int.from_bytes(
                hashlib.blake2b(word.encode("utf-8", "surrogatepass"), digest_size=8).digest()
            )
    if not tokens:
        return _Sketch(_EMPTY, _EMPTY)
    each = np.array([hashes[word] for word in tokens], dtype=np.uint64)
    width = min(SHINGLE_WORDS, len(tokens))
    grams = np.zeros(len(tokens) - width + 1, dtype=np.uint64)
    for place in range(width):
        grams += each[place : place + len(grams)] * _MIXERS[place]
    return _Sketch(_scrambled(grams), _scrambled(each) if len(tokens) <= SHORT_WORDS else _EMPTY)


def _scrambled(hashes: _Features) -> _Features:
    """Distinct hashes, sorted, with high bits that depend on all bits (the finaliser of MurmurHash3)."""
    for multiplier in (0xFF51AFD7ED558CCD, 0xC4CEB9FE1A85EC53):
        hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(multiplier)
    return np.unique(hashes ^ (hashes >> np.uint64(33)))


def _signature(features: _Features) -> NDArray[np.uint32]:
    """MinHash: for each permutation the smallest value over the features."""
    values = (features[None, :] * MULTIPLIERS + OFFSETS) >> np.uint64(32)
    smallest: NDArray[np.uint32] = values.min(axis=1).astype(np.uint32)
    return smallest


def _similarity(one: _Sketch, other: _Sketch) -> float:
    """The larger of the two similarities; that of words only where both texts are short."""
    return max(_jaccard(one.grams, other.grams), _jaccard(one.bag, other.bag))


def _jaccard(one: _Features, other: _Features) -> float:
    if not one.size or not other.size:
        return 0.0
    places = np.minimum(np.searchsorted(one, other), one.size - 1)
    shared = int(np.count_nonzero(one[places] == other))
    return shared / (one.size + other.size - shared)
