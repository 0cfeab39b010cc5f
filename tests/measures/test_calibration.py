"""Calibration against published values and statsmodels."""

import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.calibration import (
    Matrix,
    Vector,
    expected_calibration_error,
    fit_pairwise_logistic,
    fit_temperature,
    grouped_folds,
    log_loss,
    sigmoid,
)


def test_bradley_terry_of_seven_wins_and_three_losses():
    assert fit_pairwise_logistic(np.ones((10, 1)), [1] * 7 + [0] * 3, l2=0.0) == pytest.approx([math.log(7 / 3)])


def test_bradley_terry_of_three_models():
    duels = [((1, -1, 0), 6, 4), ((0, 1, -1), 7, 3), ((1, 0, -1), 9, 1)]
    rows = [row for row, _, _ in duels for _ in (0, 1)]
    counts = [count for _, wins, losses in duels for count in (wins, losses)]
    strengths = fit_pairwise_logistic(rows, [1, 0] * 3, l2=0.0, weights=counts)
    assert strengths == pytest.approx([0.78345, 0.16016, -0.94361], abs=1e-5)
    assert sigmoid(strengths[0] - strengths[1]) == pytest.approx(0.65097, abs=1e-5)


def some_pairs() -> tuple[Matrix, Vector]:
    random = np.random.default_rng(1)
    x = random.normal(size=(400, 5))
    return x, (random.random(400) < sigmoid(x @ np.linspace(-1, 2, 5))).astype(float)


def test_maximum_likelihood_equals_statsmodels():
    x, y = some_pairs()
    assert fit_pairwise_logistic(x, y, l2=0.0) == pytest.approx(sm.Logit(y, x).fit(disp=0).params, rel=1e-6)


@pytest.mark.parametrize("l2", [0.5, 10.0])
def test_penalised_optimum_has_no_slope(l2):
    x, y = some_pairs()
    w = fit_pairwise_logistic(x, y, l2=l2)
    assert x.T @ (sigmoid(x @ w) - y) + l2 * w == pytest.approx(np.zeros(5), abs=1e-7)


def test_exchanging_the_sides_of_any_items_changes_nothing():
    x, y = some_pairs()
    flipped = np.random.default_rng(2).random(len(y)) < 0.5
    signs = np.where(flipped, -1.0, 1.0)
    other = fit_pairwise_logistic(x * signs[:, None], np.where(flipped, 1 - y, y))
    assert other == pytest.approx(fit_pairwise_logistic(x, y))


def test_separable_data_need_a_penalty():
    x, y = np.array([[1.0], [2.0], [-1.0]]), [1, 1, 0]
    with pytest.raises(ValueError, match="l2 > 0"):
        fit_pairwise_logistic(x, y, l2=0.0)
    assert np.isfinite(fit_pairwise_logistic(x, y, l2=0.1)).all()


@pytest.mark.parametrize("x, y", [([[math.nan]], [1]), ([[1.0]], [1, 0]), ([1.0], [1]), (np.zeros((0, 2)), [])])
def test_unusable_input_is_refused(x, y):
    with pytest.raises(ValueError):
        fit_pairwise_logistic(x, y)


def test_temperature_is_the_inverse_of_the_slope_statsmodels_finds():
    random = np.random.default_rng(3)
    logits = random.normal(scale=4, size=2000)
    outcomes = (random.random(2000) < sigmoid(logits / 2.5)).astype(float)
    slope = sm.Logit(outcomes, logits[:, None]).fit(disp=0).params[0]
    temperature = fit_temperature(logits, outcomes)
    assert temperature == pytest.approx(1 / slope, rel=1e-5)
    assert temperature == pytest.approx(2.5, rel=0.1)


def test_log_loss_by_hand():
    assert log_loss([0.8, 0.4], [1, 0]) == pytest.approx((-math.log(0.8) - math.log(0.6)) / 2)
    assert math.isfinite(log_loss([0.0], [1]))


def test_calibration_error_by_hand():
    # confidence .9 with one of two right: off by .4; confidence .6 with three of four right: off by .15
    p, y = [0.9, 0.1, 0.62, 0.6, 0.4, 0.6], [1, 1, 1, 1, 0, 0]
    expected = (abs(1.8 - 1) + abs(0.62 + 0.6 * 3 - 3)) / 6
    assert expected_calibration_error(p, y, bins=4) == pytest.approx(expected)


def test_calibration_error_of_a_coin_that_says_so_is_zero():
    assert expected_calibration_error([0.5] * 10, [1] * 9 + [0]) == 0.0


OFF_BIN_EDGES = st.integers(0, 999).map(lambda number: (number + 0.37) / 1000)


@given(st.lists(st.tuples(OFF_BIN_EDGES, st.booleans()), min_size=1))
def test_calibration_error_does_not_depend_on_the_naming_of_sides(items):
    p, y = np.array([item[0] for item in items]), np.array([float(item[1]) for item in items])
    error = expected_calibration_error(p, y)
    assert 0.0 <= error <= 1.0
    assert expected_calibration_error(1 - p, 1 - y) == pytest.approx(error)


def test_sigmoid_of_extremes():
    assert sigmoid([-1e6, 0.0, 1e6]).tolist() == [0.0, 0.5, 1.0]


def test_folds_hold_every_item_out_once_and_never_split_a_group():
    groups = [f"g{number % 7}" for number in range(40)] + ["big"] * 20
    seen = []
    for train, held in grouped_folds(groups, 5, seed=1):
        assert not {groups[index] for index in train} & {groups[index] for index in held}
        assert sorted(train + held) == list(range(60))
        seen += held
    assert sorted(seen) == list(range(60))


def test_folds_depend_on_the_seed_alone():
    groups = [f"g{number % 13}" for number in range(39)]
    assert list(grouped_folds(groups, 3, seed=1)) == list(grouped_folds(groups, 3, seed=1))
    assert list(grouped_folds(groups, 3, seed=1)) != list(grouped_folds(groups, 3, seed=2))


def test_more_folds_than_groups_are_refused():
    with pytest.raises(ValueError, match="2 groups"):
        list(grouped_folds(["a", "b", "a"], 3))


@pytest.mark.parametrize("seed", [21, 77, 98, 186])
def test_logistic_fits_converge_where_the_loss_is_no_more_exact_than_the_step(seed: int) -> None:
    rng = np.random.default_rng(seed)
    rng.normal(0, 10, 2000), rng.integers(0, 2, 2000)
    x = rng.normal(0, 3, 2000)
    y = (rng.random(2000) < sigmoid(x)).astype(float)
    (w,) = fit_pairwise_logistic(x[:, None] / 2, y, l2=0.01)
    assert abs(float(x / 2 @ (sigmoid(x / 2 * w) - y)) + 0.01 * w) < 1e-6
