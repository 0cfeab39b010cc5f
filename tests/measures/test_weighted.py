"""Weighted shares and kappas: equal weights are the plain ones, order and naming do not matter."""

import numpy as np
import pytest
from statsmodels.stats.inter_rater import cohens_kappa

from pairsmith.measures.weighted import effective_size, vote_weight, weighted_kappa, weighted_share

RNG = np.random.default_rng(5)
ONE = RNG.integers(0, 3, 200)
OTHER = np.where(RNG.random(200) < 0.6, ONE, RNG.integers(0, 3, 200))
PROMPTS = [str(number // 4) for number in range(200)]
WEIGHTS = RNG.random(200) + 0.1


def test_kappa_is_that_of_the_table_of_both_namings():
    turn = np.array([1, 0, 2])
    table = np.zeros((3, 3))
    np.add.at(table, (ONE, OTHER), 1)
    np.add.at(table, (turn[ONE], turn[OTHER]), 1)
    figure = weighted_kappa(ONE, OTHER, np.ones(200), PROMPTS, seed=1)
    assert figure["value"] == pytest.approx(cohens_kappa(table).kappa)
    assert figure["interval"][0] < figure["value"] < figure["interval"][1]


def test_a_weight_of_two_is_two_observations():
    doubled = weighted_kappa(ONE, OTHER, np.where(ONE == 0, 2.0, 1.0), PROMPTS, seed=1)
    twice = np.concatenate([np.arange(200), np.flatnonzero(ONE == 0)])
    listed = weighted_kappa(ONE[twice], OTHER[twice], np.ones(twice.size), [PROMPTS[i] for i in twice], seed=1)
    assert doubled["value"] == pytest.approx(listed["value"])


def test_neither_the_order_nor_the_naming_matters():
    order = RNG.permutation(200)
    turn = np.array([1, 0, 2])
    plain = weighted_kappa(ONE, OTHER, WEIGHTS, PROMPTS, seed=1)
    mixed = weighted_kappa(turn[ONE][order], turn[OTHER][order], WEIGHTS[order], [PROMPTS[i] for i in order], seed=1)
    assert mixed["value"] == pytest.approx(plain["value"])
    assert mixed["interval"] == pytest.approx(plain["interval"])
    shares = [weighted_share(ONE == OTHER, WEIGHTS, PROMPTS, seed=1, reason="x")]
    shares.append(
        weighted_share((ONE == OTHER)[order], WEIGHTS[order], [PROMPTS[i] for i in order], seed=1, reason="x")
    )
    assert shares[0]["value"] == pytest.approx(shares[1]["value"])
    assert shares[0]["interval"] == pytest.approx(shares[1]["interval"])


def test_thirty_of_thirty_is_not_certainty():
    figure = weighted_share(np.ones(30), np.ones(30), [str(i) for i in range(30)], seed=1, reason="x")
    assert figure["value"] == 1.0
    assert figure["interval"][0] == pytest.approx(0.886, abs=1e-3)  # Wilson


def test_nothing_is_not_evaluated():
    assert weighted_share([], [], [], seed=1, reason="nobody voted")["reason"] == "nobody voted"
    assert weighted_kappa([], [], [], [], seed=1)["value"] is None
    assert weighted_kappa([2, 2], [2, 2], [1, 1], ["x", "y"], seed=1)["value"] is None


def test_effective_size():
    assert effective_size(np.ones(7)) == pytest.approx(7)
    assert effective_size([10.0, 1.0]) < 2
    assert effective_size([]) == 0.0


def test_a_vote_counts_by_its_log_odds_and_never_more_than_a_persons():
    weights = [vote_weight(accuracy, 0.8) for accuracy in (0.2, 0.5, 0.6, 0.7, 0.8, 0.99, 1.0)]
    assert weights[:2] == [0.0, 0.0]
    assert weights[2:4] == pytest.approx([np.log(1.5) / np.log(4), np.log(7 / 3) / np.log(4)])
    assert weights[4:] == pytest.approx([1.0, 1.0, 1.0])
