"""Oracles O1-O8b, O11, O12, O16: published values, and krippendorff, irrCAC, statsmodels as independent witnesses."""

import json
import time
import warnings
from pathlib import Path
from typing import Any, Literal

import krippendorff
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from irrCAC.raw import CAC
from numpy.typing import NDArray
from statsmodels.stats.inter_rater import cohens_kappa
from statsmodels.stats.inter_rater import fleiss_kappa as statsmodels_fleiss

from pairsmith.measures import coefficients as c
from pairsmith.measures.agreement import (
    SIDES_FLIP,
    agreement_figures,
    annotator_pairs,
    cohen_figures,
    count_votes,
    count_votes_matrix,
    distinct_patterns,
    hits_with_others,
    undecided_items,
)

Array = NDArray[np.float64]

WIKIPEDIA = np.array(
    [
        [0, 0, 0, 0, 14],
        [0, 2, 6, 4, 2],
        [0, 0, 3, 5, 6],
        [0, 3, 9, 2, 0],
        [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0],
        [3, 2, 6, 3, 0],
        [2, 5, 3, 2, 2],
        [6, 5, 2, 1, 0],
        [0, 2, 2, 3, 7],
    ],
    dtype=float,
)
KRIPPENDORFF_SAMPLE = [  # three raters, values 1-4, 0 = missing (fast-krippendorff's sample)
    [0, 0, 0, 0, 0, 3, 4, 1, 2, 1, 1, 3, 3, 0, 3],
    [1, 0, 2, 1, 3, 3, 4, 3, 0, 0, 0, 0, 0, 0, 0],
    [0, 0, 2, 1, 3, 4, 4, 0, 2, 1, 1, 3, 3, 0, 4],
]
FOUR_RATERS = [  # irrCAC's raw_4raters, values 1-5, 0 = missing
    [1, 2, 3, 3, 2, 1, 4, 1, 2, 0, 0, 0],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, 0, 3],
    [0, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, 0],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, 0],
]
M = -2
PREFERENCES = [[1, 1, 0, -1, 1, M, -1, 0], [1, 0, 0, -1, 1, 1, M, 1], [M, 1, -1, -1, 1, 1, -1, M]]


def matrix_counts(raters: list[list[int]], categories: int, offset: int) -> Array:
    return count_votes_matrix(np.array(raters).T + offset, categories)


def ones(counts: Array) -> Array:
    return np.ones(len(counts))


def irrcac(votes: Any, weights: str = "identity") -> Any:
    frame = pd.DataFrame(np.where(votes < 0, np.nan, votes.astype(float)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CAC(frame, weights=weights, digits=12)


def value_of(estimate: Any) -> float:
    return float(estimate["est"]["coefficient_value"])


def test_o1_fleiss_of_the_textbook_table():
    w = ones(WIKIPEDIA)
    assert c.fleiss_kappa(WIKIPEDIA, w) == pytest.approx(0.20993, abs=5e-6)
    assert c.fleiss_kappa(WIKIPEDIA, w) == pytest.approx(statsmodels_fleiss(WIKIPEDIA))
    assert c.macro_agreement(WIKIPEDIA, w) == pytest.approx(0.378022, abs=5e-7)
    assert c.krippendorff_alpha(WIKIPEDIA, w) == pytest.approx(0.2156, abs=5e-5)
    assert c.gwet_ac(WIKIPEDIA, w) == pytest.approx(0.2256, abs=5e-5)


def test_o2_krippendorff_of_the_sample_with_missing_votes():
    counts = matrix_counts(KRIPPENDORFF_SAMPLE, 4, -1)
    assert c.krippendorff_alpha(counts, ones(counts)) == pytest.approx(0.691358, abs=5e-7)
    assert c.krippendorff_alpha(counts, ones(counts), ordinal=True) == pytest.approx(0.806721, abs=5e-7)


def test_o3_all_coefficients_of_four_raters():
    counts = matrix_counts(FOUR_RATERS, 5, -1)
    w = ones(counts)
    assert c.krippendorff_alpha(counts, w) == pytest.approx(0.743421, abs=5e-7)
    assert c.krippendorff_alpha(counts, w, ordinal=True) == pytest.approx(0.815388, abs=5e-7)
    assert c.macro_agreement(counts, w) == pytest.approx(0.81818, abs=5e-6)
    assert c.gwet_ac(counts, w) == pytest.approx(0.77544, abs=5e-6)
    assert c.fleiss_kappa(counts, w) == pytest.approx(0.76117, abs=5e-6)
    assert c.gwet_ac(counts, w, category_weights=c.ordinal_weights(5)) == pytest.approx(0.89894, abs=5e-6)


@pytest.mark.parametrize(
    ("table", "kappa"),
    [
        ([[20, 5], [10, 15]], 0.4),
        ([[45, 15], [25, 15]], 0.130435),
        ([[25, 35], [5, 35]], 0.259259),
        ([[118, 5], [2, 0]], -0.02339),
        ([[80, 10], [10, 0]], -0.1111),
    ],
)
def test_o4_cohen_of_published_tables(table, kappa):
    counted = np.array(table, dtype=float)
    assert c.cohen_kappa(counted) == pytest.approx(kappa, abs=5e-5)
    assert c.cohen_kappa(counted) == pytest.approx(cohens_kappa(counted).kappa)


@pytest.mark.parametrize(("table", "agreement", "ac1"), [((118, 5, 2), 0.944, 0.94078), ((80, 10, 10), 0.8, 0.7561)])
def test_o5_the_kappa_paradox(table, agreement, ac1):
    both, first, second = table
    counts = np.array([[2, 0]] * both + [[1, 1]] * (first + second), dtype=float)
    assert c.macro_agreement(counts, ones(counts)) == pytest.approx(agreement)
    assert c.gwet_ac(counts, ones(counts)) == pytest.approx(ac1, abs=5e-5)


def strong_model_first() -> Array:
    """O6: 82 items a/a, 9 a/b, 9 b/a, in categories b < tie < a."""
    return np.array([[0, 0, 2]] * 82 + [[1, 0, 1]] * 18, dtype=float)


def test_o6_coefficients_do_not_depend_on_which_model_is_called_first():
    counts = strong_model_first()
    w = ones(counts)
    assert c.krippendorff_alpha(counts, w) == pytest.approx(-0.093407, abs=5e-7)
    assert c.krippendorff_alpha(counts, w, SIDES_FLIP) == pytest.approx(0.6418, abs=5e-5)
    assert c.gwet_ac(counts, w) == pytest.approx(0.78474, abs=5e-6)
    renamed = counts.copy()
    renamed[::3] = renamed[::3, ::-1]
    assert c.krippendorff_alpha(renamed, w, SIDES_FLIP) == pytest.approx(0.6418, abs=5e-5)


def test_o7_preferences_with_ties_and_missing_votes():
    counts = matrix_counts(PREFERENCES, 3, 1)
    w = ones(counts)
    assert c.krippendorff_alpha(counts, w) == pytest.approx(0.54032, abs=5e-6)
    assert c.krippendorff_alpha(counts, w, ordinal=True) == pytest.approx(0.79134, abs=5e-6)
    assert c.krippendorff_alpha(counts, w, SIDES_FLIP) == pytest.approx(0.55469, abs=5e-6)
    assert c.krippendorff_alpha(counts, w, SIDES_FLIP, ordinal=True) == pytest.approx(0.821875)
    assert c.fleiss_kappa(counts, w) == pytest.approx(0.52068, abs=5e-6)
    assert c.gwet_ac(counts, w) == pytest.approx(0.58079, abs=5e-6)
    assert c.macro_agreement(counts, w) == pytest.approx(0.70833, abs=5e-6)


def test_o8_coin_flips_of_unequal_raters_agree_no_better_than_chance():
    rng = np.random.default_rng(11)
    votes = [rng.multinomial(2, [0.5, 0, 0.5]) for _ in range(395)]
    votes += [rng.multinomial(5, [0.5, 0, 0.5]) for _ in range(5)]
    figures = agreement_figures(np.array(votes, dtype=float), seed=1, flip=SIDES_FLIP, tie=1)
    for name in ("krippendorff_alpha", "krippendorff_alpha_ordinal", "fleiss_kappa", "gwet_ac1", "gwet_ac2"):
        low, high = figures[name]["interval"]
        assert low < 0 < high, name


def test_o8b_two_annotators_who_always_choose_the_same_response():
    sides = np.random.default_rng(2).integers(0, 2, size=20) * 2
    counts = count_votes(np.repeat(np.arange(20), 2), np.repeat(sides, 2), 3)
    figures = agreement_figures(counts, seed=1, flip=SIDES_FLIP, tie=1)
    assert figures["agreement"]["with_ties"]["value"] == 1
    assert figures["krippendorff_alpha"]["value"] == 1


def test_o11_leave_one_out_takes_the_expectation_over_modes():
    counts = np.array([[3, 1], [2, 2], [4, 0]], dtype=float)
    assert [float(c.leave_one_out(row[None], np.ones(1))) for row in counts] == pytest.approx([0.75, 0, 1])
    assert c.leave_one_out(counts, ones(counts)) == pytest.approx(0.5833, abs=5e-5)
    assert c.leave_one_out(np.array([[1.0, 1, 1]]), np.ones(1)) == pytest.approx(0)
    assert c.leave_one_out(np.array([[2.0, 1, 1]]), np.ones(1)) == pytest.approx((2 * 1 / 3 + 0 + 0) / 4)


def test_o12_agreement_with_and_without_ties_as_mt_bench_counts_it():
    """Two for a and a tie; two ties; a against b: 2 of 5 pairs of votes are equal, and 1 of 2 without ties."""
    counts = np.array([[0, 1, 2], [0, 2, 0], [1, 0, 1]])
    agreement = agreement_figures(counts, seed=1, flip=SIDES_FLIP, tie=1)["agreement"]
    assert (agreement["with_ties"]["value"], agreement["with_ties"]["n"]) == (2 / 5, 5)
    assert (agreement["without_ties"]["value"], agreement["without_ties"]["n"]) == (1 / 2, 2)


def test_o16_degenerate_votes_have_no_figure_but_a_reason():
    unanimous = agreement_figures(np.array([[0.0, 2, 0]] * 5), seed=1, flip=SIDES_FLIP, tie=1)
    assert unanimous["agreement"]["with_ties"]["value"] == 1
    for name in ("krippendorff_alpha", "fleiss_kappa", "gwet_ac1", "gwet_ac2", "krippendorff_alpha_ordinal"):
        assert unanimous[name]["value"] is None
        assert "all votes are equal" in unanimous[name]["reason"]
    assert "two votes that name a side" in unanimous["agreement"]["without_ties"]["reason"]
    one_side = agreement_figures(np.array([[0.0, 0, 2]] * 5), seed=1)
    assert one_side["krippendorff_alpha"]["value"] is None
    single = agreement_figures(np.eye(3), seed=1, flip=SIDES_FLIP, tie=1)
    empty = agreement_figures(np.zeros((0, 3)), seed=1, flip=SIDES_FLIP, tie=1)
    for name in ("krippendorff_alpha", "fleiss_kappa", "gwet_ac1", "leave_one_out"):
        assert "no item has two" in single[name]["reason"]
        assert empty[name]["reason"] == "there are no votes"


def test_o16_opposite_raters():
    counts = np.array([[1, 1]] * 4, dtype=float)
    assert c.krippendorff_alpha(counts, ones(counts)) == pytest.approx(-0.75)
    assert c.gwet_ac(counts, ones(counts)) == pytest.approx(-1)


@pytest.mark.parametrize("seed", range(6))
def test_random_votes_with_gaps_agree_with_krippendorff_and_irrcac(seed):
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, size=60)
    votes = np.where(rng.random((60, 4)) < 0.6, truth[:, None], rng.integers(0, 3, size=(60, 4)))
    votes[rng.random((60, 4)) < 0.35] = -1
    votes = votes[(votes >= 0).any(axis=1)]
    counts = count_votes_matrix(votes, 3)
    w = ones(counts)
    levels: tuple[tuple[bool, Literal["nominal", "ordinal"]], ...] = ((False, "nominal"), (True, "ordinal"))
    for ordinal, level in levels:
        theirs = krippendorff.alpha(value_counts=counts, level_of_measurement=level)
        assert c.krippendorff_alpha(counts, w, ordinal=ordinal) == pytest.approx(theirs)
    assert c.fleiss_kappa(counts, w) == pytest.approx(value_of(irrcac(votes).fleiss()))
    assert c.gwet_ac(counts, w) == pytest.approx(value_of(irrcac(votes).gwet()))
    ordinal_ac2 = value_of(irrcac(votes, "ordinal").gwet())
    assert c.gwet_ac(counts, w, category_weights=c.ordinal_weights(3)) == pytest.approx(ordinal_ac2)


VOTES = st.lists(st.tuples(*[st.integers(0, 3)] * 3), min_size=2, max_size=25)


@settings(max_examples=60, deadline=None)
@given(VOTES, st.randoms(use_true_random=False))
def test_renaming_the_sides_of_any_items_changes_nothing(rows, random):
    counts = np.array(rows, dtype=float)
    renamed = np.array([row[::-1] if random.random() < 0.5 else row for row in rows], dtype=float)
    before, after = (
        agreement_figures(each, seed=3, flip=SIDES_FLIP, tie=1, replicates=40) for each in (counts, renamed)
    )
    for figures in (before, after):
        for name in ("krippendorff_alpha", "krippendorff_alpha_ordinal", "gwet_ac1", "gwet_ac2"):
            del figures[name]["plain"]
        figures["fleiss_kappa"] = figures["fleiss_kappa"]["symmetrised"]
    assert before == after


@settings(max_examples=40, deadline=None)
@given(VOTES)
def test_patterns_are_the_items_counted(rows):
    counts = np.array(rows, dtype=float)
    patterns, items = distinct_patterns(counts)
    kept = counts[counts.sum(axis=1) > 0]
    assert items.sum() == len(kept)
    rebuilt = np.repeat(patterns, items.astype(int), axis=0)
    assert sorted(map(tuple, rebuilt)) == sorted(map(tuple, kept))
    assert c.pooled_agreement(patterns, items) == pytest.approx(c.pooled_agreement(counts, ones(counts)), nan_ok=True)


def test_patterns_of_very_large_counts():
    counts = np.array([[2**21, 1, 0], [2**21, 1, 0], [0, 0, 1]], dtype=float)
    patterns, items = distinct_patterns(counts)
    assert patterns.tolist() == [[0, 0, 1], [2**21, 1, 0]]
    assert items.tolist() == [1, 2]


def test_the_bootstrap_interval_agrees_with_the_analytic_one():
    rng = np.random.default_rng(8)
    votes = np.where(rng.random((400, 3)) < 0.7, rng.integers(0, 2, size=400)[:, None], rng.integers(0, 2, (400, 3)))
    low, high = agreement_figures(count_votes_matrix(votes, 2), seed=1, replicates=2000)["gwet_ac1"]["interval"]
    expected = irrcac(votes).gwet()["est"]["confidence_interval"]
    assert (low, high) == pytest.approx(expected, abs=0.012)


def test_cohen_of_every_annotator_pair_agrees_with_statsmodels():
    rng = np.random.default_rng(9)
    votes = np.where(rng.random((120, 4)) < 0.6, rng.integers(0, 3, size=120)[:, None], rng.integers(0, 3, (120, 4)))
    votes[rng.random((120, 4)) < 0.3] = -1
    items, annotators = np.nonzero(votes >= 0)
    pairs, tables = annotator_pairs(items, annotators, votes[items, annotators], 3)
    assert pairs.tolist() == [[0, 1], [0, 2], [0, 3], [1, 2], [1, 3], [2, 3]]
    for (first, second), table in zip(pairs, tables, strict=True):
        both = votes[(votes[:, first] >= 0) & (votes[:, second] >= 0)]
        expected = np.zeros((3, 3))
        np.add.at(expected, (both[:, first], both[:, second]), 1)
        assert (table == expected).all()
        assert c.cohen_kappa(table) == pytest.approx(cohens_kappa(expected).kappa)
    shown = cohen_figures(pairs, tables, seed=1, flip=SIDES_FLIP, limit=2)
    assert [each["n"] for each in shown] == sorted((int(t.sum()) for t in tables), reverse=True)[:2]
    assert all(each["interval"][0] < each["value"] < each["interval"][1] for each in shown)
    assert cohen_figures(pairs, tables, seed=1, min_items=121) == []


def test_cohen_does_not_depend_on_names_of_sides():
    table = np.array([[5, 1, 9], [2, 8, 1], [20, 3, 30]], dtype=float)
    pairs = np.array([[0, 1]])
    renamed = table.copy()  # six items where b/a becomes a/b, and three where a/tie becomes b/tie
    renamed[0, 2] -= 6
    renamed[2, 0] += 6
    renamed[2, 1] -= 3
    renamed[0, 1] += 3
    one, other = (cohen_figures(pairs, each[None], seed=1, flip=SIDES_FLIP)[0] for each in (table, renamed))
    assert one == other
    assert c.cohen_kappa(table) != pytest.approx(c.cohen_kappa(renamed))


def test_no_pairs_without_shared_items():
    pairs, tables = annotator_pairs([0, 1], [0, 1], [2, 0], 3)
    assert pairs.shape == (0, 2) and tables.shape == (0, 3, 3)
    assert annotator_pairs([], [], [], 3)[0].shape == (0, 2)


def test_hits_with_others_split_shared_modes_and_skip_lonely_votes():
    items, labels = [0, 0, 0, 1, 2, 2, 2], [2, 2, 0, 1, 0, 1, 2]
    hits = hits_with_others(items, labels, count_votes(items, labels, 3))
    assert hits[:3].tolist() == [0.5, 0.5, 0.0]  # for a vote for a, the others are a and b: two modes
    assert np.isnan(hits[3])
    assert hits[4:].tolist() == [0.0, 0.0, 0.0]


def test_undecided_items_need_two_votes():
    assert undecided_items(np.array([[1, 0, 1], [0, 1, 0], [2, 1, 0], [1, 1, 1]], dtype=float)) == 2


def test_labels_out_of_range_are_an_error():
    with pytest.raises(ValueError, match=r"0\.\.2"):
        count_votes([0], [3], 3)


def mt_bench_votes(path: Path) -> Any:
    items: dict[tuple[Any, ...], int] = {}
    annotators: dict[str, int] = {}
    rows = []
    for line in path.read_text(encoding="utf-8").splitlines():
        vote = json.loads(line)
        first, second = sorted((vote["model_a"], vote["model_b"]))
        item = items.setdefault((vote["question_id"], vote["turn"], first, second), len(items))
        winner = vote.get(vote["winner"])
        label = 1 if winner is None else 2 if winner == first else 0
        rows.append((item, annotators.setdefault(vote["judge"], len(annotators)), label))
    return np.array(rows).T


def test_mt_bench_human_votes_give_the_reference_figures(shared_data):
    expected = json.loads((shared_data / "REFERENCE.json").read_text())["mt_bench"]
    items, _, labels = mt_bench_votes(shared_data / "preferences/mt_bench/human.jsonl")
    counts = count_votes(items, labels, 3)
    figures = agreement_figures(counts, seed=1, flip=SIDES_FLIP, tie=1)
    with_ties, without = figures["agreement"]["with_ties"], figures["agreement"]["without_ties"]
    assert len(counts) == expected["items_if_pair_order_is_ignored"]
    assert with_ties["value"] == pytest.approx(expected["human_human_agreement_with_ties"], abs=5e-5)
    assert with_ties["n"] == expected["vote_pairs"]
    assert without["value"] == pytest.approx(expected["human_human_agreement_without_ties"], abs=5e-5)
    assert without["n"] == expected["vote_pairs_without_ties"]
    alpha = figures["krippendorff_alpha"]
    assert alpha["plain"] == pytest.approx(expected["krippendorff_alpha_nominal_first_second_tie"], abs=1e-4)
    assert alpha["value"] == pytest.approx(0.51397, abs=5e-6)
    assert alpha["n"] == expected["items_with_2_or_more_votes"]
    assert undecided_items(counts) == expected["no_majority_items"]


def test_a_hundred_thousand_votes_with_two_thousand_replicates_take_seconds():
    rng = np.random.default_rng(1)
    items = np.repeat(np.arange(25_000), 4)
    labels = np.where(rng.random(100_000) < 0.6, rng.integers(0, 3, 25_000)[items], rng.integers(0, 3, 100_000))
    began = time.perf_counter()
    agreement_figures(count_votes(items, labels, 3), seed=1, flip=SIDES_FLIP, tie=1, replicates=2000)
    assert time.perf_counter() - began < 3
