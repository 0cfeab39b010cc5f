import itertools
import random

import numpy as np
import pytest

from pairsmith.measures.clusters import near_duplicate_clusters
from pairsmith.measures.joining import (
    band_records,
    feature_counts,
    parted_pairs,
    prefix_records,
    similarities,
    star_pairs,
    unique_pairs,
)
from pairsmith.measures.shingles import features
from pairsmith.measures.similarity import cross_pairs, similarity


def texts_with_copies(seed: int, count: int) -> list[str]:
    rng = random.Random(seed)
    words = [f"word{n}" for n in range(300)]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.6:
            tokens = list(rng.choice(texts))
            for _ in range(rng.randrange(3)):
                tokens[rng.randrange(len(tokens))] = rng.choice(words)
        else:
            tokens = rng.choices(words, k=rng.randint(1, 40))
        texts.append(tokens)
    return [" ".join(tokens) for tokens in texts]


@pytest.mark.parametrize("threshold", [0.4, 0.8])
def test_pairs_under_bands_are_those_of_the_clusters(threshold):
    texts = texts_with_copies(1, 400)
    grams, bags = features(texts)
    pairs = star_pairs(*band_records(grams, bags, threshold))
    scores = similarities(grams, bags, pairs)
    clusters = near_duplicate_clusters(texts, threshold)
    expected = {tuple(pair) for pair in clusters.edges.tolist()}
    assert {tuple(pair) for pair in pairs[scores >= threshold].tolist()} == expected
    assert len(expected) > 100


def test_pairs_among_the_first_texts_are_the_same_with_more_texts():
    texts = texts_with_copies(2, 300)

    def pairs_of(count: int) -> set[tuple[int, ...]]:
        pairs = star_pairs(*band_records(*features(texts[:count]), 0.6))
        return {tuple(pair) for pair in pairs.tolist()}

    whole = pairs_of(300)
    assert pairs_of(120) == {pair for pair in whole if pair[1] < 120}


@pytest.mark.parametrize("threshold", [0.3, 0.5, 0.8, 1.0])
def test_prefixes_find_every_near_pair_across_parts(threshold):
    texts = texts_with_copies(3, 250)
    parts = np.array([random.Random(n).randrange(-1, 3) for n in range(len(texts))], dtype=np.int16)
    grams, bags = features(texts)
    keys, owners = prefix_records(grams, bags, feature_counts(grams, bags), threshold)
    pairs = parted_pairs(keys, owners, parts[owners])
    found = {tuple(pair) for pair in pairs[similarities(grams, bags, pairs) >= threshold].tolist()}
    every = itertools.combinations(range(len(texts)), 2)
    expected = {
        (one, other)
        for one, other in every
        if -1 not in (parts[one], parts[other])
        and parts[one] != parts[other]
        and similarity(texts[one], texts[other]) >= threshold
    }
    assert found == expected
    assert expected


def test_prefixes_agree_with_the_join_in_memory():
    texts = texts_with_copies(4, 300)
    parts = np.array([n % 2 for n in range(300)], dtype=np.int16)
    grams, bags = features(texts)
    keys, owners = prefix_records(grams, bags, feature_counts(grams, bags), 0.7)
    pairs = parted_pairs(keys, owners, parts[owners])
    near = pairs[similarities(grams, bags, pairs) >= 0.7].tolist()
    found = {(one // 2, other // 2) if one % 2 == 0 else (other // 2, one // 2) for one, other in near}
    assert found == set(cross_pairs(texts[::2], texts[1::2], 0.7))


def test_an_order_from_other_counts_finds_the_same():
    texts = texts_with_copies(5, 200)
    parts = np.array([n % 3 for n in range(200)], dtype=np.int16)
    grams, bags = features(texts)

    def near(counts):
        keys, owners = prefix_records(grams, bags, counts, 0.6)
        pairs = parted_pairs(keys, owners, parts[owners])
        return pairs[similarities(grams, bags, pairs) >= 0.6].tolist()

    right = feature_counts(grams, bags)
    assert near(right) == near(np.zeros_like(right)) != []


def test_unique_pairs():
    pairs = np.array([[3, 4], [1, 4], [3, 4], [2, 2], [0, 1]])
    assert unique_pairs(pairs).tolist() == [[0, 1], [1, 4], [3, 4]]
    assert unique_pairs(np.zeros((0, 2), dtype=np.int64)).tolist() == []


@pytest.mark.parametrize("texts", [[], [""], ["", "...", "one"]])
def test_texts_without_words_have_no_keys(texts):
    grams, bags = features(texts)
    keys, owners = band_records(grams, bags, 0.8)
    assert set(owners.tolist()) <= {2}
    keys, owners = prefix_records(grams, bags, feature_counts(grams, bags), 0.8)
    assert set(owners.tolist()) <= {2}
    assert parted_pairs(keys, owners, np.zeros(len(keys), dtype=np.int16)).tolist() == []
