"""The alternative annotator test: worked by hand, and against scipy and statsmodels."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from pairsmith.measures.alt_test import alt_test, benjamini_yekutieli, student_t_below

ITEMS = [f"i{number}" for number in range(40)]


def test_worked_by_hand():
    """Three people and 40 items; all say `a`, but cal says `b` on the last ten, and the model on the first four.

    Leaving ann out, bob and cal remain. On 0-3 the model agrees with none of them and ann with both: ann alone has the
    advantage. On 4-29 both agree with both, and on 30-39 both with bob alone: equal. So the model has it on 36 of 40,
    ann on 40. The same holds for bob. Leaving cal out, ann and bob remain, who say `a`: on 0-3 cal alone has the
    advantage, on 4-29 both, on 30-39 the model alone: 36 for the model, 30 for cal.
    """
    people = {name: dict.fromkeys(ITEMS, "a") for name in ("ann", "bob", "cal")}
    people["cal"] |= dict.fromkeys(ITEMS[30:], "b")
    model = dict.fromkeys(ITEMS, "a") | dict.fromkeys(ITEMS[:4], "b")
    found = alt_test(people, model, epsilon=0.2)
    assert [(row["name"], row["items"], row["model"], row["person"]) for row in found["people"]] == [
        ("ann", 40, 0.9, 1.0),
        ("bob", 40, 0.9, 1.0),
        ("cal", 40, 0.9, 0.75),
    ]
    against_ann = [1] * 4 + [0] * 36
    against_cal = [1] * 4 + [0] * 26 + [-1] * 10
    expected = [stats.ttest_1samp(d, 0.2, alternative="less").pvalue for d in (against_ann, against_ann, against_cal)]
    assert [row["p_value"] for row in found["people"]] == pytest.approx(expected)
    assert expected == pytest.approx([0.02210, 0.02210, 0.000234], rel=0.01)
    # Benjamini-Yekutieli: the bars are k * 0.05 / (3 * 11/6) = .0091, .0182, .0273; the largest p lies below its own.
    assert [row["beaten"] for row in found["people"]] == [True, True, True]
    assert found["winning_rate"]["value"] == 1.0
    assert found["advantage"]["value"] == pytest.approx(0.9)
    assert found["passed"] is True
    strict = alt_test(people, model, epsilon=0.1)
    assert [row["beaten"] for row in strict["people"]] == [False, False, True]
    assert (strict["passed"], strict["winning_rate"]["value"]) == (False, pytest.approx(1 / 3))


@pytest.mark.parametrize("freedom", [1, 2, 7, 29, 400])
def test_students_distribution_as_scipy_has_it(freedom):
    for t in (-6.0, -1.3, 0.0, 0.4, 3.0):
        assert student_t_below(t, freedom) == pytest.approx(stats.t.cdf(t, freedom), abs=1e-12)


def test_false_discoveries_as_statsmodels_has_them():
    rng = np.random.default_rng(1)
    for _ in range(50):
        p = rng.random(9) ** 4
        assert benjamini_yekutieli(p, 0.05).tolist() == multipletests(p, 0.05, "fdr_by")[0].tolist()
    assert benjamini_yekutieli([], 0.05).tolist() == []


def test_a_model_as_good_as_people_passes_and_a_coin_does_not():
    rng = np.random.default_rng(2)
    truth = rng.integers(0, 2, 100)

    def voter(accuracy):
        said = np.where(rng.random(100) < accuracy, truth, 1 - truth)
        return {f"i{item}": "ab"[label] for item, label in enumerate(said)}

    people = {name: voter(0.85) for name in ("ann", "bob", "cal")}
    assert alt_test(people, voter(0.9))["passed"] is True
    assert alt_test(people, voter(0.5))["passed"] is False


def test_one_person_is_no_group():
    found = alt_test({"ann": dict.fromkeys(ITEMS, "a")}, dict.fromkeys(ITEMS, "a"))
    assert (found["passed"], found["items"]) == (None, 0)
    assert "two are needed" in found["winning_rate"]["reason"]
    few = {name: dict.fromkeys(ITEMS[:29], "a") for name in ("ann", "bob", "cal")}
    assert alt_test(few, dict.fromkeys(ITEMS, "a"))["passed"] is None
