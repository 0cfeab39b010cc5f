"""What is looked for of each benchmark item, how much its words weigh, and how much of it must be there."""

import re
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.coverage import Items
from pairsmith.measures.hashing import PART_SEPARATOR, Words, concatenate, hash_words
from pairsmith.measures.keys import gram_keys, text_keys
from pairsmith.measures.lookup import Table, make_table
from pairsmith.measures.text import words

__all__ = ["LONG_WORDS", "SHORT_WORDS", "TINY_WORDS", "Index", "Summary", "index_items"]

# Shorter parts ("Take a moment to evaluate your own response.") are too common to accuse a text that contains them.
MIN_PART_WORDS = 12
MIN_FIRST_TURN_WORDS = 8
SHORT_WORDS = 11
"""Items of at most so many words must be in the text as a whole."""
TINY_WORDS = 7
"""Items of at most so many words must also end their sentence there."""
LONG_WORDS = 30
"""From so many words on, the share that `coverage` asks for suffices."""
# Eight words in a row are no coincidence (Tulu 3, arXiv:2411.15124): half of an item in such runs always suffices.
RUN_WORDS = 8
RUN_SHARE = 0.5

# N-grams that stand in more items than this propose none of them, unless an item would be lost by that.
_HOT = 32
_WEIGHT_UNIT = 64

_DOCSTRING = re.compile(r"def .*?(\"{3}|'{3})(?P<prose>.*?)(?:\1|>>>|\bExamples?\b|$)", re.DOTALL)

_I64 = NDArray[np.int64]


@dataclass(slots=True)
class Summary:
    """What one benchmark brought into the index."""

    name: str
    items: int = 0
    short_items: int = 0
    empty_items: int = 0
    repeated_items: int = 0

    def to_dict(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Index:
    """Texts to look for, numbered in order, in the form that `lookup` and `coverage` want.

    Attributes:
        where: shape (texts, 2): benchmark and item of each.
        grams: all their n-grams.
        exact: their whole texts.
        exact_items: the number of the text of each key in `exact`.
        items: the texts as sequences of n-grams.
    """

    where: _I64
    grams: Table
    exact: Table
    exact_items: _I64
    items: Items


def index_items(
    benchmarks: Sequence[tuple[str, Sequence[str]]], ngram: int, coverage: float
) -> tuple[tuple[Summary, ...], Index]:
    """Collect what is looked for, and index it; for the arguments see `contamination.build_index`."""
    summaries, where = [], []
    texts: dict[str, None] = {}
    for number, (name, items) in enumerate(benchmarks):
        summary = Summary(name, len(items))
        for item, text in enumerate(items):
            added = _add_item(texts, text, ngram, summary)
            where += [(number, item)] * added
        summaries.append(summary)
    read = hash_words(*concatenate(list(texts)), joined=True)
    return tuple(summaries), _index(read, np.array(where, dtype=np.int64).reshape(-1, 2), ngram, coverage)


def _add_item(texts: dict[str, None], text: str, ngram: int, summary: Summary) -> int:
    """Add what is looked for of one item to `texts`; how many that were."""
    tokens = words(text)
    if not tokens:
        summary.empty_items += 1
        return 0
    summary.short_items += len(tokens) < ngram
    before = len(texts)
    texts.setdefault(" ".join(tokens))
    if len(texts) == before:
        summary.repeated_items += 1
        return 0
    for part in _parts(text):
        texts.setdefault(" ".join(part))
    return len(texts) - before


def _parts(text: str) -> Iterator[list[str]]:
    """The passages of an item that are looked for by themselves."""
    turns = [words(turn) for turn in text.split(PART_SEPARATOR)] if PART_SEPARATOR in text else []
    for place, turn in enumerate(turns):
        if len(turn) >= (MIN_FIRST_TURN_WORDS if place == 0 else MIN_PART_WORDS):
            yield turn
    docstring = _DOCSTRING.search(text)
    if docstring and len(prose := words(docstring["prose"])) >= MIN_PART_WORDS:
        yield prose


def _index(read: Words, where: _I64, ngram: int, coverage: float) -> Index:
    count = len(where)
    keys, first = gram_keys(read, ngram)
    distinct, numbers = np.unique(keys, return_inverse=True)
    owners = read.texts[first]
    starts = np.searchsorted(owners, np.arange(count + 1))
    exact_keys = text_keys(read.hashes, np.searchsorted(read.texts, np.arange(count)))
    order = np.argsort(exact_keys, kind="stable")
    frequency = np.zeros(len(distinct), dtype=np.int64)
    seen = np.unique(np.stack([numbers, owners]), axis=1) if len(numbers) else np.zeros((2, 0), dtype=np.int64)
    np.add.at(frequency, seen[0], 1)
    items = _items(numbers, owners, starts, frequency, ngram, coverage)
    return Index(where, make_table(distinct), make_table(exact_keys[order]), order, items)


def _items(numbers: _I64, owners: _I64, starts: _I64, frequency: _I64, ngram: int, coverage: float) -> Items:
    """Weigh the words of each item, and choose the n-grams that propose it."""
    count = len(starts) - 1
    weights = np.rint(_WEIGHT_UNIT * np.log2((count + 1) / np.maximum(frequency, 1))).astype(np.int64)
    sums = np.zeros(len(numbers) + count * ngram, dtype=np.int64)
    lengths = np.diff(starts) + ngram - 1
    needed, needed_in_runs = np.full((2, count), np.iinfo(np.int64).max)
    hidden = np.zeros(count, dtype=np.int64)
    posted = frequency[numbers] <= _HOT
    for item in range(count):
        here = slice(starts[item], starts[item + 1])
        if starts[item] == starts[item + 1]:
            continue
        each = _word_weights(weights[numbers[here]], ngram)
        base = starts[item] + item * ngram
        np.cumsum(each, out=sums[base + 1 : base + 1 + len(each)])
        share = _needed_share(len(each), coverage)
        total = int(each.sum())
        needed[item] = min(int(share * total) + 1, total)
        needed_in_runs[item] = min(int(max(RUN_SHARE, coverage) * total) + 1, total)
        if not posted[here].all():
            unposted = np.flatnonzero(~posted[here])
            lonely = np.unique(unposted[:, None] + np.arange(ngram))
            hidden[item] = each[lonely].sum()
            if hidden[item] >= min(needed[item], needed_in_runs[item]):
                posted[here], hidden[item] = True, 0
    positions = np.flatnonzero(posted)
    positions = positions[np.argsort(numbers[positions], kind="stable")]
    postings = np.searchsorted(numbers[positions], np.arange(len(frequency) + 1))
    return Items(
        ngram,
        starts.astype(np.int64),
        numbers.astype(np.int32),
        sums,
        needed,
        needed_in_runs,
        max(RUN_WORDS, ngram),
        lengths <= SHORT_WORDS,
        hidden,
        postings.astype(np.int64),
        positions.astype(np.int32),
        owners.astype(np.int32),
    )


def _word_weights(grams: _I64, ngram: int) -> _I64:
    """The mean weight of the n-grams each word lies in, at least 1."""
    sums, count = np.zeros(len(grams) + ngram - 1, dtype=np.int64), np.zeros(len(grams) + ngram - 1, dtype=np.int64)
    for place in range(ngram):
        sums[place : place + len(grams)] += grams
        count[place : place + len(grams)] += 1
    mean: _I64 = np.maximum(sums // count, 1)
    return mean


def _needed_share(length: int, coverage: float) -> float:
    """From 1 at 12 words down to `coverage` at 30 and more."""
    shortness = min(1.0, max(0.0, (LONG_WORDS - length) / (LONG_WORDS - SHORT_WORDS)))
    return coverage + (1.0 - coverage) * shortness
