"""Clusters against brute force, compiled against numpy, and what happens to a template that swallows the set."""

import random
from itertools import combinations

import numpy as np
import pytest

from pairsmith.measures.clusters import Clusters, near_duplicate_clusters
from pairsmith.measures.compiled import has_numba
from pairsmith.measures.shingles import features
from pairsmith.measures.similarity import similarity


def variants(seed: int, bases: int) -> list[str]:
    """Texts of 1 to 60 words, each with near copies of every degree."""
    rng = random.Random(seed)
    vocabulary = [f"word{number}" for number in range(400)]
    texts = []
    for _ in range(bases):
        base = rng.choices(vocabulary, k=rng.randint(1, 60))
        for _ in range(rng.randint(1, 4)):
            tokens = list(base)
            for _ in range(rng.randrange(4)):
                tokens[rng.randrange(len(tokens))] = rng.choice(vocabulary)
            texts.append(" ".join(tokens))
    rng.shuffle(texts)
    return texts


def parts_of(found: Clusters) -> set[frozenset[int]]:
    groups: dict[int, set[int]] = {}
    for number, label in enumerate(found.labels.tolist()):
        groups.setdefault(label, set()).add(number)
    return {frozenset(group) for group in groups.values()}


def components(count: int, edges: list[tuple[int, int]]) -> set[frozenset[int]]:
    group = {number: {number} for number in range(count)}
    for one, other in edges:
        if group[one] is not group[other]:
            group[one] |= group[other]
            for each in group[other]:
                group[each] = group[one]
    return {frozenset(each) for each in group.values()}


@pytest.mark.parametrize("threshold", [0.5, 0.8, 1.0])
def test_against_brute_force(threshold: float) -> None:
    texts = [*variants(3, 100), "", "?!", "Ещё один пример", "ещё один ПРИМЕР!"]
    found = near_duplicate_clusters(texts, threshold)
    near = {(i, j) for i, j in combinations(range(len(texts)), 2) if similarity(texts[i], texts[j]) >= threshold}
    assert {tuple(edge) for edge in found.edges.tolist()} <= near, "every edge is verified"
    expected = components(len(texts), sorted(near))
    assert len(parts_of(found) ^ expected) <= 0.02 * len(expected)
    assert all(first <= number for number, first in enumerate(found.labels.tolist()))
    for (i, j), value in zip(found.edges.tolist(), found.similarities.tolist(), strict=True):
        assert value == pytest.approx(similarity(texts[i], texts[j]))


@pytest.mark.skipif(not has_numba(), reason="needs the extra `fast`")
def test_compiled_and_numpy_agree() -> None:
    texts = variants(4, 150)
    one, other = (near_duplicate_clusters(texts, 0.6, compiled=each) for each in (True, False))
    assert np.array_equal(one.labels, other.labels)
    assert np.array_equal(one.edges, other.edges)
    assert np.array_equal(one.similarities, other.similarities)
    assert one.figures == other.figures


def test_templates_are_cut_and_reported() -> None:
    """A chain of texts, each near the next: one cluster of 300, of which the ends have nothing in common."""
    tokens = [f"w{number}" for number in range(700)]
    chain = [" ".join(tokens[start : start + 60]) for start in range(0, 600, 2)]
    found = near_duplicate_clusters(chain, 0.8, limit=0.2)
    (cut,) = found.figures["cut"]
    assert cut["size"] == 300
    assert cut["similarity"] > 0.8
    assert found.figures["largest"] <= 100
    assert cut["near_pairs_cut"] > 0
    alike = near_duplicate_clusters([chain[0]] * 150 + chain[:10], 0.8, limit=0.1)
    assert alike.figures["largest"] >= 150, "copies stay together whatever the limit"


def test_candidates_are_bounded() -> None:
    texts = [f"Translate this sentence into polite and formal French for me please : number {n}" for n in range(500)]
    figures = near_duplicate_clusters(texts, 0.5, limit=1.0).figures
    assert figures["candidate_pairs"] <= figures["candidate_bound"]
    assert figures["largest"] == 500


def test_no_texts_and_one_text() -> None:
    assert near_duplicate_clusters([], 0.8).figures["clusters"] == 0
    assert near_duplicate_clusters(["alone here"], 0.8).labels.tolist() == [0]
    with pytest.raises(ValueError, match="threshold"):
        near_duplicate_clusters([], 0.0)


def test_features_are_sets() -> None:
    grams, bags = features(["a a a a a", "a b", "", "one two three four"])
    assert np.diff(grams.starts).tolist() == [1, 1, 0, 2]
    assert np.diff(bags.starts).tolist() == [1, 2, 0, 4]
