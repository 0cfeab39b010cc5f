"""Majority and the one-coin model: against a plain implementation, planted truth, and arithmetic."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.consensus import (
    break_even_splits,
    choose_method,
    compare_labels,
    majority,
    one_coin_map,
    typical_votes_per_rater,
)
from pairsmith.measures.gold_weights import gold_figures, gold_weights
from pairsmith.measures.intervals import wilson
from pairsmith.measures.vote_table import UNKNOWN, VoteTable, vote_table
from tests.measures.planted import Planted, crowd, slow_one_coin


def table_of(planted: Planted, classes: int = 3) -> VoteTable:
    size = len(planted.truth)
    return vote_table(
        planted.items, planted.raters, planted.labels, classes, n_items=size, n_raters=len(planted.accuracy)
    )


def share_right(labels: np.ndarray, planted: Planted) -> float:
    return float((labels == planted.truth).mean())


def test_majority_leaves_even_splits_to_a_ruling() -> None:
    table = vote_table([0, 0, 0, 1, 1, 2], [0, 1, 2, 0, 1, 0], [2, 2, 0, 0, 2, 1], 3, n_items=4)
    assert majority(table).labels.tolist() == [2, UNKNOWN, 1, UNKNOWN]
    assert majority(table, [UNKNOWN, 0, UNKNOWN, 1]).labels.tolist() == [2, 0, 1, 1]
    assert majority(table, [0, 0, 0, 0]).labels.tolist() == [0, 0, 0, 0]


def test_weights_decide_a_majority_and_equal_sums_do_not() -> None:
    items, raters, labels = [0] * 4, [0, 1, 2, 3], [0, 0, 0, 1]
    assert majority(vote_table(items, raters, labels, 2, weights=[0.1, 0.1, 0.1, 1.0])).labels.tolist() == [1]
    assert majority(vote_table(items, raters, labels, 2, weights=[0.1, 0.1, 0.1, 0.3])).labels.tolist() == [UNKNOWN]


@pytest.mark.parametrize("classes", [2, 3, 4])
def test_one_coin_is_its_definition(classes: int) -> None:
    planted = crowd(40, 8, 4, classes=classes, seed=classes)
    found = one_coin_map(table_of(planted, classes), max_iterations=15, tolerance=0)
    assert found.posterior == pytest.approx(slow_one_coin(planted, classes, (8, 4), 15), abs=1e-9)


@pytest.mark.parametrize(
    ("items", "raters", "votes", "least_gain"), [(1000, 5, 3, 0.02), (1000, 20, 5, 0.03), (50, 20, 3, -0.01)]
)
@pytest.mark.parametrize("classes", [2, 3])
def test_gain_over_majority(items: int, raters: int, votes: int, least_gain: float, classes: int) -> None:
    gains = []
    for seed in range(10):
        planted = crowd(items, raters, votes, classes=classes, seed=seed)
        table = table_of(planted, classes)
        shares = [
            ((labels == planted.truth) + (labels == UNKNOWN) / classes).mean()  # an even split is right by chance
            for labels in (majority(table).labels, one_coin_map(table).labels)
        ]
        gains.append(shares[1] - shares[0])
    assert np.mean(gains) > least_gain


def test_posterior_and_accuracies_are_calibrated() -> None:
    planted = crowd(4000, 40, 4, seed=1)
    found = one_coin_map(table_of(planted))
    assert found.converged
    assert found.posterior is not None
    assert found.rater_accuracy is not None
    assert found.posterior.max(axis=1).mean() == pytest.approx(share_right(found.labels, planted), abs=0.02)
    assert np.abs(found.rater_accuracy - planted.accuracy).mean() < 0.03
    sure = found.posterior.max(axis=1) > 0.95
    assert (found.labels == planted.truth)[sure].mean() > 0.95


def test_flat_classes_keep_a_rare_class() -> None:
    rng = np.random.default_rng(5)
    planted = crowd(3000, 60, 5, seed=5, prior=(10, 8))
    truth = np.where(rng.random(3000) < 0.15, 1, rng.choice([0, 2], 3000))
    right = rng.random(planted.items.size) < planted.accuracy[planted.raters]
    wrong = (truth[planted.items] + rng.integers(1, 3, planted.items.size)) % 3
    table = vote_table(planted.items, planted.raters, np.where(right, truth[planted.items], wrong), 3)
    flat, estimated = (one_coin_map(table, class_prior=prior).labels for prior in ("flat", "estimated"))
    found = [(labels[truth == 1] == 1).mean() for labels in (flat, estimated)]
    assert found[0] > found[1] + 0.05  # the estimated prior starves it


def test_gold_is_observed_truth() -> None:
    planted = crowd(200, 10, 3, seed=2)
    gold = np.full(200, UNKNOWN)
    gold[:60] = (planted.truth[:60] + 1) % 3  # even where the votes disagree
    found = one_coin_map(table_of(planted), gold)
    assert (found.labels[:60] == gold[:60]).all()
    gold[:60] = planted.truth[:60]
    with_gold, without = one_coin_map(table_of(planted), gold), one_coin_map(table_of(planted))
    assert with_gold.rater_accuracy is not None
    assert without.rater_accuracy is not None
    errors = [np.abs(each - planted.accuracy).mean() for each in (with_gold.rater_accuracy, without.rater_accuracy)]
    assert errors[0] < errors[1]


def test_nothing_known_stays_unknown() -> None:
    table = vote_table([0, 2, 2], [0, 0, 1], [1, 0, 1], 2, n_items=4, n_raters=3)
    assert one_coin_map(table).labels.tolist()[1::2] == [UNKNOWN, UNKNOWN]
    assert one_coin_map(table, [UNKNOWN, 1, UNKNOWN, UNKNOWN]).labels.tolist()[1::2] == [1, UNKNOWN]
    empty = vote_table([], [], [], 3)
    assert one_coin_map(empty).labels.size == 0
    assert majority(empty).labels.size == 0
    assert choose_method(empty)[0] == "majority"


@given(st.permutations(range(60)), st.lists(st.booleans(), min_size=15, max_size=15))
def test_order_of_votes_and_names_of_sides_change_nothing(order: list[int], flipped: list[bool]) -> None:
    planted = crowd(15, 6, 4, seed=3)
    table = table_of(planted)
    shuffled = vote_table(planted.items[order], planted.raters[order], planted.labels[order], 3)
    found = one_coin_map(table)
    again = one_coin_map(shuffled)
    assert found.posterior is not None
    assert again.posterior is not None
    assert found.posterior.tobytes() == again.posterior.tobytes()
    flip = np.array(flipped)
    labels = np.where(flip[planted.items], 2 - planted.labels, planted.labels)
    renamed = one_coin_map(vote_table(planted.items, planted.raters, labels, 3)).labels
    back = np.where(flip & (renamed != UNKNOWN), 2 - renamed, renamed)
    assert back.tolist() == found.labels.tolist()


def test_the_method_follows_the_votes_behind_typical_votes() -> None:
    few = vote_table(range(30), range(30), [0] * 30, 2)
    assert choose_method(few) == ("majority", "typically 1 votes per rater; a model of raters needs 20")
    # nine tourists and one regular who cast most votes
    tail = vote_table(range(59), [*range(9), *[9] * 50], [0] * 59, 2)
    assert typical_votes_per_rater(tail) == 50
    assert choose_method(tail)[0] == "one_coin_map"
    assert choose_method(tail, minimum=60)[0] == "majority"


def test_comparison_and_breaking_of_even_splits() -> None:
    planted = crowd(300, 8, 4, classes=3, seed=9)
    table = table_of(planted)
    plain, modelled = majority(table), one_coin_map(table)
    counts = compare_labels(plain, modelled)
    undecided = int((plain.labels == UNKNOWN).sum())
    assert undecided > 20
    assert counts["newly_decided"] == undecided - int((modelled.labels == UNKNOWN).sum())
    assert counts["items"] == 300
    both = break_even_splits(plain, modelled).labels
    assert (both == plain.labels)[plain.labels != UNKNOWN].all()
    assert (both == modelled.labels)[plain.labels == UNKNOWN].all()


@pytest.mark.parametrize(
    "columns",
    [
        ([0], [0], [3]),
        ([0], [0, 1], [1]),
        ([-1], [0], [1]),
        ([[0]], [[0]], [[1]]),
    ],
)
def test_tables_that_make_no_sense_are_refused(columns: tuple[list[int], list[int], list[int]]) -> None:
    with pytest.raises(ValueError, match=r"lie in|one length"):
        vote_table(*columns, 3)


def test_wrong_weights_priors_and_truth_are_refused() -> None:
    with pytest.raises(ValueError, match="weights"):
        vote_table([0], [0], [0], 2, weights=[-1])
    table = vote_table([0], [0], [0], 2)
    with pytest.raises(ValueError, match="prior"):
        one_coin_map(table, prior=(0.5, 1))
    with pytest.raises(ValueError, match="one class per item"):
        majority(table, [0, 1])
    with pytest.raises(ValueError, match="must lie"):
        majority(table, [2])


def test_gold_gives_weights_with_wilson_intervals() -> None:
    # rater 0: 18 of 20 right; rater 1: 2 of 20; rater 2 saw no gold
    truth = [0] * 20 + [UNKNOWN]
    labels = [0] * 18 + [1] * 2 + [0] * 2 + [1] * 18 + [1]
    table = vote_table([*range(20), *range(20), 20], [0] * 20 + [1] * 20 + [2], labels, 2)
    found = gold_weights(table, truth)
    assert found.seen.tolist() == [20, 20, 0]
    assert found.right.tolist() == [18, 2, 0]
    assert (found.low[0], found.high[0]) == pytest.approx(wilson(18, 20))
    assert (found.low[2], found.high[2]) == (0, 1)
    assert found.accuracy.tolist() == pytest.approx([26 / 32, 10 / 32, 8 / 12])
    assert found.weight[0] == pytest.approx(np.log(26 / 6))
    assert found.weight[1] == 0  # never turned round
    assert found.below.tolist() == [False, True, False]
    rows = gold_figures(found)
    assert rows[0]["value"] == 0.9
    assert (rows[2]["value"], rows[2]["reason"]) == (None, "saw no gold item")
    assert not gold_weights(table, truth, min_gold=21).below.any()


def test_weighted_votes_beat_equal_ones_in_a_mixed_crowd() -> None:
    planted = crowd(2000, 12, 5, classes=3, seed=4, prior=(1.5, 1.5))
    gold = np.where(np.arange(2000) < 200, planted.truth, UNKNOWN)
    table = table_of(planted)
    weight = gold_weights(table, gold).weight
    weighted = vote_table(planted.items, planted.raters, planted.labels, 3, weights=weight[planted.raters])
    rest = slice(200, None)
    plain, better = (majority(each).labels[rest] == planted.truth[rest] for each in (table, weighted))
    assert better.mean() > plain.mean() + 0.05
