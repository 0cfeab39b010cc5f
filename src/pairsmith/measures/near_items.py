"""Benchmark items that somebody reworded: close to a prompt by their words, or by their meaning.

Two stages after the n-grams of `pairsmith.measures.contamination`. *Lexical*: the cosine of TF-IDF vectors. Items that
are not near enough by that, but share some words, are *gated* to the *semantic* stage, the cosine of the vectors of an
embedder. What these find is for a person to look at: a word problem with other numbers is near its sibling, too. An
item that shares no rare word with the text (a translation) is proposed by neither.
"""

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.hashing import PART_SEPARATOR
from pairsmith.measures.neighbours import LexicalIndex, Neighbours, build_lexical, nearest_items
from pairsmith.measures.text import normalise, words

__all__ = [
    "GATE",
    "LEXICAL",
    "OTHER_NUMBERS",
    "POSSIBLE",
    "SEMANTIC",
    "Near",
    "NearIndex",
    "NearMethod",
    "build_near",
    "cosines_of",
    "decide",
    "propose",
    "to_embed",
]

LEXICAL = 0.58
"""From this cosine of word vectors on, a text is near an item."""
GATE = (0.20, 0.40)
"""From this one on, the embedder is asked: if both have 30 words and more, and if one has 12 and fewer."""
SEMANTIC = (0.80, 0.95)
"""From this cosine of an embedder's vectors on, text and item say the same: of 30 words and more, of 12 and fewer."""
POSSIBLE = (0.75, 0.90)
"""From this one on, they may."""

OTHER_NUMBERS = 0.08, 0.05
"""So much more is asked of the lexical and the semantic cosine where text and item have other numbers: siblings."""

LONG_WORDS, SHORT_WORDS = 30, 12
# Of shorter texts every second is near some question of its kind ("What is the capital of ...").
_MIN_WORDS = 8
_CANDIDATES = 3
_SURELY = 0.97
_SPAN_CHARACTERS = 400

NearMethod = Literal["lexical", "semantic", "possible"]
_NUMBER = re.compile(r"\d+(?:[.,/]\d+)*")
_TEENS = ("ten", "eleven", "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen")
_TENS = ("twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety", "hundred")
# "one" is a pronoun as often as a number
_NUMBER_WORDS = {
    **{
        word: str(n)
        for n, word in enumerate(("two", "three", "four", "five", "six", "seven", "eight", "nine"), start=2)
    },
    **{word: str(n) for n, word in enumerate(_TEENS, start=10)},
    **{word: str(10 * n) for n, word in enumerate(_TENS, start=2)},
}
_RANK: dict[NearMethod, int] = {"possible": 0, "lexical": 1, "semantic": 1}


@dataclass(frozen=True, slots=True)
class Near:
    """A benchmark item near a text.

    `item` counts from 0 within its benchmark; `text` is the item, or that turn of it. `score` is the cosine of
    `method`: `lexical`, `semantic`, or `possible` (semantic, but low). `cosine` is None where no embedder was asked.
    `span` is the text, at most 400 characters of it.
    """

    benchmark: str
    item: int
    text: str
    method: NearMethod
    score: float
    lexical: float
    cosine: float | None
    span: str


@dataclass(frozen=True, slots=True)
class NearIndex:
    """Benchmark items and their turns, by their words; made by `build_near`, picklable."""

    names: tuple[str, ...]
    where: tuple[tuple[int, int], ...]
    passages: tuple[str, ...]
    lengths: tuple[int, ...]
    lexical: LexicalIndex


def build_near(benchmarks: Sequence[tuple[str, Sequence[str]]]) -> NearIndex:
    """Index the items of `benchmarks` (name, items) and the turns of each; those under 8 words aside."""
    passages: dict[str, tuple[str, tuple[int, int]]] = {}
    for number, (_, items) in enumerate(benchmarks):
        for item, text in enumerate(items):
            turns = text.split(PART_SEPARATOR)
            for passage in dict.fromkeys([text.replace(PART_SEPARATOR, "\n\n"), *turns]):
                key = normalise(passage)
                if key.count(" ") >= _MIN_WORDS - 1:
                    passages.setdefault(key, (passage, (number, item)))
    texts = tuple(text for text, _ in passages.values())
    return NearIndex(
        names=tuple(name for name, _ in benchmarks),
        where=tuple(where for _, where in passages.values()),
        passages=texts,
        lengths=tuple(key.count(" ") + 1 for key in passages),
        lexical=build_lexical(texts),
    )


def propose(index: NearIndex, texts: Sequence[str]) -> Neighbours:
    """The few items most like each text of 8 words or more by their words, from `GATE` on."""
    lengths = np.array([len(words(text)) for text in texts], dtype=np.int64)
    long = np.flatnonzero(lengths >= _MIN_WORDS)
    near = nearest_items(index.lexical, [texts[place] for place in long.tolist()], floor=GATE[0], most=_CANDIDATES)
    found = near._replace(texts=long[near.texts])
    shorter = np.minimum(lengths[found.texts], np.array(index.lengths, dtype=np.int64)[found.items])
    passed = found.cosines >= _needed(GATE, shorter)
    return Neighbours(found.texts[passed], found.items[passed], found.cosines[passed])


def to_embed(index: NearIndex, texts: Sequence[str], found: Neighbours) -> list[str]:
    """The texts and passages whose vectors decide about the pairs that words alone do not decide; sorted."""
    open_pairs = found.cosines < LEXICAL
    chosen = {texts[place] for place in found.texts[open_pairs].tolist()}
    return sorted(chosen | {index.passages[place] for place in found.items[open_pairs].tolist()})


def cosines_of(
    index: NearIndex, texts: Sequence[str], found: Neighbours, vectors: Mapping[str, Any]
) -> NDArray[np.float64]:
    """The cosine of each pair in `found`; NaN where `vectors` (text -> unit vector) lacks one of the two."""
    cosines = np.full(len(found.texts), np.nan)
    for place, (text, item) in enumerate(zip(found.texts.tolist(), found.items.tolist(), strict=True)):
        one, other = vectors.get(texts[text]), vectors.get(index.passages[item])
        if one is not None and other is not None:
            cosines[place] = np.dot(np.asarray(one, np.float64), np.asarray(other, np.float64))
    return cosines


def decide(
    index: NearIndex, texts: Sequence[str], found: Neighbours, cosines: NDArray[np.float64] | None = None
) -> dict[str, Near]:
    """The nearest item of each text that has one: text -> what is near it.

    Args:
        index: what was looked for.
        texts: those of `propose`.
        found: what `propose` returned.
        cosines: of the embedder's vectors, one for each pair of `found`, NaN where it was not asked.
    """
    nearest: dict[str, Near] = {}
    meanings = np.full(len(found.texts), np.nan) if cosines is None else cosines
    rows = zip(found.texts.tolist(), found.items.tolist(), found.cosines.tolist(), meanings.tolist(), strict=True)
    for text, item, lexical, meaning in rows:
        cosine = None if np.isnan(meaning) else meaning
        length = min(index.lengths[item], len(words(texts[text])))
        method = _method(lexical, cosine, length, same=_same_numbers(texts[text], index.passages[item]))
        if method is None:
            continue
        score = lexical if method == "lexical" or cosine is None else cosine
        old = nearest.get(texts[text])
        if old is None or (_RANK[method], score) > (_RANK[old.method], old.score):
            benchmark, number = index.where[item]
            span = texts[text][:_SPAN_CHARACTERS]
            near = Near(index.names[benchmark], number, index.passages[item], method, score, lexical, cosine, span)
            nearest[texts[text]] = near
    return nearest


def _method(lexical: float, cosine: float | None, length: int, *, same: bool) -> NearMethod | None:
    """By which method a text and an item are near each other.

    Args:
        lexical: the cosine of their words.
        cosine: that of an embedder's vectors, if it was asked.
        length: the number of words of the shorter one.
        same: whether they have their numbers in common.
    """
    more = (0.0, 0.0) if same else OTHER_NUMBERS
    if lexical >= LEXICAL + more[0]:
        return "lexical"
    meaning = -1.0 if cosine is None else cosine
    if meaning >= min(float(_needed(SEMANTIC, np.array(length))) + more[1], _SURELY):
        return "semantic"
    return "possible" if lexical >= LEXICAL or meaning >= _needed(POSSIBLE, np.array(length)) else None


def _same_numbers(one: str, other: str) -> bool:
    """Whether more than a third of the numbers of two texts is common to both; true if neither has two."""
    first, second = _numbers(one), _numbers(other)
    if max(first.total(), second.total()) < 2:
        return True
    return 3 * (first & second).total() > (first | second).total()


def _numbers(text: str) -> Counter[str]:
    """The numbers of a text as digits, without thousands separators and trailing zeros; small ones also from words."""
    numbers = [_NUMBER_WORDS[word] for word in words(text) if word in _NUMBER_WORDS]
    for match in _NUMBER.findall(text):
        digits = match.replace(",", "")
        numbers.append(digits.rstrip("0").rstrip(".") if "." in digits else digits)
    return Counter(numbers)


def _needed(bounds: tuple[float, float], lengths: NDArray[np.int64]) -> NDArray[np.float64]:
    """Tasks of few words resemble each other without being the same, so the fewer, the more is asked."""
    shortness = np.clip((LONG_WORDS - lengths) / (LONG_WORDS - SHORT_WORDS), 0.0, 1.0)
    needed: NDArray[np.float64] = bounds[0] + (bounds[1] - bounds[0]) * shortness
    return needed
