import math

import numpy as np
import pytest

from pairsmith.measures.divergence import best_of_n_kl, log_ratio_kl
from pairsmith.measures.preference import (
    effective_pairs,
    gap_summary,
    label_accuracy,
    one_coin_accuracy,
    one_coin_posterior,
    probability_gap,
    quality_level,
    quality_score,
    rating_gap,
    reward_gap,
    strength_gap,
    votes_gap,
)


def test_gaps_of_every_kind():
    assert votes_gap(3, 1) == 0.5
    assert votes_gap(1, 1, 2) == 0
    assert votes_gap(0, 0) is None
    assert rating_gap(4.2, 3.6, 1, 5) == pytest.approx(0.15)
    assert rating_gap(3, 5, 1, 5) == -0.5
    assert probability_gap(0.575) == pytest.approx(0.15)
    assert reward_gap(0.0, 2.0) == 0
    assert strength_gap(-2, 3) == pytest.approx(-2 / 3)


@pytest.mark.parametrize(("net_win", "margin"), [(0.10, 0.201), (0.15, 0.302), (0.30, 0.619)])
def test_reward_gap_is_the_bradley_terry_net_win(net_win, margin):
    assert reward_gap(margin, 1.0) == pytest.approx(net_win, abs=5e-4)
    assert reward_gap(margin * 7, 7.0) == pytest.approx(2 / (1 + math.exp(-margin)) - 1)


@pytest.mark.parametrize(
    "call",
    [
        lambda: rating_gap(6, 1, 1, 5),
        lambda: rating_gap(1, 1, 1, 1),
        lambda: probability_gap(1.5),
        lambda: reward_gap(1, 0),
        lambda: strength_gap(4, 3),
        lambda: best_of_n_kl(0),
    ],
)
def test_values_outside_their_scale_are_errors(call):
    with pytest.raises(ValueError):
        call()


@pytest.mark.parametrize(
    ("gap", "agreement", "level"),
    [
        (0.30, 0.90, "excellent"),
        (0.30, 0.899, "good"),
        (0.299, 1.0, "good"),
        (0.15, 0.70, "good"),
        (0.149, 0.95, "marginal"),
        (1.0, 0.69, "marginal"),
        (0.10, 0.50, "marginal"),
        (0.099, 1.0, "poor"),
        (1.0, 0.49, "poor"),
        (-0.5, 1.0, "poor"),
        (2 * 0.575 - 1, 1.0, "good"),
        (None, 1.0, "not_evaluated"),
        (1.0, None, "not_evaluated"),
    ],
)
def test_the_level_is_the_lower_of_two(gap, agreement, level):
    assert quality_level(gap, agreement) == level


def test_one_coin_accuracy_inverts_pairwise_agreement():
    for q in (0.55, 0.7, 0.93, 1.0):
        assert one_coin_accuracy(q * q + (1 - q) ** 2) == pytest.approx(q)
    assert one_coin_accuracy(0.5) is None
    assert one_coin_posterior(1, 0.7) == pytest.approx(0.7)
    assert one_coin_posterior(2, 0.7) == pytest.approx(0.49 / (0.49 + 0.09))
    assert one_coin_posterior(3, 1.0) == pytest.approx(1)


@pytest.mark.parametrize("accuracy", [0.65, 0.8, 0.95])
def test_label_accuracy_finds_the_truth_of_simulated_annotators(accuracy):
    rng = np.random.default_rng(7)
    votes_cast = rng.integers(1, 6, size=8000)
    right = rng.binomial(votes_cast, accuracy)
    votes = np.stack([right, votes_cast - right], axis=1)
    decided = votes[:, 0] != votes[:, 1]
    truth = (votes[decided, 0] > votes[decided, 1]).mean()
    found = label_accuracy(votes, seed=1)
    assert found["annotator_accuracy"] == pytest.approx(accuracy, abs=0.02)
    assert found["value"] == pytest.approx(truth, abs=0.015)
    assert found["interval"][0] < found["value"] < found["interval"][1]
    assert found["n"] == decided.sum()
    swapped = np.where(rng.random((8000, 1)) < 0.5, votes, votes[:, ::-1])
    assert label_accuracy(swapped, seed=1) == found


def test_label_accuracy_counts_only_labels_that_were_kept():
    votes = np.array([[3, 0]] * 40 + [[2, 1]] * 40)
    sure = label_accuracy(votes, np.arange(80) < 40, seed=1)
    everything = label_accuracy(votes, seed=1)
    assert sure["n"] == 40
    assert sure["annotator_accuracy"] == everything["annotator_accuracy"]
    assert sure["value"] > everything["value"]


def test_label_accuracy_is_not_evaluated_on_too_little_or_random_votes():
    few = label_accuracy([[2, 0]] * 29, seed=1)
    assert few["value"] is None and few["reason"].startswith("29 items")
    coins = label_accuracy([[1, 1]] * 20 + [[2, 0]] * 20, seed=1)
    assert coins["value"] is None and "no better than coins" in coins["reason"]
    assert label_accuracy([[2, 0]] * 40, [False] * 40, seed=1)["value"] is None
    assert label_accuracy([], seed=1)["value"] is None


@pytest.mark.parametrize(("error", "inflation"), [(0.1, 1.56), (0.2, 2.78), (0.3, 6.25)])
def test_effective_pairs_shrink_with_label_noise(error, inflation):
    assert 1000 / effective_pairs(1000, 1 - error) == pytest.approx(inflation, abs=0.005)
    assert effective_pairs(1000, error) == 0


def test_quality_score_is_a_product_or_an_upper_bound():
    known = quality_score(validity=0.9, uniqueness=0.8, decontamination=1.0, accuracy=0.9, n=100)
    assert known["value"] == pytest.approx(0.9 * 0.8 * 0.64)
    assert known["upper_bound"] == known["value"]
    unknown = quality_score(validity=0.9, uniqueness=0.8, decontamination=None, accuracy=None, n=100)
    assert unknown["value"] is None
    assert unknown["upper_bound"] == pytest.approx(0.72)
    assert unknown["reason"] == "not evaluated: decontamination, label_signal"


@pytest.mark.parametrize(("n", "bound"), [(1, 0), (2, 0.193), (4, 0.636), (8, 1.204), (16, 1.835), (64, 3.175)])
def test_best_of_n_bound(n, bound):
    assert best_of_n_kl(n) == pytest.approx(bound, abs=5e-4)
    assert best_of_n_kl(n, 100) == pytest.approx(best_of_n_kl(n) / 100)


def test_log_ratio_estimators_recover_a_known_divergence():
    rng = np.random.default_rng(6)
    policy, reference = np.array([0.5, 0.3, 0.2]), np.array([0.4, 0.4, 0.2])
    truth = float((policy * np.log(policy / reference)).sum())
    drawn = rng.choice(3, size=60_000, p=policy)
    logs = np.log(policy)[drawn], np.log(reference)[drawn]
    k1, k3 = (log_ratio_kl(*logs, estimator=name) for name in ("k1", "k3"))
    assert k1["value"] == pytest.approx(truth, abs=0.004)
    assert k3["value"] == pytest.approx(truth, abs=0.001)
    assert k3["interval"][1] - k3["interval"][0] < k1["interval"][1] - k1["interval"][0]
    assert log_ratio_kl([], [])["value"] is None


def test_gap_summary_of_known_gaps():
    summary = gap_summary([0.5, None, 0.1, -0.2, 1.0], ["p", "p", "q", "r", "s"], seed=1)
    assert summary["mean"] == summary["value"] == pytest.approx(0.35)
    assert summary["n"] == 4 and summary["pairs"] == 5 and summary["coverage"] == 0.8
    assert summary["median"] == pytest.approx(0.3)
    assert summary["p10"] == pytest.approx(np.quantile([-0.2, 0.1, 0.5, 1.0], 0.1))
    assert summary["share_below"] == 0.5 and summary["share_negative"] == 0.25
    histogram = summary["histogram"]
    assert len(histogram["edges"]) == 41 and len(histogram["counts"]) == 40
    filled = [histogram["edges"][index] for index, count in enumerate(histogram["counts"]) if count]
    assert filled == [-0.2, 0.1, 0.5, 0.95]
    assert sum(histogram["counts"]) == 4


def test_gap_summary_counts_the_threshold_itself_as_reached():
    assert gap_summary([2 * 0.575 - 1, 0.2], seed=1)["share_below"] == 0


def test_gap_summary_does_not_depend_on_order():
    rng = np.random.default_rng(1)
    gaps, groups = rng.uniform(-1, 1, 200), [f"p{index % 30}" for index in range(200)]
    order = rng.permutation(200)
    assert gap_summary(list(gaps), groups, seed=4) == gap_summary(
        [gaps[index] for index in order], [groups[index] for index in order], seed=4
    )


def test_gap_summary_of_nothing_says_so():
    assert gap_summary([], seed=1)["reason"] == "there are no pairs"
    unknown = gap_summary([None, None], seed=1)
    assert unknown["mean"] is None and unknown["coverage"] == 0
    assert unknown["reason"] == "no pair has a measured gap"
