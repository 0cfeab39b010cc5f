import numpy as np
import pytest
from statsmodels.stats.proportion import proportion_confint

from pairsmith.measures.intervals import cluster_bootstrap_mean, figure, percentile_interval, share_figure, wilson


@pytest.mark.parametrize(
    ("successes", "n", "expected"),
    [(2, 3, (0.2077, 0.9385)), (3, 3, (0.4385, 1)), (3, 5, (0.2307, 0.8824)), (90, 100, (0.8256, 0.9448))],
)
def test_wilson_equals_the_published_values_and_statsmodels(successes, n, expected):
    interval = wilson(successes, n)
    assert interval == pytest.approx(expected, abs=5e-5)
    assert interval == pytest.approx(proportion_confint(successes, n, method="wilson"))


def test_wilson_of_nothing_is_none_and_impossible_counts_are_errors():
    assert wilson(0, 0) is None
    with pytest.raises(ValueError, match="4 successes out of 3"):
        wilson(4, 3)


def test_a_figure_has_a_value_or_a_reason():
    assert figure(0.5, (0.4, 0.6), 10, kind="x") == {
        "value": 0.5,
        "interval": [0.4, 0.6],
        "n": 10,
        "reason": "",
        "kind": "x",
    }
    assert figure(None, (0, 1), 0, "no votes") == {"value": None, "interval": None, "n": 0, "reason": "no votes"}
    with pytest.raises(ValueError, match="needs a reason"):
        figure(None)
    with pytest.raises(ValueError, match="finite"):
        figure(float("nan"))


def test_share_figure():
    assert share_figure(0, 0, "nobody voted")["reason"] == "nobody voted"
    assert share_figure(2, 3, "nobody voted")["interval"] == pytest.approx([0.2077, 0.9385], abs=5e-5)


def test_percentile_interval_refuses_mostly_undefined_replicates():
    assert percentile_interval([np.nan] * 2 + [1.0] * 8) is None
    assert percentile_interval([np.nan] + [1.0] * 19) == (1.0, 1.0)
    assert percentile_interval([]) is None


def test_the_bootstrap_of_independent_values_agrees_with_the_normal_interval():
    values = np.random.default_rng(3).normal(0.3, 1.0, size=2000)
    low, high = cluster_bootstrap_mean(values, seed=1) or (0.0, 0.0)
    half = 1.96 * values.std() / np.sqrt(values.size)
    assert low == pytest.approx(values.mean() - half, abs=0.006)
    assert high == pytest.approx(values.mean() + half, abs=0.006)


def test_copies_within_a_cluster_do_not_narrow_the_interval():
    values = np.random.default_rng(4).normal(size=200)
    single = cluster_bootstrap_mean(values, seed=1)
    copied = cluster_bootstrap_mean(np.repeat(values, 9), np.repeat(np.arange(200), 9), seed=1)
    blind = cluster_bootstrap_mean(np.repeat(values, 9), seed=1)
    assert single is not None and copied is not None and blind is not None
    assert copied == pytest.approx(single)
    assert blind[1] - blind[0] < 0.5 * (single[1] - single[0])


def test_the_bootstrap_depends_on_neither_order_nor_cluster_names():
    rng = np.random.default_rng(5)
    values, clusters = rng.normal(size=300), rng.integers(0, 40, size=300)
    order = rng.permutation(300)
    names = np.array([f"p{(7 * cluster) % 40:02d}" for cluster in clusters])
    expected = cluster_bootstrap_mean(values, clusters, seed=9)
    assert cluster_bootstrap_mean(values[order], clusters[order], seed=9) == expected
    assert cluster_bootstrap_mean(values, names, seed=9) == pytest.approx(expected)
    assert cluster_bootstrap_mean(values, clusters, seed=10) != expected


def test_the_bootstrap_needs_two_clusters():
    assert cluster_bootstrap_mean([], seed=1) is None
    assert cluster_bootstrap_mean([1.0, 2.0], ["p", "p"], seed=1) is None
    with pytest.raises(ValueError, match="2 values but 1 cluster"):
        cluster_bootstrap_mean([1.0, 2.0], ["p"], seed=1)
