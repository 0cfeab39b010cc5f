"""Examples whose prompts are near each other and whose directions are opposite, found by their words.

Examples of near prompts are compared in blocks of at most `BLOCK`, in the order of their ids: among ten thousand
responses to one prompt that is the difference between ten million comparisons and a hundred million.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.clusters import near_duplicate_clusters
from pairsmith.measures.compiled import has_numba
from pairsmith.measures.resemblance import similarities_within
from pairsmith.measures.similarity import similarity
from pairsmith.measures.text import squash, words
from pairsmith.measures.vote_table import Ints

__all__ = ["BLOCK", "Example", "Opposed", "exchanged", "opposed_by_words", "same_question"]

Array = NDArray[np.float64]

BLOCK = 1000
"""The most examples of near prompts that are compared with each other."""

_NEGATIONS = frozenset({"not", "no", "never", "without", "except", "cannot", "isn", "don", "doesn", "aren", "won"})
_EXAMPLES_AT_A_TIME = 4000
_MIN_EXAMPLES_FOR_NUMBA = 5000


@dataclass(frozen=True, slots=True)
class Example:
    """One row of a preference dataset as text; `weight` above 0 says how far to trust it, for example its agreement."""

    id: str
    prompt: str
    chosen: str
    rejected: str
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Opposed:
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
    return Counter(
        word
        for word in words(text)
        if word in _NEGATIONS or (not word.isalpha() and any(letter.isdigit() for letter in word))
    )


def opposed_by_words(
    examples: Sequence[Example], prompt_threshold: float, response_threshold: float, min_opposition: float
) -> list[Opposed]:
    """All pairs of examples that contradict each other; see `contradictory_examples`."""
    found = []
    compiled = len(examples) >= _MIN_EXAMPLES_FOR_NUMBA and has_numba()
    for batch in _batches(_near_prompts([each.prompt for each in examples], prompt_threshold)):
        for members, alike in _resemblances(examples, batch, response_threshold, compiled=compiled):
            prompts: dict[tuple[str, str], float] = {}
            for one, other, crossed, opposition in _crossed(*alike, response_threshold, min_opposition):
                first, second = examples[members[one]], examples[members[other]]
                asked = (first.prompt, second.prompt)
                if asked not in prompts:
                    prompts[asked] = similarity(*asked)
                if prompts[asked] >= prompt_threshold and not exchanged(first, second):
                    found.append(Opposed(members[one], members[other], prompts[asked], crossed, opposition, "words"))
    return found


def exchanged(one: Example, other: Example) -> bool:
    """Whether it is merely one pair exchanged within one prompt, which is left to `both_ways`."""
    return (squash(one.prompt), squash(one.chosen), squash(one.rejected)) == (
        squash(other.prompt),
        squash(other.rejected),
        squash(other.chosen),
    )


def _near_prompts(prompts: Sequence[str], threshold: float) -> list[list[int]]:
    """Groups of two or more prompts joined by near-duplicates that ask the same question; members ascending."""
    places: dict[str, list[int]] = {}
    for place, prompt in enumerate(prompts):
        places.setdefault(prompt, []).append(place)
    # Prompts from one template are near each other, but with another number each is another question. Keeping those
    # apart from the start spares comparing them all.
    questions: dict[tuple[tuple[str, int], ...], int] = {}
    marks = [questions.setdefault(tuple(sorted(_marks(prompt).items())), len(questions)) for prompt in places]
    near = near_duplicate_clusters(list(places), threshold, limit=1.0, apart=np.array(marks, dtype=np.int64))
    members: dict[int, list[int]] = {}
    for label, listed in zip(near.labels.tolist(), places.values(), strict=True):
        members.setdefault(label, []).extend(listed)
    return sorted(sorted(group) for group in members.values() if len(group) > 1)


def _batches(groups: Sequence[Sequence[int]]) -> Iterator[list[Sequence[int]]]:
    """Groups in batches of some thousand examples; larger groups are cut into blocks."""
    batch: list[Sequence[int]] = []
    size = 0
    for group in groups:
        for start in range(0, len(group), BLOCK):
            batch.append(group[start : start + BLOCK])
            size += len(batch[-1])
            if size >= _EXAMPLES_AT_A_TIME:
                yield batch
                batch, size = [], 0
    if batch:
        yield batch


def _resemblances(
    examples: Sequence[Example], groups: Sequence[Sequence[int]], threshold: float, *, compiled: bool
) -> Iterator[tuple[Sequence[int], tuple[Array, Ints, Ints]]]:
    """Groups in which something can be opposed: members, similarities of their texts, and the texts of each member.

    Within one prompt, only another text than the own can turn a preference round, so two different texts must be alike.
    """
    number: dict[tuple[int, str], int] = {}
    sides = [
        [
            [number.setdefault((place, text), len(number)) for text in (examples[m].chosen, examples[m].rejected)]
            for m in members
        ]
        for place, members in enumerate(groups)
    ]
    owner = np.array([place for place, _ in number], dtype=np.int64)
    pairs, similarities = similarities_within([text for _, text in number], owner, compiled=compiled)
    near = (similarities >= threshold) & (pairs[:, 0] != pairs[:, 1])
    open_groups = {*owner[pairs[near, 0]].tolist()}
    starts = np.searchsorted(owner[pairs[:, 0]], np.arange(len(groups) + 1))
    for place, members in enumerate(groups):
        if place in open_groups or len({examples[member].prompt for member in members}) > 1:
            first, last = np.searchsorted(owner, [place, place + 1])
            table = np.zeros((last - first, last - first))
            inside = slice(starts[place], starts[place + 1])
            one, other = (pairs[inside] - first).T
            table[one, other] = table[other, one] = similarities[inside]
            texts = np.array(sides[place], dtype=np.int64) - first
            yield members, (table, texts[:, 0], texts[:, 1])


def _crossed(
    alike: Array, chosen: Ints, rejected: Ints, threshold: float, min_opposition: float
) -> Iterator[tuple[int, int, float, float]]:
    """Pairs i < j with chosen of i near rejected of j and rejected of i near chosen of j, and nearer than straight.

    Yields i, j, the smaller of the two crossed similarities, and the opposition.
    """
    one, other = alike[np.ix_(chosen, rejected)], alike[np.ix_(rejected, chosen)]
    straight = alike[np.ix_(chosen, chosen)] + alike[np.ix_(rejected, rejected)]
    crossed, opposition = np.minimum(one, other), (one + other - straight) / 2
    for i, j in zip(*np.nonzero(np.triu((crossed >= threshold) & (opposition >= min_opposition), 1)), strict=True):
        yield int(i), int(j), float(crossed[i, j]), float(opposition[i, j])
