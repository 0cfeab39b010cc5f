import numpy as np

from pairsmith.measures.keeping import repeats


def asked_for(pairs, scores, threshold=0.8, more=None):
    table = {tuple(pair): score for pair, score in zip(pairs, scores, strict=True)} | (more or {})
    order = sorted(range(len(pairs)), key=lambda n: pairs[n][::-1])
    array = np.array([pairs[n] for n in order], dtype=np.int64).reshape(-1, 2)
    given = np.array([scores[n] for n in order], dtype=np.float64)
    return repeats(array, given, threshold, lambda one, other: table.get((one, other), 0.0))


def test_the_first_of_a_group_stays():
    assert asked_for([(0, 1), (0, 2), (1, 2)], [0.9, 1.0, 0.9]) == {1: (0, 0.9), 2: (0, 1.0)}


def test_a_chain_of_small_differences_removes_only_what_a_kept_text_resembles():
    chain = [(n, n + 1) for n in range(6)]
    gone = asked_for(chain, [0.85] * 6)
    assert gone == {1: (0, 0.85), 3: (2, 0.85), 5: (4, 0.85)}


def test_the_text_kept_for_a_near_one_is_asked_about():
    assert asked_for([(0, 1), (1, 2)], [0.9, 0.9], more={(0, 2): 0.82}) == {1: (0, 0.9), 2: (0, 0.82)}


def test_the_nearest_kept_text_is_named():
    assert asked_for([(0, 2), (1, 2)], [0.85, 0.95]) == {2: (1, 0.95)}
    assert asked_for([(0, 2), (1, 2)], [0.9, 0.9]) == {2: (0, 0.9)}


def test_nothing_near_nothing_gone():
    assert asked_for([], []) == {}
