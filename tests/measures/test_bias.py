"""Position, length, traits and families: planted biases are found and taken out, honest votes are left alone."""

from fractions import Fraction

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.bias import (
    TRAITS,
    binomial_p,
    first_side_figure,
    length_figures,
    response_traits,
    self_preference,
    swap_figures,
    trait_preference,
)
from pairsmith.measures.calibration import sigmoid
from pairsmith.measures.consensus import majority
from pairsmith.measures.debias import length_adjusted, position_weights, stable_verdicts
from pairsmith.measures.vote_table import vote_table

NAN = float("nan")


def test_swap_figures_by_hand() -> None:
    #          stable a, stable b, first twice, first twice, last twice, tie, half read
    a_first = [1, -1, 1, 1, -1, 0, NAN]
    b_first = [1, -1, -1, -1, 1, 0, 1]
    found = swap_figures(a_first, b_first, truth=[1, 1, 1, -1, 1, 1, 1])
    assert found["swap_consistency"]["value"] == pytest.approx(3 / 7)
    # shown first: a first -> verdict 1; b first -> verdict -1. Of 11 verdicts for a side: 1, 1, 1 and -1, -1, -1
    assert found["first_side_share"]["value"] == pytest.approx(6 / 11)
    assert found["first_side_share"]["excess"] == pytest.approx(6 / 11 - 0.5)
    assert (found["first_when_unstable"]["value"], found["first_when_unstable"]["n"]) == (pytest.approx(2 / 3), 3)
    assert found["first_when_unstable"]["p_value"] == pytest.approx(1.0)
    assert found["unread_share"]["value"] == pytest.approx(1 / 14)
    assert found["accuracy"]["value"] == pytest.approx((2 + 0 + 1 + 1 + 1 + 0 + 1) / 14)
    assert found["accuracy_when_stable"]["value"] == pytest.approx(1 / 2)
    assert stable_verdicts(a_first, b_first).tolist() == [1, -1, 0, 0, 0, 0, 0]
    with pytest.raises(ValueError, match="verdicts are"):
        swap_figures([2], [1])
    with pytest.raises(ValueError, match="same pairs"):
        swap_figures([1], [1, 1])
    assert swap_figures([], [])["swap_consistency"]["value"] is None


@pytest.mark.parametrize(
    ("successes", "n"), [(0, 1), (3, 10), (5, 10), (10, 10), (470, 1000), (0, 2000), (4_900, 10_000)]
)
def test_binomial_p_is_exact(successes: int, n: int) -> None:
    tail, term = 0, 1
    for k in range(min(successes, n - successes) + 1):
        tail += term
        term = term * (n - k) // (k + 1)
    exact = min(Fraction(1), Fraction(2 * tail, 2**n))
    assert binomial_p(successes, n) == pytest.approx(float(exact), rel=1e-6, abs=1e-300)
    assert binomial_p(0, 0) is None


def test_first_side_figure() -> None:
    found = first_side_figure([True] * 30 + [False] * 10)
    assert (found["value"], found["excess"], found["n"]) == (0.75, 0.25, 40)
    assert found["p_value"] < 0.01
    assert first_side_figure([])["value"] is None


def test_length_figures_find_a_length_voter_and_clear_a_fair_one() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.integers(100, 2000, 2000), rng.integers(100, 2000, 2000)
    longer, fair = np.sign(a - b), rng.choice([-1, 1], 2000)
    found = length_figures(a, b, longer, seed=1, reference=fair)
    assert found["longer_wins"]["value"] == 1
    assert found["longer_wins"]["bias"]["value"] == pytest.approx(0.5, abs=0.05)
    low, high = found["longer_wins"]["bias"]["interval"]
    assert 0.4 < low < found["longer_wins"]["bias"]["value"] < high < 0.6
    assert found["length_auc"]["value"] > 0.8
    calm = length_figures(a, b, fair, seed=1, reference=fair)
    assert calm["longer_wins"]["bias"]["value"] == 0
    assert calm["longer_wins"]["interval"][0] < 0.5 < calm["longer_wins"]["interval"][1]
    assert calm["length_auc"]["interval"][0] < 0.5 < calm["length_auc"]["interval"][1]
    assert calm["length_matched_gap"]["value"] is None  # a difference of lengths is no gap


def test_gap_in_the_matched_stratum() -> None:
    found = length_figures([100, 100, 100, 0], [110, 90, 200, 0], [1, -1, 1, 0], seed=1, gaps=[0.2, 0.4, 0.9, NAN])
    assert (found["length_matched_gap"]["value"], found["length_matched_gap"]["n"]) == (pytest.approx(0.3), 2)
    assert found["matched_share"]["value"] == pytest.approx(2 / 3)


def test_auc_and_its_interval() -> None:
    rng = np.random.default_rng(3)
    values, inside = [], []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        shared = draw.normal(0, 1, 300)  # a long prompt has long responses
        a, b = 500 + 50 * (shared + draw.normal(0.3, 1, 300)), 500 + 50 * (shared + draw.normal(0, 1, 300))
        found = length_figures(a, b, np.ones(300), seed=1)["length_auc"]
        values.append(found["value"])
        inside.append(found["interval"])
    truth = np.mean(values)
    assert np.mean([low <= truth <= high for low, high in inside]) >= 0.88
    winners, losers = rng.normal(1, 1, 50), rng.normal(0, 1, 50)
    expected = (np.subtract.outer(winners, losers) > 0).mean()
    assert length_figures(winners, losers, np.ones(50), seed=1)["length_auc"]["value"] == pytest.approx(expected)


def test_trait_preference_counts_pairs_where_one_side_has_it() -> None:
    has_a, has_b = [True, True, False, False, True], [False, True, True, False, False]
    found = trait_preference(has_a, has_b, [1, 1, 1, 1, 0], seed=1)
    assert (found["value"], found["n"]) == (0.5, 2)
    assert "better cannot be told from favoured" in found["bias"]["reason"]
    unread = trait_preference(has_a, has_b, [NAN] * 5, seed=1)
    assert (unread["value"], unread["p_value"]) == (None, None)


def test_a_judge_that_favours_its_family_is_told_from_a_better_family() -> None:
    rng = np.random.default_rng(1)
    families = rng.choice(["own", "other"], (2, 3000))
    mine = np.where(families[0] == "own", 1, -1)
    people = np.where(rng.random(3000) < 0.6, mine, -mine)  # the family is the better one
    vain = np.where(rng.random(3000) < 0.3, mine, people)
    honest = self_preference("own", families[0].tolist(), families[1].tolist(), people, seed=1, reference=people)
    assert honest["value"] > 0.55
    assert honest["bias"]["value"] == 0
    found = self_preference("own", families[0].tolist(), families[1].tolist(), vain, seed=1, reference=people)
    assert found["bias"]["value"] == pytest.approx(0.12, abs=0.03)
    assert found["bias"]["interval"][0] > 0
    assert found["family"] == "own"


def test_traits_of_responses() -> None:
    assert set(response_traits("")) == set(TRAITS)
    assert response_traits("I'm sorry, but I can't help with that.")["refusal"]
    assert not response_traits("The answer is 4.")["refusal"]
    assert response_traits("# Title\n\nSome **bold** text") == {"refusal": False, "markdown": True, "list": False}
    assert response_traits("- one\n- two")["list"]


# -- corrections ----------------------------------------------------------------------------------------------------


def test_stable_verdicts_are_right_more_often_than_single_ones() -> None:
    rng = np.random.default_rng(2)
    truth = rng.choice([-1.0, 1.0], 5000)
    guess = rng.random((2, 5000)) < 0.4  # looks at the position only
    honest = np.where(rng.random((2, 5000)) < 0.85, truth, -truth)
    a_first, b_first = np.where(guess[0], 1.0, honest[0]), np.where(guess[1], -1.0, honest[1])
    stable = stable_verdicts(a_first, b_first)
    decided = stable != 0
    assert (stable == truth)[decided].mean() > (a_first == truth).mean() + 0.1
    assert swap_figures(a_first, b_first)["first_when_unstable"]["p_value"] < 1e-6


@given(st.lists(st.booleans(), min_size=1, max_size=60))
def test_position_weights_lie_in_zero_to_one_and_spare_the_balanced(chosen: list[bool]) -> None:
    both = [*chosen, *[not each for each in chosen]]
    assert position_weights([0] * len(both), both).tolist() == [1.0] * len(both)
    weights = position_weights([0] * len(chosen), chosen)
    assert ((weights > 0) & (weights <= 1)).all()


def test_position_weights_repair_labels() -> None:
    rng = np.random.default_rng(4)
    n = 3000
    truth, a_first = rng.integers(0, 2, n), rng.random((n, 5)) < 0.5
    votes = np.where(rng.random((n, 5)) < 0.75, truth[:, None], 1 - truth[:, None])
    votes[:, :2] = np.where(a_first[:, :2], 0, 1)  # two of five always take the first
    items, raters = np.repeat(np.arange(n), 5), np.tile(np.arange(5), n)
    chose_first = ((votes == 0) == a_first).ravel()
    weights = position_weights(raters, chose_first)
    assert weights[raters < 2].max() < 0.01
    assert weights[raters >= 2].min() > 0.85
    plain = majority(vote_table(items, raters, votes.ravel(), 2)).labels
    repaired = majority(vote_table(items, raters, votes.ravel(), 2, weights=weights)).labels
    assert (repaired == truth).mean() > (plain == truth).mean() + 0.06


@pytest.mark.parametrize("seed", range(3))
def test_the_weight_of_length_is_what_statsmodels_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    quality, difference = rng.normal(0, 1, 800), rng.normal(50, 400, 800)
    x = np.tanh(difference / np.sqrt((difference**2).mean()))
    people, judge = sigmoid(quality + 0.4 * x), sigmoid(quality + 1.5 * x)
    known = rng.random(800) < 0.5
    found = length_adjusted(judge, difference, np.where(known, people, NAN), l2=0)

    def by_statsmodels(p: np.ndarray) -> float:
        fitted = sm.GLM(p[known], x[known, None], family=sm.families.Binomial()).fit(tol=1e-12)
        return float(fitted.params[0])

    assert found.coefficient == pytest.approx(by_statsmodels(judge), abs=1e-6)
    assert found.reference == pytest.approx(by_statsmodels(people), abs=1e-6)
    assert found.left == pytest.approx(by_statsmodels(found.probability), abs=1e-5)
    assert found.left == pytest.approx(found.reference, abs=1e-5)


def test_length_is_taken_out_and_what_people_value_stays() -> None:
    rng = np.random.default_rng(6)
    quality, difference = rng.normal(0, 1, 4000), rng.normal(0, 400, 4000)
    x = np.tanh(difference / np.sqrt((difference**2).mean()))
    people, judge = sigmoid(quality + 0.5 * x), sigmoid(quality + 2.0 * x)
    blind = length_adjusted(judge, difference)
    assert np.abs(np.corrcoef(blind.probability, difference)[0, 1]) < 0.02
    assert blind.left == pytest.approx(0, abs=1e-5)
    sparse = np.where(rng.random(4000) < 0.2, people, NAN)
    kept = length_adjusted(judge, difference, sparse)
    assert 0 < kept.left == pytest.approx(kept.reference, abs=1e-5)
    assert kept.reference < kept.coefficient
    errors = [np.abs(each - people).mean() for each in (judge, blind.probability, kept.probability)]
    assert errors[2] < errors[1] < errors[0]
    assert errors[2] < 0.03
    assert kept.changed == ((kept.probability > 0.5) != (judge > 0.5)).sum() > 0
    same = length_adjusted(people, difference, people)
    assert same.probability == pytest.approx(people, abs=1e-9)
    assert same.changed == 0
    with pytest.raises(ValueError, match="expected n probabilities"):
        length_adjusted([0.5], [1, 2])
    assert length_adjusted([0.7, 0.4], [0, 0]).probability == pytest.approx([0.7, 0.4])
