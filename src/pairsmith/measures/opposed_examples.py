"""Contradictory examples: near-identical prompts whose preferences point opposite ways.

Two examples contradict each other if their prompts are near-duplicates that ask for the same numbers with the same
negations, and the chosen response of each resembles the rejected response of the other more than its own counterpart.
Resemblance is that of `similarity` (Jaccard of word 3-grams, of words for short texts), or of embedding vectors where
they are given, which also see rewordings.
"""

import heapq
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.conflicts import Conflict
from pairsmith.measures.opposed_texts import Example, Opposed, exchanged, opposed_by_words, same_question

__all__ = ["Example", "ExampleVectors", "contradictory_examples"]

Array = NDArray[np.float64]

_CLEAR_SHARE = 0.6
_ROWS = 512
_SHOWN_PAIRS = 20
_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True)
class ExampleVectors:
    """Embeddings of examples in their order, each of shape (examples, dimensions), of any length above 0."""

    prompts: Array
    chosen: Array
    rejected: Array


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
    found = opposed_by_words(listed, prompt_threshold, response_threshold, min_opposition)
    if vectors is not None:
        prompts, chosen, rejected = (
            np.asarray(each, dtype=np.float64)[order] for each in (vectors.prompts, vectors.chosen, vectors.rejected)
        )
        more = _opposed_by_vectors(listed, _unit(prompts), _unit(chosen - rejected), vector_threshold, max_cosine)
        known = {(each.one, each.other) for each in found}
        found += [each for each in more if (each.one, each.other) not in known]
    return _grouped(listed, found)


def _unit(vectors: Array) -> Array:
    """Rows of length 1; rows of length 0 stay."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit: Array = vectors / np.where(lengths > 0, lengths, 1.0)
    return unit


def _opposed_by_vectors(
    examples: Sequence[Example], prompts: Array, directions: Array, threshold: float, max_cosine: float
) -> list[Opposed]:
    """All pairs with near prompts and opposite directions: exhaustive, in blocks (quadratic, but matrix products)."""
    found = []
    for start in range(0, len(examples), _ROWS):
        alike = prompts[start : start + _ROWS] @ prompts[start:].T
        cosines = directions[start : start + _ROWS] @ directions[start:].T
        rows, columns = np.nonzero((alike >= threshold) & (cosines <= max_cosine))
        for row, column in zip(rows.tolist(), columns.tolist(), strict=True):
            one, other = start + row, start + column
            alike_asked = row < column and same_question(examples[one].prompt, examples[other].prompt)
            if alike_asked and not exchanged(examples[one], examples[other]):
                opposition = float(-cosines[row, column])
                found.append(Opposed(one, other, float(alike[row, column]), opposition, opposition, "vectors"))
    return found


def _grouped(examples: Sequence[Example], opposed: Iterable[Opposed]) -> list[Conflict]:
    """One conflict for each connected group of opposed examples."""
    against: dict[int, list[Opposed]] = {}
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


def _conflict(examples: Sequence[Example], against: Mapping[int, Sequence[Opposed]]) -> Conflict:
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


def _light_cover(examples: Sequence[Example], against: dict[int, list[Opposed]]) -> set[int]:
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
