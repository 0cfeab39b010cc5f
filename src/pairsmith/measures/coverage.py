"""How much of an item stands in a text, given the n-grams they share: plain Python that numba can compile.

Every word of an item weighs as much as the n-grams around it are rare among the items (inverse document frequency):
"which of the following statements is" says little, and what it covers counts little. Weights are whole numbers, so
sums do not depend on their order.
"""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.compiled import with_numba
from pairsmith.measures.lookup import Found

__all__ = ["Best", "Items", "best_items"]

_I32 = NDArray[np.int32]
_I64 = NDArray[np.int64]


class Items(NamedTuple):
    """Items as sequences of n-gram numbers. Item i has the n-grams grams[starts[i]:starts[i + 1]].

    Attributes:
        ngram: words per n-gram.
        starts: int64, one more than items.
        grams: number of each n-gram; repeated where an item repeats itself.
        sums: running sums of the weights of the words of item i, from 0 to its total, at
            sums[starts[i] + i * ngram:]: one more than it has words.
        needed: the weight from which on an item is found; more than its total if only its whole text counts.
        needed_in_runs: the same for the words that lie in runs of at least `run` words.
        run: words in such a run, at least `ngram`.
        whole: whether its words must stand in the text one after the other.
        hidden: the weight of the words that lie only in n-grams with no posting.
        postings: where in `posted` the places of n-gram g begin; one more than n-grams.
        posted: positions in `grams`.
        owners: the item of each position in `grams`.
    """

    ngram: int
    starts: _I64
    grams: _I32
    sums: _I64
    needed: _I64
    needed_in_runs: _I64
    run: int
    whole: NDArray[np.bool_]
    hidden: _I64
    postings: _I64
    posted: _I32
    owners: _I32


class Best(NamedTuple):
    """The best item of each text. `item` is -1 where there is none.

    Attributes:
        item: number of the item.
        covered: weight of its words that the text covers.
        total: weight of all its words.
        contained: whether its words stand in the text one after the other.
        begins: first byte of the longest passage they share.
        ends: byte after it.
    """

    item: _I64
    covered: _I64
    total: _I64
    contained: _I64
    begins: _I64
    ends: _I64


def best_items(found: Found, items: Items, *, compiled: bool = False) -> Best:
    """The item each text covers most; of equals, the one that is contained, then the first."""
    texts = len(found.exact)
    bounds = np.searchsorted(found.texts, np.arange(texts + 1))
    rows = np.empty((texts, 6), dtype=np.int64)
    rows[:, 0] = -1
    run = (
        with_numba(_each_text, _best_item, _propose, _covered, _is_contained, _longest_run) if compiled else _each_text
    )
    run(bounds, found.grams, found.places, found.begins, found.ends, items, rows)
    return Best(*(rows[:, column] for column in range(6)))


def _each_text(bounds: _I64, grams: _I64, places: _I64, begins: _I64, ends: _I64, items: Items, rows: _I64) -> None:
    gram_seen = np.zeros(len(items.postings), dtype=np.int64)
    item_seen = np.zeros(len(items.needed), dtype=np.int64)
    reach = np.zeros(len(items.needed), dtype=np.int64)
    proposed = np.zeros(len(items.needed), dtype=np.int64)
    for text in range(len(bounds) - 1):
        low, high = bounds[text], bounds[text + 1]
        if low == high:
            continue
        count = _propose(text + 1, grams[low:high], items, gram_seen, item_seen, reach, proposed)
        item, covered, total, contained = _best_item(
            text + 1, grams[low:high], places[low:high], items, gram_seen, reach, proposed[:count]
        )
        if item < 0:
            continue
        first, last = _longest_run(text + 1, item, grams[low:high], places[low:high], items, gram_seen)
        rows[text, 0], rows[text, 1], rows[text, 2], rows[text, 3] = item, covered, total, contained
        rows[text, 4], rows[text, 5] = begins[low + first], ends[low + last]


def _propose(
    mark: int, grams: _I64, items: Items, gram_seen: _I64, item_seen: _I64, reach: _I64, proposed: _I64
) -> int:
    """Mark the n-grams of a text, and collect the items that have one of them; `reach` bounds what each can cover."""
    count = 0
    for gram in grams:
        if gram_seen[gram] == mark:
            continue
        gram_seen[gram] = mark
        for position in items.posted[items.postings[gram] : items.postings[gram + 1]]:
            item = items.owners[position]
            if item_seen[item] != mark:
                item_seen[item] = mark
                reach[item] = items.hidden[item]
                proposed[count] = item
                count += 1
            word = position + item * items.ngram
            reach[item] += items.sums[word + items.ngram] - items.sums[word]
    return count


def _best_item(
    mark: int, grams: _I64, places: _I64, items: Items, gram_seen: _I64, reach: _I64, proposed: _I64
) -> tuple[int, int, int, int]:
    """Number, covered weight, total weight and containment of the best item; the number is -1 if none suffices."""
    best, best_covered, best_total, best_contained = -1, 0, 1, 0
    for item in proposed:
        if reach[item] < min(items.needed[item], items.needed_in_runs[item]):
            continue
        covered = _covered(mark, item, items, gram_seen, items.ngram)
        if covered < items.needed[item]:
            if covered < items.needed_in_runs[item]:
                continue
            if _covered(mark, item, items, gram_seen, items.run) < items.needed_in_runs[item]:
                continue
        total = items.sums[items.starts[item + 1] + item * items.ngram + items.ngram - 1]
        contained = 1 if covered == total and _is_contained(item, grams, places, items) else 0
        if items.whole[item] and not contained:
            continue
        # Compares covered / total, then containment, then the number, in whole numbers.
        ahead = covered * best_total - best_covered * total
        if ahead == 0:
            ahead = contained - best_contained
        if ahead > 0 or (ahead == 0 and item < best):
            best, best_covered, best_total, best_contained = item, covered, total, contained
    return best, best_covered, best_total, best_contained


def _covered(mark: int, item: int, items: Items, gram_seen: _I64, run: int) -> int:
    """The weight of the words of the item that lie in unbroken rows of marked n-grams with at least `run` words."""
    base, first = items.starts[item] + item * items.ngram, items.starts[item]
    count = items.starts[item + 1] - first
    covered, end, start = 0, 0, 0
    for place in range(count + 1):
        if place < count and gram_seen[items.grams[first + place]] == mark:
            continue
        stop = place + items.ngram - 1
        if place > start and stop - start >= run:
            covered += items.sums[base + stop] - items.sums[base + max(start, end)]
            end = stop
        start = place + 1
    return covered


def _is_contained(item: int, grams: _I64, places: _I64, items: Items) -> bool:
    """Whether the n-grams of the item stand in the text one after the other."""
    wanted = items.grams[items.starts[item] : items.starts[item + 1]]
    for start in range(len(grams) - len(wanted) + 1):
        if grams[start] == wanted[0] and places[start + len(wanted) - 1] == places[start] + len(wanted) - 1:
            same = True
            for step in range(len(wanted)):
                same = same and grams[start + step] == wanted[step]
            if same:
                return True
    return False


def _longest_run(mark: int, item: int, grams: _I64, places: _I64, items: Items, gram_seen: _I64) -> tuple[int, int]:
    """First and last of the n-grams found that make the longest unbroken passage shared with the item."""
    for gram in items.grams[items.starts[item] : items.starts[item + 1]]:
        if gram_seen[gram] == mark:
            gram_seen[gram] = -mark
    first, last, start, end = 0, 0, 0, -1
    for each in range(len(grams)):
        if gram_seen[grams[each]] != -mark:
            continue
        if end < 0 or places[each] > places[end] + items.ngram:
            start = each
            if end < 0:
                first = last = each
        end = each
        if places[end] - places[start] > places[last] - places[first]:
            first, last = start, end
    return first, last
