"""The sample for people: the threshold, what is hard, and estimates without bias from unequal probabilities."""

import numpy as np
import pytest

from pairsmith.measures.anchor_sampling import first_by, hardness, sampling_threshold, uncertainty
from pairsmith.measures.weighted import inclusion_weights, weighted_share

NAN = float("nan")


def test_as_many_as_wanted_lie_below_the_threshold():
    luck = np.random.default_rng(1).random(500)
    for size in (1, 37, 499):
        assert (luck < sampling_threshold(luck, size)).sum() == size
    assert sampling_threshold(luck, 500) == sampling_threshold(luck, 9999) == 1.0
    assert sampling_threshold(luck, 0) == 0.0


def test_a_sample_that_grows_keeps_what_it_has():
    luck = np.random.default_rng(2).random(500)
    small, large = (set(np.flatnonzero(luck < sampling_threshold(luck, size))) for size in (50, 80))
    assert small < large


def test_hard_is_where_models_disagree_turn_or_are_close():
    verdicts = [[1, 1], [1, -1], [1, 1], [1, 1]]
    unstable = [[0, 0], [0, 0], [1, 0], [0, 0]]
    margins = [[9.0], [9.0], [9.0], [0.1]]
    easy, disputed, turned, close = hardness(verdicts, unstable, margins)
    assert easy < min(disputed, turned, close)
    assert disputed - easy == pytest.approx(1.0)
    assert turned - easy == pytest.approx(0.5)


def test_one_vote_disagrees_with_nobody():
    assert hardness([[1.0]], [[NAN]], np.empty((1, 0))).tolist() == [0.0]


def test_uncertainty_does_not_depend_on_the_scale_of_scores():
    margins = np.array([[0.01, 4.0], [3.0, -1.0], [-2.0, -9.0]])
    none = np.empty((3, 0))
    plain, scaled = uncertainty(none, margins), uncertainty(none, margins * [1000.0, 0.001])
    assert plain == pytest.approx(scaled)
    assert plain[2] == plain.min()  # both far apart, and of one mind
    assert uncertainty([[NAN]], [[NAN]]).tolist() == [1.0]


def test_the_highest_scores_come_first_and_none_of_nothing():
    places = first_by([0.5, 0.9, 0.0, 0.5], [0.9, 0.5, 0.1, 0.2], [False, False, False, False], 9)
    assert places.tolist() == [1, 3, 0]
    assert first_by([0.5, 0.9], [0.1, 0.2], [False, True], 1).tolist() == [0]


def test_estimates_from_the_three_parts_are_without_bias():
    """Hard comparisons are taken for sure and judged worse; unweighted they would drag the share down."""
    rng = np.random.default_rng(3)
    n = 1000
    hard = rng.random(n)
    right = (rng.random(n) > 0.5 * hard).astype(float)  # 75 % overall, 52 % among the hardest tenth
    sure = hard >= np.sort(hard)[-100]
    weighted, plain = [], []
    for _ in range(400):
        luck = rng.random(n)
        threshold = sampling_threshold(luck, 150)
        drawn = np.flatnonzero(sure | (luck < threshold))
        chance = np.where(sure[drawn], 1.0, threshold)
        parts = np.where(sure[drawn], "hardest", "random").tolist()
        answered = rng.random(drawn.size) < np.where(sure[drawn], 0.5, 0.9)  # people answer fewer of the hard ones
        w = inclusion_weights(chance, parts, answered)
        weighted.append((w * right[drawn]).sum() / w.sum())
        plain.append(right[drawn][answered].mean())
    spread = np.std(weighted) / np.sqrt(len(weighted))
    assert np.mean(weighted) == pytest.approx(right.mean(), abs=4 * spread + 1e-3)
    assert np.mean(plain) < right.mean() - 0.02


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(4)
    truth, covered = 0.8, 0
    for run in range(150):
        right = rng.random(120) < truth
        figure = weighted_share(right, np.ones(120), [str(i // 2) for i in range(120)], seed=run, reason="none")
        covered += figure["interval"][0] <= truth <= figure["interval"][1]
    assert covered >= 0.88 * 150


def test_a_probability_of_nought_is_refused():
    with pytest.raises(ValueError, match="probabilities"):
        inclusion_weights([0.0], ["random"], [True])
