"""Finding benchmark items in training text: exact matches and word n-gram coverage of the item, exhaustively.

The measure is *coverage of the benchmark item*: the share of its words that lie in word n-grams which the training
text has too, each word weighted by how rare those n-grams are among the items. Containment, not similarity: an item
wrapped in a long text still has coverage 1. The shorter an item, the more of it must be covered; see
`build_index`. Rewording defeats every method of this module; translations and paraphrases need embeddings or a judge.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.benchmark_items import TINY_WORDS, Index, Summary, index_items
from pairsmith.measures.coverage import Best, Items, best_items
from pairsmith.measures.hashing import PART_SEPARATOR, concatenate, joined_words
from pairsmith.measures.lookup import Found, look_up, use_numba
from pairsmith.measures.passages import goes_on, passage

__all__ = ["PART_SEPARATOR", "ContaminationIndex", "Hit", "Method", "build_index", "find_all", "find_in_buffer"]

Method = Literal["exact", "contained", "ngram"]

_SPAN_CHARACTERS = 400
_LOOK_AHEAD = 64
_RANK: dict[Method, int] = {"ngram": 0, "contained": 1, "exact": 2}
# Texts read at a time: enough to keep the processor busy, little enough to stay in its caches and in memory.
_BATCH_BYTES = 4_000_000


@dataclass(frozen=True, slots=True)
class Hit:
    """One benchmark item found in one field.

    `item` counts from 0 within its benchmark. `score` in (0, 1] is the share of the item (or of the turn or docstring
    of it that was found) covered by shared n-grams, by weight; 1 for `exact` and `contained`. `span` is the longest
    matching passage as it stands in the field, at most 400 characters of it.
    """

    benchmark: str
    item: int
    text: str
    field: str
    method: Method
    score: float
    span: str


@dataclass(frozen=True, slots=True)
class _Match:
    """The best item of one text: its number in the index, and the bytes of the passage in what was read."""

    number: int
    method: Method
    score: float
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class ContaminationIndex:
    """Benchmark items by normalised text and by word n-gram; made by `build_index`, picklable."""

    ngram: int
    coverage: float
    _summaries: tuple[Summary, ...]
    _texts: tuple[Sequence[str], ...]
    _index: Index

    def find(self, fields: Mapping[str, str]) -> Hit | None:
        """The best hit over `fields` (name -> text, turns separated by `PART_SEPARATOR`), or None.

        Best is the highest score, then exact before contained before n-gram, then the earlier field and item.
        """
        return find_all(self, [fields])[0]

    def summary(self) -> list[dict[str, Any]]:
        """Per benchmark: name, items, short_items (under `ngram` words: exact only), empty_items, repeated_items."""
        return [each.to_dict() for each in self._summaries]


def build_index(
    benchmarks: Sequence[tuple[str, Sequence[str]]], *, ngram: int = 5, coverage: float = 0.4
) -> ContaminationIndex:
    """Index the items of `benchmarks` (name, items).

    Besides the whole item, each of its turns (see `PART_SEPARATOR`) and the prose of a Python docstring are looked
    for, if they have at least 12 words; a first turn counts as a whole text.

    Args:
        benchmarks: names and items; an item that repeats an earlier one is counted and skipped.
        ngram: words per n-gram, at least 2. Items with fewer words are compared as whole texts only.
        coverage: an item of 30 words or more is found when more than this share of it is covered, in (0, 1]. One of
            11 words or fewer must be there as a whole, one word after the other, and after one of 7 or fewer the
            sentence must end; between, the share falls steadily.

    Raises:
        ValueError: if `ngram` or `coverage` is out of range.
    """
    if ngram < 2 or not 0 < coverage <= 1:
        raise ValueError(f"ngram must be at least 2 and coverage in (0, 1], not {ngram} and {coverage}")
    summaries, index = index_items(benchmarks, ngram, coverage)
    return ContaminationIndex(ngram, coverage, summaries, tuple(items for _, items in benchmarks), index)


def find_all(
    index: ContaminationIndex, batch: Sequence[Mapping[str, str]], *, compiled: bool | None = None
) -> list[Hit | None]:
    """`index.find` for each of `batch`; a function of this module, so that other processes can run it.

    Args:
        index: what to look for.
        batch: fields (name -> text) of each record.
        compiled: whether by numba; by default where it is installed and there is enough text. The hits are the same.
    """
    names = [(number, name) for number, fields in enumerate(batch) for name in fields]
    texts = [text for fields in batch for text in fields.values()]
    if compiled is None:
        compiled = use_numba(sum(map(len, texts)))
    best: list[Hit | None] = [None] * len(batch)
    start = 0
    while start < len(texts):
        stop, size = start + 1, len(texts[start])
        while stop < len(texts) and size + len(texts[stop]) <= _BATCH_BYTES:
            size += len(texts[stop])
            stop += 1
        for place, hit in _hits(index, *concatenate(texts[start:stop]), compiled).items():
            record, name = names[start + place]
            best[record] = _better(best[record], hit, name)
        start = stop
    return best


def _better(old: Hit | None, new: Hit, field: str) -> Hit:
    if old and (old.score, _RANK[old.method]) >= (new.score, _RANK[new.method]):
        return old
    return Hit(new.benchmark, new.item, new.text, field, new.method, new.score, new.span)


def find_in_buffer(
    index: ContaminationIndex, data: NDArray[np.uint8], offsets: NDArray[np.int64], *, compiled: bool | None = None
) -> dict[int, Hit]:
    """The best hit of each text that has one: of the texts data[offsets[i]:offsets[i + 1]], by their number.

    Args:
        index: what to look for.
        data: UTF-8, as it lies in the values buffer of an Arrow column of strings; it is not copied.
        offsets: one more than texts; the offsets buffer of such a column.
        compiled: as in `find_all`.
    """
    compiled = use_numba(len(data)) if compiled is None else compiled
    hits: dict[int, Hit] = {}
    bounds = [0, *np.flatnonzero(np.diff(offsets[:-1] // _BATCH_BYTES)) + 1, len(offsets) - 1]
    for start, stop in pairwise(bounds):
        if start < stop:
            part = _hits(index, data, offsets[start : stop + 1].astype(np.int64), compiled)
            hits.update({start + place: hit for place, hit in part.items()})
    return hits


def _hits(
    index: ContaminationIndex, data: NDArray[np.uint8], offsets: NDArray[np.int64], compiled: bool
) -> dict[int, Hit]:
    """`find_in_buffer`, all at once; the field of the hits is left open."""

    def text_of(place: int) -> str:
        return data[offsets[place] : offsets[place + 1]].tobytes().decode("utf-8", "surrogatepass")

    # The texts need not begin where the buffer does; what reads it looks at no more than it must.
    data, offsets = data[offsets[0] : offsets[-1]], offsets - offsets[0]
    found, matches = _matches(index, data, offsets, compiled, joined=False)
    hits = {place: _hit(index, match, text_of(place), None) for place, match in matches.items()}
    unread = np.flatnonzero(found.context).tolist()
    if unread:
        joined = [joined_words(text_of(place)) for place in unread]
        _, more = _matches(index, *concatenate(joined), compiled, joined=True)
        hits.update({unread[at]: _hit(index, match, text_of(unread[at]), joined[at]) for at, match in more.items()})
    return hits


def _matches(
    index: ContaminationIndex, data: NDArray[np.uint8], offsets: NDArray[np.int64], compiled: bool, *, joined: bool
) -> tuple[Found, dict[int, _Match]]:
    """The best match of each text that has one; positions count from the first byte of the text."""
    known = index._index
    found = look_up(data, offsets, index.ngram, known.grams, known.exact, joined=joined, compiled=compiled)
    best = best_items(found, known.items, compiled=compiled)
    if not joined:
        best = _without_fragments(known, data, offsets, found, best, compiled)
    matches = {}
    for place in np.flatnonzero((best.item >= 0) | (found.exact >= 0)).tolist():
        matches[place] = _match(index, found, best, place, int(offsets[place]))
    return found, matches


def _without_fragments(
    known: Index, data: NDArray[np.uint8], offsets: NDArray[np.int64], found: Found, best: Best, compiled: bool
) -> Best:
    """The best items, if those of a few words do not count where the sentence goes on."""
    tiny = (np.diff(known.items.starts) + known.items.ngram - 1 <= TINY_WORDS) & known.items.whole
    suspects = np.flatnonzero((best.item >= 0) & (found.exact < 0))
    rows = [column.copy() for column in best]
    for place in suspects[tiny[best.item[suspects]]].tolist():
        low, high = np.searchsorted(found.texts, [place, place + 1])
        alone = found._replace(
            **{name: getattr(found, name)[low:high] for name in ("grams", "places", "begins", "ends")},
            texts=np.zeros(high - low, dtype=np.int64),
            exact=found.exact[place : place + 1],
        )
        one, left = Best(*(column[place : place + 1] for column in best)), known.items
        while one.item[0] >= 0 and tiny[one.item[0]]:
            after = data[one.ends[0] : min(offsets[place + 1], one.ends[0] + _LOOK_AHEAD)]
            if not goes_on(after.tobytes()):
                break
            left = _leave_out(left, int(one.item[0]))
            one = best_items(alone, left, compiled=compiled)
        for column, value in zip(rows, one, strict=True):
            column[place] = value[0]
    return Best(*rows)


def _leave_out(items: Items, number: int) -> Items:
    """The items, of which one can never be found."""
    needed, needed_in_runs = items.needed.copy(), items.needed_in_runs.copy()
    needed[number] = needed_in_runs[number] = np.iinfo(np.int64).max
    return items._replace(needed=needed, needed_in_runs=needed_in_runs)


def _match(index: ContaminationIndex, found: Found, best: Best, place: int, offset: int) -> _Match:
    if found.exact[place] >= 0:
        number = int(index._index.exact_items[found.exact[place]])
        begin, end = int(found.exact_begins[place]) - offset, int(found.exact_ends[place]) - offset
        return _Match(number, "exact", 1.0, begin, end)
    method: Method = "contained" if best.contained[place] else "ngram"
    score = int(best.covered[place]) / int(best.total[place])
    begin, end = int(best.begins[place]) - offset, int(best.ends[place]) - offset
    return _Match(int(best.item[place]), method, score, begin, end)


def _hit(index: ContaminationIndex, match: _Match, text: str, joined: str | None) -> Hit:
    benchmark, item = index._index.where[match.number]
    source = index._texts[benchmark][item].replace(PART_SEPARATOR, "\n\n")
    span = passage(text, joined, match.begin, match.end, whole_part=match.method == "exact")
    return Hit(
        index._summaries[benchmark].name, int(item), source, "", match.method, match.score, span[:_SPAN_CHARACTERS]
    )
