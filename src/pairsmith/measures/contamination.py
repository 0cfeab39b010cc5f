"""Finding benchmark items in training text: exact matches and word n-gram coverage of the item, exhaustively.

The measure is *coverage of the benchmark item*: the share of its words that lie in word n-grams which the training
text has too. Containment, not similarity: an item wrapped in a long text still has coverage 1. Tulu 3
(arXiv:2411.15124) uses the same quantity with n = 8 and the threshold 0.5. Rewording defeats every method
of this module; translations and paraphrases need embeddings or a judge.
"""

import re
from array import array
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from pairsmith.measures.text import words

__all__ = ["PART_SEPARATOR", "ContaminationIndex", "Hit", "Method", "build_index", "find_all"]

Method = Literal["exact", "contained", "ngram"]

PART_SEPARATOR = "\x1e"
"""Stands between the turns of one text. Each turn is compared as a text of its own, too."""

# Shorter parts ("Take a moment to evaluate your own response.") are too common to accuse a text that contains them.
MIN_PART_WORDS = 12
_SPAN_CHARACTERS = 400
_RANK: dict[Method, int] = {"ngram": 0, "contained": 1, "exact": 2}

_DOCSTRING = re.compile(r"def .*?(\"{3}|'{3})(?P<prose>.*?)(?:\1|>>>|\bExamples?\b|$)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Hit:
    """One benchmark item found in one field.

    `item` counts from 0 within its benchmark. `score` in (0, 1] is the share of the item's words (or of the words of
    the turn or docstring that was found) covered by shared n-grams; 1 for `exact` and `contained`. `span` is the
    longest matching passage as it stands in the field, at most 400 characters of it.
    """

    benchmark: str
    item: int
    text: str
    field: str
    method: Method
    score: float
    span: str


@dataclass(slots=True)
class _Summary:
    """What one benchmark brought into the index."""

    name: str
    items: int = 0
    short_items: int = 0
    empty_items: int = 0
    repeated_items: int = 0


@dataclass(slots=True)
class ContaminationIndex:
    """Benchmark items by normalised text and by word n-gram; made by `build_index`, picklable, never changed after."""

    ngram: int
    coverage: float
    _summaries: list[_Summary] = field(default_factory=list)
    _texts: list[Sequence[str]] = field(default_factory=list)
    _vocabulary: dict[str, int] = field(default_factory=dict)
    _exact: dict[str, int] = field(default_factory=dict)
    _where: list[tuple[int, int]] = field(default_factory=list)
    _needles: "list[array[int]]" = field(default_factory=list)
    # hash of an n-gram -> its number; the places where gram g stands are _places[_starts[g]:_starts[g + 1]]
    _grams: dict[int, int] = field(default_factory=dict)
    _starts: "array[int]" = field(default_factory=lambda: array("q"))
    _places: "array[int]" = field(default_factory=lambda: array("q"))

    def find(self, fields: Mapping[str, str]) -> Hit | None:
        """The best hit over `fields` (name -> text, turns separated by `PART_SEPARATOR`), or None.

        Best is the highest score, then exact before contained before n-gram, then the earlier field and item.
        """
        best: Hit | None = None
        for name, text in fields.items():
            hit = self._find_in(name, text)
            if hit and (best is None or (hit.score, _RANK[hit.method]) > (best.score, _RANK[best.method])):
                best = hit
        return best

    def summary(self) -> list[dict[str, Any]]:
        """Per benchmark: name, items, short_items (under `ngram` words: exact only), empty_items, repeated_items."""
        return [
            {
                "name": each.name,
                "items": each.items,
                "short_items": each.short_items,
                "empty_items": each.empty_items,
                "repeated_items": each.repeated_items,
            }
            for each in self._summaries
        ]

    def _find_in(self, name: str, text: str) -> Hit | None:
        tokens = words(text)
        parts = text.split(PART_SEPARATOR) if PART_SEPARATOR in text else ()
        for key, whole in ((" ".join(tokens), text), *((" ".join(words(part)), part) for part in parts)):
            if key and (needle := self._exact.get(key)) is not None:
                return self._hit(needle, name, "exact", 1.0, whole.strip())
        ids = list(map(self._vocabulary.get, tokens))  # None for words of no benchmark: such n-grams match nothing
        keys = list(map(hash, zip(*(ids[start:] for start in range(self.ngram)), strict=False)))
        if self._grams.keys().isdisjoint(keys):
            return None
        return self._best_coverage(name, text, tokens, ids, keys)

    def _best_coverage(
        self, name: str, text: str, tokens: list[str], ids: list[int | None], keys: list[int]
    ) -> Hit | None:
        """The item with the highest coverage, if that is above the threshold."""
        found: dict[int, list[tuple[int, int]]] = {}  # needle -> (place in the needle, place in the field)
        for at, key in enumerate(keys):
            gram = self._grams.get(key)
            if gram is not None:
                for place in self._places[self._starts[gram] : self._starts[gram + 1]]:
                    found.setdefault(place >> 32, []).append((place & 0xFFFFFFFF, at))
        best: tuple[float, int, int] | None = None  # score, rank of the method, minus the number of the needle
        for needle, matches in found.items():
            score = self._covered(matches) / len(self._needles[needle])
            if score <= self.coverage:
                continue
            rank = _RANK["contained" if score == 1.0 and self._is_contained(needle, matches, ids) else "ngram"]
            best = max(best, (score, rank, -needle)) if best else (score, rank, -needle)
        if best is None:
            return None
        needle = -best[2]
        start, end = _longest_run(found[needle], self.ngram)
        span = _original(text, tokens, start, end)
        return self._hit(needle, name, "contained" if best[1] == _RANK["contained"] else "ngram", best[0], span)

    def _covered(self, matches: list[tuple[int, int]]) -> int:
        """How many words of the needle lie in the n-grams that start at the matched places."""
        covered = end = 0
        for start in sorted({place for place, _ in matches}):
            covered += start + self.ngram - max(start, end)
            end = start + self.ngram
        return covered

    def _is_contained(self, needle: int, matches: list[tuple[int, int]], ids: list[int | None]) -> bool:
        """Whether the words of the needle stand in the field one after the other."""
        wanted = list(self._needles[needle])
        return any(ids[at : at + len(wanted)] == wanted for place, at in matches if place == 0)

    def _hit(self, needle: int, name: str, method: Method, score: float, span: str) -> Hit:
        benchmark, item = self._where[needle]
        text = self._texts[benchmark][item].replace(PART_SEPARATOR, "\n\n")
        return Hit(self._summaries[benchmark].name, item, text, name, method, score, span[:_SPAN_CHARACTERS])


def build_index(
    benchmarks: Sequence[tuple[str, Sequence[str]]], *, ngram: int = 8, coverage: float = 0.5
) -> ContaminationIndex:
    """Index the items of `benchmarks` (name, items).

    Besides the whole item, each of its turns (see `PART_SEPARATOR`) and the prose of a Python docstring are looked
    for, if they have at least 12 words; a first turn counts as a whole text.

    Args:
        benchmarks: names and items; an item that repeats an earlier one is counted and skipped.
        ngram: words per n-gram, at least 2. Items with fewer words are compared as whole texts only.
        coverage: an item is found when more than this share of its words is covered, in (0, 1].

    Raises:
        ValueError: if `ngram` or `coverage` is out of range.
    """
    if ngram < 2 or not 0 < coverage <= 1:
        raise ValueError(f"ngram must be at least 2 and coverage in (0, 1], not {ngram} and {coverage}")
    index = ContaminationIndex(ngram, min(coverage, 1 - 1e-9))
    for number, (name, items) in enumerate(benchmarks):
        index._summaries.append(_Summary(name, len(items)))
        index._texts.append(items)
        for item, text in enumerate(items):
            _add_item(index, (number, item), text)
    _collect_grams(index)
    return index


def find_all(index: ContaminationIndex, batch: Sequence[Mapping[str, str]]) -> list[Hit | None]:
    """`index.find` for each of `batch`: a function of this module, so that other processes can run it."""
    return [index.find(fields) for fields in batch]


def _add_item(index: ContaminationIndex, where: tuple[int, int], text: str) -> None:
    summary = index._summaries[where[0]]
    tokens = words(text)
    if not tokens:
        summary.empty_items += 1
        return
    if len(tokens) < index.ngram:
        summary.short_items += 1
    if not _add_needle(index, where, tokens):
        summary.repeated_items += 1
        return
    for part in _parts(text, index.ngram):
        _add_needle(index, where, part)


def _add_needle(index: ContaminationIndex, where: tuple[int, int], tokens: list[str]) -> bool:
    key = " ".join(tokens)
    if key in index._exact:
        return False
    index._exact[key] = len(index._where)
    index._where.append(where)
    vocabulary = index._vocabulary
    index._needles.append(array("q", [vocabulary.setdefault(word, len(vocabulary)) for word in tokens]))
    return True


def _parts(text: str, ngram: int) -> Iterator[list[str]]:
    """The passages of an item that are looked for by themselves."""
    turns = [words(turn) for turn in text.split(PART_SEPARATOR)] if PART_SEPARATOR in text else []
    for place, turn in enumerate(turns):
        if len(turn) >= (ngram if place == 0 else MIN_PART_WORDS):
            yield turn
    docstring = _DOCSTRING.search(text)
    if docstring and len(prose := words(docstring["prose"])) >= MIN_PART_WORDS:
        yield prose


def _collect_grams(index: ContaminationIndex) -> None:
    """Fill the posting lists: where each n-gram of each needle stands."""
    places: dict[int, list[int]] = {}
    for needle, ids in enumerate(index._needles):
        grams = zip(*(ids[start:] for start in range(index.ngram)), strict=False)
        for place, key in enumerate(map(hash, grams)):  # hashes of tuples of integers are the same in every process
            places.setdefault(key, []).append(needle << 32 | place)
    for gram, (key, where) in enumerate(places.items()):
        index._grams[key] = gram
        index._starts.append(len(index._places))
        index._places.extend(where)
    index._starts.append(len(index._places))


def _longest_run(matches: list[tuple[int, int]], ngram: int) -> tuple[int, int]:
    """Start and end, in words of the field, of the longest unbroken run of matching n-grams."""
    best = run = (-1, -1)
    for at in sorted({at for _, at in matches}):
        run = (run[0], at + ngram) if at <= run[1] else (at, at + ngram)
        best = max(best, run, key=lambda each: each[1] - each[0])
    return best


def _original(text: str, tokens: list[str], start: int, end: int) -> str:
    """The passage of `text` that holds words `start` to `end`, in its own spelling where it can be traced back."""
    pieces = [(match.start(), match.end(), len(words(match.group()))) for match in re.finditer(r"\S+", text)]
    if sum(count for _, _, count in pieces) != len(tokens):
        return " ".join(tokens[start:end])
    seen, first, last = 0, 0, len(text)
    for left, right, count in pieces:
        if seen <= start:
            first = left
        seen += count
        if seen >= end:
            last = right
            break
    return text[first:last]
