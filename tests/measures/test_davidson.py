"""Davidson's model against other libraries' optimisers, and the laws it must keep."""

import numpy as np
import pytest
import scipy.optimize
import statsmodels.api as sm

from pairsmith.measures.davidson import fit_davidson


def sample(rng, n=400, ties=True):
    x = rng.normal(size=(n, 3))
    d = x @ np.array([1.0, -0.5, 0.0])
    scores = np.stack([d / 2, -d / 2, np.full(n, -0.4 if ties else -np.inf)], axis=1)
    p = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    return x, np.array([rng.multinomial(2, row) for row in p], dtype=float)


def test_without_ties_it_is_logistic_regression():
    x, votes = sample(np.random.default_rng(1), ties=False)
    fitted = fit_davidson(x, votes, l2=0.0)
    rows = np.repeat(np.arange(len(x)), 2)
    outcomes = np.concatenate([[1.0] * int(row[0]) + [0.0] * int(row[1]) for row in votes])
    other = sm.Logit(outcomes, x[rows]).fit(disp=0)
    np.testing.assert_allclose(fitted.weights, other.params, atol=1e-6)
    assert fitted.tie is None
    np.testing.assert_allclose(fitted.probabilities(x)[:, 2], 0.0)


@pytest.mark.parametrize("l2", [0.0, 5.0])
def test_with_ties_no_other_optimiser_finds_better(l2):
    x, votes = sample(np.random.default_rng(2))

    def loss(values):
        d = x @ values[:3]
        scores = np.stack([d / 2, -d / 2, np.full(len(d), values[3])], axis=1)
        logs = scores - scipy.special.logsumexp(scores, axis=1, keepdims=True)
        return -np.sum(votes * logs) + l2 / 2 * values[:3] @ values[:3]

    other = scipy.optimize.minimize(loss, np.zeros(4), method="BFGS", options={"gtol": 1e-6})
    fitted = fit_davidson(x, votes, l2=l2)
    np.testing.assert_allclose([*fitted.weights, fitted.tie], other.x, atol=2e-4)
    assert loss(np.array([*fitted.weights, fitted.tie])) <= other.fun + 1e-9


def test_exchanging_the_sides_of_any_pair_changes_nothing():
    rng = np.random.default_rng(3)
    x, votes = sample(rng)
    swapped = rng.random(len(x)) < 0.5
    x2, votes2 = np.where(swapped[:, None], -x, x), np.where(swapped[:, None], votes[:, [1, 0, 2]], votes)
    one, other = fit_davidson(x, votes), fit_davidson(x2, votes2)
    np.testing.assert_allclose(one.weights, other.weights, atol=1e-8)
    assert one.tie == pytest.approx(other.tie)


def test_a_penalty_of_each_column():
    x, votes = sample(np.random.default_rng(4))
    weights = fit_davidson(x, votes, l2=[1.0, 1e9, 1.0]).weights
    assert abs(weights[1]) < 1e-6 < abs(weights[0])


def test_the_start_does_not_move_the_optimum():
    x, votes = sample(np.random.default_rng(5))
    far = fit_davidson(x, votes, l2=1000.0)
    np.testing.assert_allclose(fit_davidson(x, votes, start=far).weights, fit_davidson(x, votes).weights, atol=1e-8)


@pytest.mark.parametrize(
    ("x", "votes", "said"),
    [
        ([[1.0]], [[0, 0, 1]], "nothing but ties"),
        ([[1.0]], [[1, 0]], r"\(n, 3\)"),
        ([[np.nan]], [[1, 0, 0]], "finite"),
        ([[1.0]], [[1, -1, 0]], "at least 0"),
        (np.zeros((0, 2)), np.zeros((0, 3)), "expected"),
    ],
)
def test_what_cannot_be_fitted_is_refused(x, votes, said):
    with pytest.raises(ValueError, match=said):
        fit_davidson(x, votes)


def test_separable_votes_without_a_penalty_do_not_converge():
    with pytest.raises(ValueError, match="l2 > 0"):
        fit_davidson([[1.0], [2.0]], [[1, 0, 0], [1, 0, 0]], l2=0.0)
