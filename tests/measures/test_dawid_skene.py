"""Dawid-Skene against the published example, a plain implementation, and planted confusions."""

import numpy as np
import pytest

from pairsmith.measures.agreement import SIDES_FLIP
from pairsmith.measures.consensus import majority, one_coin_map
from pairsmith.measures.dawid_skene import confusion_matrices, dawid_skene, why_not_dawid_skene
from pairsmith.measures.overlap import NEVER, component_sizes, rater_components, votes_needed
from pairsmith.measures.vote_table import UNKNOWN, VoteTable, vote_table
from tests.measures.crowd_kit import dawid_skene_of_crowd_kit, majority_of_crowd_kit, one_coin_of_crowd_kit
from tests.measures.planted import crowd

# Dawid and Skene 1979, table 1: 45 patients, classes 1-4; the first observer judged each one three times.
ANAESTHESIA = """
1111111 3334334 1122122 2223121 2223222 2223322 1222111 3333433 2222223 2322223 4444444 2223343 1111111 2223212 1211111
1112111 1111111 1111111 2222221 2221322 2222222 2222221 2223222 2212222 1111111 1111111 2322222 1111111 1111111 1121121
1111111 3333233 1111111 2222222 2223232 4334343 2212232 2323233 3333432 1111111 1111111 1212111 2322222 1211111 2222222
"""
SIDES_FLIP_LAST = (1, 0, 2)
OBSERVERS = (0, 0, 0, 1, 2, 3, 4)


def anaesthesia() -> VoteTable:
    rows = ANAESTHESIA.split()
    labels = [int(digit) - 1 for row in rows for digit in row]
    return vote_table(np.repeat(np.arange(45), 7), OBSERVERS * 45, labels, 4)


def test_the_published_example() -> None:
    table = anaesthesia()
    found = dawid_skene(
        table, min_votes=0, prior_votes=(0, 0), class_prior="estimated", tolerance=1e-10, max_iterations=1000
    )
    assert found.posterior is not None
    assert found.log_likelihood == pytest.approx(-192.8909, abs=1e-4)
    assert found.posterior.mean(axis=0) == pytest.approx([0.3996, 0.4220, 0.1118, 0.0667], abs=1e-4)
    assert found.posterior.mean(axis=0) == pytest.approx([0.40, 0.42, 0.11, 0.07], abs=0.005)  # as printed in 1979
    first = confusion_matrices(table, found.posterior)[0]
    assert np.diag(first) == pytest.approx([0.889, 0.876, 0.661, 0.444], abs=1e-3)
    assert np.bincount(found.labels).tolist() == [18, 19, 5, 3]
    assert found.posterior[6, 0] == pytest.approx(0.981, abs=1e-3)
    plain = majority(table).labels
    changed = {int(item) + 1: int(found.labels[item]) + 1 for item in np.nonzero(plain != found.labels)[0]}
    assert changed == {2: 4, 12: 3, 36: 4}


def test_o9_crowd_kit_gives_the_same_labels() -> None:
    table = anaesthesia()
    ours = dawid_skene(table, min_votes=0, prior_votes=(0, 0), class_prior="estimated", tolerance=1e-10)
    theirs = dawid_skene_of_crowd_kit(table)
    assert (ours.labels == theirs.argmax(axis=1)).all()
    assert ours.posterior == pytest.approx(theirs, abs=0.03)  # it keeps error rates off 0
    shares = majority_of_crowd_kit(table)
    assert shares == pytest.approx(table.totals() / table.totals().sum(axis=1, keepdims=True))


@pytest.mark.parametrize("seed", [1, 5])
def test_crowd_kit_gives_the_same_labels_of_two_classes(seed: int) -> None:
    """With more classes its one-coin model gives every wrong class the whole error."""
    planted = crowd(300, 5, 5, classes=2, seed=seed, prior=(16, 4))
    table = vote_table(planted.items, planted.raters, planted.labels, 2)
    ours = one_coin_map(table, prior=(1, 1), class_prior="estimated", tolerance=1e-10)
    theirs = one_coin_of_crowd_kit(table, rounds=300, tolerance=1e-14)
    assert ours.posterior == pytest.approx(theirs, abs=1e-8)
    assert (ours.labels == theirs.argmax(axis=1)).all()
    decided = majority(table).labels
    assert (decided == majority_of_crowd_kit(table).argmax(axis=1)).all()


def test_few_votes_or_two_classes_make_it_the_one_coin_model() -> None:
    planted = crowd(300, 10, 4, seed=1)
    table = vote_table(planted.items, planted.raters, planted.labels, 3)
    few = dawid_skene(table, min_votes=10_000, tolerance=1e-9)
    coin = one_coin_map(table, tolerance=1e-9)
    assert few.posterior == pytest.approx(coin.posterior, abs=1e-6)
    two = vote_table(planted.items, planted.raters, planted.labels % 2, 2)
    assert dawid_skene(two, min_votes=0, tolerance=1e-9).posterior == pytest.approx(
        one_coin_map(two, tolerance=1e-9).posterior, abs=1e-6
    )


def test_confusions_pay_where_errors_have_a_direction() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 3, 3000)
    # two of five raters call half of the wins of either side a tie
    items, raters = np.repeat(np.arange(3000), 5), np.tile(np.arange(5), 3000)
    uniform = (truth[items] + rng.integers(1, 3, items.size)) % 3
    labels = np.where(rng.random(items.size) < 0.7, truth[items], uniform)
    timid = (raters < 3) & (rng.random(items.size) < 0.6)
    labels[timid] = 1
    table = vote_table(items, raters, labels, 3)
    full, coin = dawid_skene(table, flip=SIDES_FLIP), one_coin_map(table)
    assert (full.labels == truth).mean() > (coin.labels == truth).mean() + 0.02
    assert full.rater_accuracy is not None
    assert (full.rater_accuracy[:3] < full.rater_accuracy[3:].min()).all()


def test_a_class_that_nobody_named_is_no_class() -> None:
    """Three raters with a common habit and two without: a third class would explain the habit, and nothing else."""
    rng = np.random.default_rng(3)
    truth, habit = rng.integers(0, 2, 600), rng.integers(0, 2, 600)
    followed = np.where(rng.random((600, 3)) < 0.4, habit[:, None], truth[:, None])
    votes = np.where(rng.random((600, 3)) < 0.1, 1 - followed, followed)
    items, raters = np.repeat(np.arange(600), 3), np.tile(np.arange(3), 600)
    table = vote_table(items, raters, votes.ravel(), 3)
    for flip in (None, SIDES_FLIP_LAST):
        found = dawid_skene(table, flip=flip)
        assert found.posterior is not None
        assert found.posterior[:, 2].max() == 0
        assert (found.labels == truth).mean() > 0.75
    ruled = np.full(600, UNKNOWN)
    ruled[0] = 2
    assert dawid_skene(table, ruled).labels[0] == 2


def test_names_of_sides_do_not_matter_with_flip() -> None:
    planted = crowd(400, 4, 3, seed=6)
    flipped = np.random.default_rng(1).random(400) < 0.5
    labels = np.where(flipped[planted.items], 2 - planted.labels, planted.labels)
    one = dawid_skene(vote_table(planted.items, planted.raters, planted.labels, 3), flip=SIDES_FLIP)
    two = dawid_skene(vote_table(planted.items, planted.raters, labels, 3), flip=SIDES_FLIP)
    assert one.posterior is not None
    assert two.posterior is not None
    assert np.where(flipped[:, None], two.posterior[:, ::-1], two.posterior) == pytest.approx(one.posterior, abs=1e-9)


def test_a_graph_in_parts_is_refused_with_a_reason() -> None:
    # raters 0 and 1 share items 0-3, raters 2 and 3 items 4-6, nobody stands between them; rater 4 cast no vote
    items = [0, 1, 2, 3, 0, 1, 2, 3, 4, 5, 6, 4, 5, 6]
    raters = [0] * 4 + [1] * 4 + [2] * 3 + [3] * 3
    labels = [0, 1, 2, 0, 0, 1, 2, 1, 0, 0, 1, 0, 0, 1]
    table = vote_table(items, raters, labels, 3, n_raters=5)
    assert rater_components(table).tolist() == [0, 0, 1, 1, UNKNOWN]
    assert component_sizes(table) == [8, 6]
    assert "2 parts" in why_not_dawid_skene(table)
    with pytest.raises(ValueError, match=r"cannot be used here: .* 2 parts .*8, 6 votes"):
        dawid_skene(table)
    gold = [0, UNKNOWN, UNKNOWN, UNKNOWN, 0, UNKNOWN, UNKNOWN]
    assert why_not_dawid_skene(table, gold) == ""
    assert dawid_skene(table, gold).labels[0] == 0
    joined = vote_table([*items, 4], [*raters, 0], [*labels, 0], 3)
    assert why_not_dawid_skene(joined) == ""
    assert "no votes" in why_not_dawid_skene(vote_table([], [], [], 3))
    assert "two or more" in why_not_dawid_skene(vote_table([0, 1], [0, 0], [1, 1], 3))


def test_parts_of_a_long_chain_are_found() -> None:
    n = 20_000  # rater r voted on items r and r + 1; one link is missing in the middle
    raters, items = np.repeat(np.arange(n), 2), np.ravel(np.column_stack([np.arange(n), np.arange(1, n + 1)]))
    order = np.random.default_rng(0).permutation(n + 1)
    table = vote_table(order[items], raters, np.zeros(2 * n, dtype=int), 2)
    assert component_sizes(table) == [2 * n]
    cut = np.ones(2 * n, dtype=bool)
    cut[n + 1] = False
    table = vote_table(order[items[cut]], raters[cut], np.zeros(2 * n - 1, dtype=int), 2)
    assert len(component_sizes(table)) == 2


def brute_force_need(counts: list[int], min_votes: int, share: float) -> int:
    for more in range(200):
        for winner in range(len(counts)):
            then = list(counts)
            then[winner] += more
            leads = all(then[winner] > other for place, other in enumerate(then) if place != winner)
            if leads and sum(then) >= min_votes and then[winner] >= share * sum(then) - 1e-9:
                return more
    return NEVER


@pytest.mark.parametrize("min_votes", [1, 3, 5])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.6, 2 / 3, 0.75, 1.0])
def test_votes_needed_is_the_least_number(min_votes: int, share: float) -> None:
    counts = [[a, tie, b] for a in range(5) for tie in range(4) for b in range(5)]
    expected = [brute_force_need(each, min_votes, share) for each in counts]
    assert votes_needed(counts, min_votes=min_votes, min_agreement=share).tolist() == expected


def test_votes_that_cannot_win_still_count_in_all() -> None:
    counts = [[3, 0, 3], [0, 0, 2]]  # the last class is `unsure`
    assert votes_needed(counts, can_win=[True, True, False]).tolist() == [2, 3]
    assert votes_needed(counts, can_win=[True, True, False], max_votes=7).tolist() == [NEVER, 5 - 2]
    assert votes_needed([[1, 1, 1]], min_agreement=1.0).tolist() == [NEVER]
    with pytest.raises(ValueError, match="min_agreement"):
        votes_needed([[1]], min_agreement=0)
