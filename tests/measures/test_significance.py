import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom, norm
from statsmodels.stats.multitest import multipletests

from pairsmith.measures.significance import SMALLEST_P, adjusted_p_values, binomial_tail, normal_tail, sum_tail


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_adjusted_p_values_are_those_of_statsmodels(p_values):
    assert adjusted_p_values(p_values) == pytest.approx(multipletests(p_values, method="fdr_bh")[1], abs=1e-12)


def test_no_tests_have_no_p_values():
    assert adjusted_p_values([]).size == 0


@given(st.integers(0, 400), st.integers(1, 400), st.floats(0.01, 0.99))
def test_binomial_tail_is_that_of_scipy(successes, n, probability):
    expected = min(1.0, max(SMALLEST_P, binom.sf(successes - 1, n, probability)))
    assert binomial_tail(successes, n, probability) == pytest.approx(expected, rel=1e-6, abs=2e-12)


@pytest.mark.parametrize(("k", "n", "p", "tail"), [(0, 5, 0.0, 1), (1, 5, 0.0, SMALLEST_P), (5, 5, 1.0, 1)])
def test_binomial_tail_at_the_edges(k, n, p, tail):
    assert binomial_tail(k, n, p) == tail


def test_a_probability_outside_its_range_is_refused():
    with pytest.raises(ValueError, match="probability"):
        binomial_tail(1, 2, 1.5)


@pytest.mark.parametrize("z", [-3.0, 0.0, 1.96, 6.0])
def test_normal_tail_is_that_of_scipy(z):
    assert normal_tail(z) == pytest.approx(norm.sf(z), rel=1e-9)


def test_a_sum_of_coins_is_binomial():
    for observed in (0, 1, 40, 60, 100, 101):
        expected = max(SMALLEST_P, binom.sf(observed - 1, 100, 0.3))
        assert sum_tail([([0.7, 0.3], 100)], observed) == pytest.approx(expected, rel=1e-6, abs=1e-12)


@given(st.lists(st.tuples(st.lists(st.floats(0.1, 1), min_size=1, max_size=4), st.integers(1, 3)), max_size=4))
def test_a_sum_of_unlike_terms_is_their_convolution(terms):
    distributions = [([chance / sum(chances) for chance in chances], times) for chances, times in terms]
    exact = np.ones(1)
    for chances, times in distributions:
        for _ in range(times):
            exact = np.convolve(exact, chances)
    for observed in range(exact.size):
        assert sum_tail(distributions, observed) == pytest.approx(exact[observed:].sum(), abs=1e-9)


@pytest.mark.parametrize(("successes", "n", "p"), [(500_900, 1_000_000, 0.5), (1, 400_000, 0.3), (120, 200_000, 5e-4)])
def test_tails_of_many_trials_need_only_the_terms_that_count(successes, n, p):
    assert binomial_tail(successes, n, p) == pytest.approx(binom.sf(successes - 1, n, p), rel=1e-8)
