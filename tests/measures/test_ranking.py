"""Strengths and rankings against closed forms and a published example."""

from itertools import permutations

import numpy as np
import pytest

from pairsmith.measures.ranking import bradley_terry, pairwise_wins, ranked_pairs


def test_bradley_terry_of_two_is_the_log_odds() -> None:
    strengths = bradley_terry([[0, 7], [3, 0]])
    assert strengths[0] - strengths[1] == pytest.approx(0.847298, abs=1e-6)
    assert strengths[0] - strengths[1] == pytest.approx(np.log(7 / 3))


def test_bradley_terry_of_three() -> None:
    strengths = bradley_terry([[0, 6, 9], [4, 0, 7], [1, 3, 0]])
    assert strengths == pytest.approx([0.78345, 0.16016, -0.94361], abs=1e-5)
    assert 1 / (1 + np.exp(strengths[1] - strengths[0])) == pytest.approx(0.65097, abs=1e-5)
    assert bradley_terry(np.zeros((3, 3))).tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="square"):
        bradley_terry([[1, 2]])


def test_ranked_pairs_of_the_published_ballots() -> None:
    names = "wxyz"
    ballots = [(3, "wxzy"), (2, "wyxz"), (4, "xyzw"), (5, "xzwy"), (1, "ywxz")]
    wins = pairwise_wins([(count, [names.index(each) for each in order]) for count, order in ballots], 4)
    assert "".join(names[item] for item in ranked_pairs(wins)) == "xzwy"


def test_ranked_pairs_open_the_weakest_link_of_a_circle() -> None:
    wins = np.zeros((3, 3))
    wins[0, 1], wins[1, 2], wins[2, 0] = 8, 6, 3
    assert ranked_pairs(wins) == [0, 1, 2]
    for names in permutations(range(3)):
        renamed = np.zeros((3, 3))
        for i, j in ((0, 1), (1, 2), (2, 0)):
            renamed[names[i], names[j]] = wins[i, j]
        assert ranked_pairs(renamed) == [names[0], names[1], names[2]]


def test_whoever_beats_all_others_comes_first() -> None:
    rng = np.random.default_rng(0)
    winners = 0
    for _ in range(200):
        ballots = [(1.0, rng.permutation(5).tolist()) for _ in range(7)]
        wins = pairwise_wins(ballots, 5)
        beats_all = [item for item in range(5) if all(wins[item, k] > wins[k, item] for k in range(5) if k != item)]
        if beats_all:
            winners += 1
            assert ranked_pairs(wins)[0] == beats_all[0]
    assert winners > 50


def test_a_ballot_need_not_name_everybody() -> None:
    assert pairwise_wins([(2, [1])], 3).tolist() == [[0, 0, 0], [2, 0, 2], [0, 0, 0]]
