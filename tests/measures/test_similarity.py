import csv
import gzip
import random
from itertools import combinations
from pathlib import Path

import pytest

from pairsmith.measures.similarity import NearDuplicates, bands_for, cross_pairs, similarity
from pairsmith.measures.text import words


def jaccard(one: str, other: str) -> float:
    """Straight from the definition."""

    def grams(text: str) -> set[tuple[str, ...]]:
        tokens = words(text)
        width = min(3, len(tokens))
        return {tuple(tokens[i : i + width]) for i in range(len(tokens) - width + 1)} if tokens else set()

    def share(a: set[object], b: set[object]) -> float:
        return len(a & b) / len(a | b) if a and b else 0.0

    similar = share(set(grams(one)), set(grams(other)))
    if len(words(one)) <= 12 and len(words(other)) <= 12:
        similar = max(similar, share(set(words(one)), set(words(other))))
    return similar


def varied_texts(seed: int, count: int) -> list[str]:
    """Texts of 1 to 60 words with near-duplicates of every degree."""
    rng = random.Random(seed)
    vocabulary = [f"word{n}" for n in range(300)]
    texts: list[str] = []
    for _ in range(count):
        if texts and rng.random() < 0.6:
            tokens = rng.choice(texts).split()
            for _ in range(rng.randrange(4)):
                tokens[rng.randrange(len(tokens))] = rng.choice(vocabulary)
        else:
            tokens = rng.choices(vocabulary, k=rng.randint(1, 60))
        texts.append(" ".join(tokens))
    return texts


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_against_brute_force(threshold: float) -> None:
    texts = varied_texts(1, 250)
    expected = {(i, j) for i, j in combinations(range(len(texts)), 2) if jaccard(texts[i], texts[j]) >= threshold}
    assert len(expected) > 30
    seen = NearDuplicates(threshold)
    found = {(i, j) for j, text in enumerate(texts) for i in seen.neighbours_then_add(text)}
    assert found <= expected, "every neighbour is verified"
    assert len(found) >= 0.995 * len(expected)
    exact = {(i, j) for i, j in cross_pairs(texts, texts, threshold) if i < j}
    assert exact == expected


def test_recall_on_real_prompts(shared_data: Path) -> None:
    with gzip.open(shared_data / "prompts" / "banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        texts = [row["text"] for row in csv.DictReader(file)][:2500]
    seen = NearDuplicates(0.8)
    found = {(i, j) for j, text in enumerate(texts) for i in seen.neighbours_then_add(text)}
    exact = {(i, j) for i, j in cross_pairs(texts, texts, 0.8) if i < j}
    assert len(exact) > 50
    assert len(found & exact) >= 0.998 * len(exact)
    assert found <= exact


def test_similarity_equals_the_definition() -> None:
    texts = varied_texts(2, 60)
    for one, other in combinations(texts, 2):
        assert similarity(one, other) == pytest.approx(jaccard(one, other))


@pytest.mark.parametrize(
    ("one", "other", "near"),
    [
        ("What is the capital of France?", "what is the CAPITAL of france", True),
        ("Hi", "hi!", True),
        ("Hi", "Hello", False),
        ("How do I cancel my new card please today", "please how do I cancel my new card today", True),
        ("今天的天气怎么样啊", "今天的天气怎么样", True),
        ("?!", "...", False),
        ("", "", False),
    ],
)
def test_short_texts(one: str, other: str, near: bool) -> None:
    seen = NearDuplicates(0.8)
    assert seen.neighbours_then_add(one) == []
    assert seen.neighbours_then_add(other) == ([0] if near else [])


def test_one_neighbour_per_group_is_enough() -> None:
    texts = [f"Translate this sentence into polite and formal French for me please : number {n}" for n in range(30)]
    seen = NearDuplicates(0.6)
    for text in texts:
        seen.neighbours_then_add(text)
    near = seen.neighbours(texts[0], lambda number: number % 2)
    assert {number % 2 for number in near} == {0, 1}
    assert len(near) == 2
    assert len(seen.neighbours(texts[0])) == 30


@pytest.mark.parametrize("threshold", [0.1, 0.3, 0.5, 0.7, 0.8, 0.9, 0.95, 1.0])
def test_bands_keep_their_promise(threshold: float) -> None:
    bands, rows = bands_for(threshold)
    assert bands * rows <= 128
    assert 1 - (1 - threshold**rows) ** bands >= 0.999


@pytest.mark.parametrize("threshold", [0.0, -1.0, 1.1])
def test_threshold_out_of_range(threshold: float) -> None:
    with pytest.raises(ValueError, match="threshold"):
        NearDuplicates(threshold)
