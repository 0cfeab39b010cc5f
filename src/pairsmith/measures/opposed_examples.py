"""Contradictory examples: near-identical prompts whose preferences point opposite ways.

Two examples contradict each other if their prompts are near-duplicates that ask for the same numbers with the same
negations, and the chosen response of each resembles the rejected response of the other more than its own counterpart.
Resemblance is that of `similarity` (Jaccard of word 3-grams, of words for short texts), or of embedding vectors where
they are given, which also see rewordings.
"""

import heapq
import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.similarity import NearDuplicates, cross_pairs, similarity
from pairsmith.measures.text import squash, words

__all__ = ["Example", "ExampleVectors", "contradictory_examples", "same_question"]

Array = NDArray[np.float64]

_NEGATIONS = frozenset({"not", "no", "never", "without", "except", "cannot", "isn", "don", "doesn", "aren", "won"})
_CLEAR_SHARE = 0.6
_BLOCK = 512
_SHOWN_PAIRS = 20
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a preference dataset as text; `weight` above 0 says how far to trust it, for example its agreement."""

    id: str
    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class ExampleVectors:
    """Embeddings of examples in their order, each of shape (examples, dimensions), of any length above 0."""

    prompts: Array
    chosen: Array
    rejected: Array


@dataclass(frozen=True, slots=True)
class _Opposed:
    """Two examples by number, how alike their prompts are, and how far their directions are opposite."""

    one: int
    other: int
    prompts: float
    crossed: float
    opposition: float
    by: str


def same_question(one: str, other: str) -> bool:
    """Whether two near-identical prompts hold the same numbers and negations: "12 + 7" is not "12 + 6".

    >>> same_question("Is 7 prime?", "is 7 prime")
    True
    >>> same_question("Name a fruit that is red.", "Name a fruit that is not red.")
    False
    """
    return _marks(one) == _marks(other)


def _marks(text: str) -> Counter[str]:
    return Counter(word for word in words(text) if word in _NEGATIONS or any(letter.isdigit() for letter in word))


def contradictory_examples(
    examples: Sequence[Example],
    *,
    vectors: ExampleVectors | None = None,
    prompt_threshold: float = 0.5,
    response_threshold: float = 0.3,
    min_opposition: float = 0.2,
    vector_threshold: float = 0.9,
    max_cosine: float = -0.5,
) -> list[Conflict]:
    """Groups of examples that contradict each other, sorted by ids; the order of the examples does not matter.

    Args:
        examples: with distinct ids.
        vectors: embeddings of the examples; pairs they find are added to those the words find.
        prompt_threshold: smallest similarity of the prompts, in (0, 1].
        response_threshold: smallest similarity of chosen with the other's rejected, both ways, in (0, 1].
        min_opposition: by how much these must exceed the similarity of chosen with chosen and rejected with rejected.
        vector_threshold: smallest cosine of the vectors of two prompts.
        max_cosine: largest cosine of the directions (chosen minus rejected), in [-1, 0).

    Returns:
        One conflict for each connected group. Evidence: the opposed pairs (at most 20, `pairs_total`), with the
        similarity of the prompts, the smaller of the crossed similarities, and the opposition in [-1, 1]. Proposed for
        `discard` are the fewest, lightest examples that leave no contradiction, if they carry at most 40 % of the
        group's weight; else all go to `review`. The same pair exchanged within one prompt is left to `both_ways`.
    """
    order = sorted(range(len(examples)), key=lambda place: examples[place].id)
    listed = [examples[place] for place in order]
    if len({each.id for each in listed}) < len(listed):
        raise ValueError("two examples have the same id; the evidence could not tell them apart")
    found = _opposed_by_words(listed, prompt_threshold, response_threshold, min_opposition)
    if vectors is not None:
        prompts, chosen, rejected = (
            np.asarray(each, dtype=np.float64)[order] for each in (vectors.prompts, vectors.chosen, vectors.rejected)
        )
        more = _opposed_by_vectors(listed, _unit(prompts), _unit(chosen - rejected), vector_threshold, max_cosine)
        known = {(each.one, each.other) for each in found}
        found += [each for each in more if (each.one, each.other) not in known]
    return _grouped(listed, found)


def _opposed_by_words(
    examples: Sequence[Example], prompt_threshold: float, response_threshold: float, min_opposition: float
) -> list[_Opposed]:
    found = []
    for members in _near_prompts([each.prompt for each in examples], prompt_threshold):
        for one, other in _crossed([examples[place] for place in members], response_threshold):
            first, second = examples[members[one]], examples[members[other]]
            alike = similarity(first.prompt, second.prompt)
            crossed = similarity(first.chosen, second.rejected), similarity(first.rejected, second.chosen)
            straight = similarity(first.chosen, second.chosen), similarity(first.rejected, second.rejected)
            opposition = (sum(crossed) - sum(straight)) / 2
            if alike >= prompt_threshold and opposition >= min_opposition and _distinct_question(first, second):
                found.append(_Opposed(members[one], members[other], alike, min(crossed), opposition, "words"))
    return found


def _distinct_question(one: Example, other: Example) -> bool:
    """The same question, and not merely one pair exchanged within one prompt."""
    exchanged = (squash(one.prompt), squash(one.chosen), squash(one.rejected)) == (
        squash(other.prompt),
        squash(other.rejected),
        squash(other.chosen),
    )
    return not exchanged and same_question(one.prompt, other.prompt)


def _near_prompts(prompts: Sequence[str], threshold: float) -> list[list[int]]:
    """Groups of two or more prompts joined by near-duplicates that ask the same question; members ascending."""
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        places.setdefault(prompt, []).append(place)
    # Prompts from one template are near each other, but with another number each is another question. Keeping those
    # apart from the start spares comparing them all.
    questions: dict[tuple[tuple[str, int], ...], list[str]] = {}
    for prompt in places:
        questions.setdefault(tuple(sorted(_marks(prompt).items())), []).append(prompt)
    groups = [group for listed in questions.values() for group in _joined(listed, threshold)]
    members = [sorted(place for prompt in group for place in places[prompt]) for group in groups]
    return sorted(group for group in members if len(group) > 1)


def _joined(prompts: Sequence[str], threshold: float) -> list[list[str]]:
    """Distinct prompts in groups joined by near-duplicates."""
    if len(prompts) == 1:
        return [list(prompts)]
    index = NearDuplicates(threshold)
    leader = list(range(len(prompts)))

    def group_of(number: int) -> int:
        while leader[number] != number:
            leader[number] = leader[leader[number]]
            number = leader[number]
        return number

    for number, prompt in enumerate(prompts):
        for other in index.neighbours_then_add(prompt, group_of):
            leader[group_of(other)] = number
    groups: dict[int, list[str]] = {}
    for number, prompt in enumerate(prompts):
        groups.setdefault(group_of(number), []).append(prompt)
    return list(groups.values())


def _crossed(examples: Sequence[Example], threshold: float) -> list[tuple[int, int]]:
    """Pairs i < j with chosen of i near rejected of j and rejected of i near chosen of j; found by shared words."""
    if len(examples) == 2:  # the usual case
        first, second = examples
        near = similarity(first.chosen, second.rejected) >= threshold <= similarity(first.rejected, second.chosen)
        return [(0, 1)] if near else []
    chosen = {text: number for number, text in enumerate(dict.fromkeys(each.chosen for each in examples))}
    rejected = {text: number for number, text in enumerate(dict.fromkeys(each.rejected for each in examples))}
    near_rejected: dict[int, list[int]] = {}
    near_pairs = set(cross_pairs(list(chosen), list(rejected), threshold))
    for one, other in sorted(near_pairs):
        near_rejected.setdefault(one, []).append(other)
    holders: dict[int, list[int]] = {}
    for place, each in enumerate(examples):
        holders.setdefault(rejected[each.rejected], []).append(place)
    found = []
    for place, each in enumerate(examples):
        own = rejected[each.rejected]
        for text in near_rejected.get(chosen[each.chosen], ()):
            opposite = (other for other in holders[text] if other > place)
            found += [(place, other) for other in opposite if (chosen[examples[other].chosen], own) in near_pairs]
    return sorted(found)


def _unit(vectors: Array) -> Array:
    """Rows of length 1; rows of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def _opposed_by_vectors(
    examples: Sequence[Example], prompts: Array, directions: Array, threshold: float, max_cosine: float
) -> list[_Opposed]:
    """All pairs with near prompts and opposite directions: exhaustive, in blocks (quadratic, but matrix products)."""
    found = []
    for start in range(0, len(examples), _BLOCK):
        alike = prompts[start : start + _BLOCK] @ prompts[start:].T
        cosines = directions[start : start + _BLOCK] @ directions[start:].T
        rows, columns = np.nonzero((alike >= threshold) & (cosines <= max_cosine))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            one, other = start + row, start + column
            if row < column and _distinct_question(examples[one], examples[other]):
                opposition = float(-cosines[row, column])
                found.append(_Opposed(one, other, float(alike[row, column]), opposition, opposition, "vectors"))
    return found


def _grouped(examples: Sequence[Example], opposed: Iterable[_Opposed]) -> list[Conflict]:
    """One conflict for each connected group of opposed examples."""
    against: dict[int, list[_Opposed]] = {}
    for each in opposed:
        against.setdefault(each.one, []).append(each)
        against.setdefault(each.other, []).append(each)
    conflicts, done = [], set[int]()
    for start in sorted(against):
        members, waiting = set[int](), [start]
        while waiting:
            place = waiting.pop()
            if place not in done:
                done.add(place)
                members.add(place)
                waiting += [end for each in against[place] for end in (each.one, each.other)]
        if members:
            conflicts.append(_conflict(examples, {place: against[place] for place in sorted(members)}))
    return conflicts


def _conflict(examples: Sequence[Example], against: Mapping[int, Sequence[_Opposed]]) -> Conflict:
    pairs = sorted({each for listed in against.values() for each in listed}, key=lambda each: (each.one, each.other))
    removed = _light_cover(examples, {place: [*listed] for place, listed in against.items()})
    total = math.fsum(examples[place].weight for place in against)
    share = math.fsum(examples[place].weight for place in removed) / total
    clear = share <= 1 - _CLEAR_SHARE + _ROUNDING
    evidence = {
        "pairs": [
            {
                "examples": [examples[each.one].id, examples[each.other].id],
                "prompt_similarity": each.prompts,
                "crossed_similarity": each.crossed,
                "opposition": each.opposition,
                "found_by": each.by,
            }
            for each in pairs[:_SHOWN_PAIRS]
        ],
        "pairs_total": len(pairs),
        "weights": {examples[place].id: examples[place].weight for place in sorted(against)[:_SHOWN_PAIRS]},
        "removed_weight_share": share,
    }
    subjects = tuple(examples[place].id for place in sorted(against))
    targets = tuple(examples[place].id for place in sorted(removed)) if clear else subjects
    return Conflict("contradictory", subjects, evidence, "discard" if clear else "review", targets)


def _light_cover(examples: Sequence[Example], against: dict[int, list[_Opposed]]) -> set[int]:
    """Examples without which no opposed pair is left, taken greedily: least weight per contradiction first."""
    waiting = [(examples[place].weight / len(listed), place, len(listed)) for place, listed in against.items()]
    heapq.heapify(waiting)
    open_pairs = {place: len(listed) for place, listed in against.items()}
    removed: set[int] = set()
    while waiting:
        _, place, counted = heapq.heappop(waiting)
        if place in removed or open_pairs[place] != counted:
            continue  # a newer entry with the present count is waiting too
        removed.add(place)
        for pair in against[place]:
            other = pair.other if pair.one == place else pair.one
            if other not in removed:
                open_pairs[other] -= 1
                if open_pairs[other]:
                    heapq.heappush(waiting, (examples[other].weight / open_pairs[other], other, open_pairs[other]))
    return removed
