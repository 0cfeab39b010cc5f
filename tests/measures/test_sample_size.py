"""Sample sizes against statsmodels and the figures people quote."""

import math

import pytest
from statsmodels.stats.power import normal_sample_size_one_tail
from statsmodels.stats.proportion import samplesize_confint_proportion

from pairsmith.measures.sample_size import labels_to_halve, size_for_half_width, size_to_exceed


@pytest.mark.parametrize(("expected", "n"), [(0.9, 139), (0.8, 246), (0.5, 385)])
def test_five_points_to_each_side(expected, n):
    assert size_for_half_width(expected, 0.05) == n


@pytest.mark.parametrize("expected", [0.5, 0.7, 0.95])
@pytest.mark.parametrize("half_width", [0.02, 0.1])
@pytest.mark.parametrize("confidence", [0.9, 0.95])
def test_width_as_statsmodels_has_it(expected, half_width, confidence):
    theirs = samplesize_confint_proportion(expected, half_width, alpha=1 - confidence)
    assert size_for_half_width(expected, half_width, confidence) == math.ceil(theirs)


@pytest.mark.parametrize(("bar", "truth", "n"), [(0.8, 0.9, 83), (0.8, 0.85, 368), (0.5, 0.6, 153), (0.7, 0.8, 119)])
def test_power_as_tabulated(bar, truth, n):
    assert size_to_exceed(bar, truth) == n


@pytest.mark.parametrize("bar", [0.5, 0.75])
@pytest.mark.parametrize("power", [0.8, 0.95])
def test_power_as_statsmodels_has_it(bar, power):
    truth = bar + 0.12
    spread = math.sqrt(bar * (1 - bar)), math.sqrt(truth * (1 - truth))
    theirs = normal_sample_size_one_tail(truth - bar, power, 0.05, std_null=spread[0], std_alternative=spread[1])
    assert size_to_exceed(bar, truth, power) == math.ceil(theirs)


def test_half_the_width_takes_four_times_the_labels():
    n = size_for_half_width(0.9, 0.1)
    assert n + labels_to_halve(n) == pytest.approx(size_for_half_width(0.9, 0.05), abs=4)


def test_impossible_questions_are_refused():
    with pytest.raises(ValueError, match="half_width"):
        size_for_half_width(0.9, 0.0)
    with pytest.raises(ValueError, match="above"):
        size_to_exceed(0.9, 0.9)
