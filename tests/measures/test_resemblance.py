from itertools import combinations_with_replacement

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pairsmith.measures import opposed_texts
from pairsmith.measures.opposed_examples import contradictory_examples
from pairsmith.measures.opposed_texts import BLOCK, Example
from pairsmith.measures.resemblance import similarities_within
from pairsmith.measures.similarity import similarity

TEXTS = st.lists(st.tuples(st.integers(0, 3), st.lists(st.sampled_from("uvwxyz!é"), max_size=16)), max_size=14)


@settings(max_examples=60)
@given(TEXTS)
def test_similarities_are_those_of_each_pair_of_a_group_alone(rows):
    rows = sorted(rows, key=lambda row: row[0])
    groups, texts = [group for group, _ in rows], [" ".join(words) for _, words in rows]
    pairs, values = similarities_within(texts, np.array(groups, dtype=np.int64))
    found = {(one, other): value for (one, other), value in zip(pairs.tolist(), values.tolist(), strict=True)}
    for one, other in combinations_with_replacement(range(len(rows)), 2):
        expected = similarity(texts[one], texts[other]) if groups[one] == groups[other] else 0.0
        assert found.get((one, other), 0.0) == expected


def test_no_texts_have_no_similarities():
    pairs, values = similarities_within([], np.zeros(0, dtype=np.int64))
    assert (pairs.shape, values.size) == ((0, 2), 0)


def test_near_identical_answers_to_one_prompt_are_compared_in_blocks(monkeypatch):
    """Half of 400 alike answers win against the other half and half lose: everything contradicts everything."""
    block = 50
    monkeypatch.setattr(opposed_texts, "BLOCK", block)
    good, bad = "yes of course this is so", "no by no means is it that"
    listed = [
        Example(f"{n:03}", "Is it so?", *((f"{good} {n}", f"{bad} {n}") if n % 2 else (f"{bad} {n}", f"{good} {n}")))
        for n in range(400)
    ]
    found = contradictory_examples(listed)
    assert len(found) == 400 / block
    assert sum(each.evidence["pairs_total"] for each in found) == 400 / block * (block / 2) ** 2
    assert BLOCK == 1000
