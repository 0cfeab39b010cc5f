import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.agreement import MOST_NEIGHBOURS, annotator_pairs
from pairsmith.measures.annotation import annotation_figures, annotator_figures, side_counts
from pairsmith.measures.conflicts import Preference, both_ways
from pairsmith.measures.feedback_arcs import feedback_arcs
from pairsmith.measures.vote_table import UNKNOWN
from pairsmith.measures.votes import KINDS, LABELS, Vote, Votes, named_counts

ROWS = st.lists(
    st.builds(
        Vote,
        st.sampled_from(["c1", "c2", "c3"]),
        st.sampled_from(["p", "q", "r"]),
        st.sampled_from(KINDS),
        st.sampled_from(LABELS),
        st.sampled_from(["a", "b", None]),
        st.sampled_from([None, 0.5, 7.0]),
    ),
    max_size=30,
)


@given(ROWS)
def test_columns_say_what_the_votes_say_sorted_by_item_and_annotator(rows):
    table = Votes.of(rows)
    told = [
        Vote(
            table.items[item],
            table.annotators[person],
            KINDS[kind],
            LABELS[label],
            None if first == UNKNOWN else LABELS[first],
            None if np.isnan(seconds) else float(seconds),
        )
        for item, person, kind, label, first, seconds in zip(
            table.item, table.annotator, table.kind, table.label, table.first, table.seconds, strict=True
        )
    ]
    assert sorted(told, key=str) == sorted(rows, key=str)
    assert [vote[:2] for vote in told] == sorted(vote[:2] for vote in rows)
    assert Votes.of(table) is table
    for number, item in enumerate(table.items):
        counted = named_counts(table.counts()[number].tolist())
        assert counted == {name: n for name in LABELS if (n := sum(v.item == item and v.label == name for v in rows))}


@given(ROWS, st.randoms(use_true_random=False))
def test_figures_do_not_depend_on_the_order_of_the_votes(rows, rng):
    once = list({vote[:2]: vote for vote in rows}.values())
    found = annotation_figures(once, seed=1, replicates=20), annotator_figures(once)
    sides = side_counts(once).tolist()
    rng.shuffle(once)
    assert (annotation_figures(once, seed=1, replicates=20), annotator_figures(once)) == found
    assert side_counts(once).tolist() == sides


def test_choosing_votes_renumbers_nothing():
    table = Votes.of([Vote("c1", "p", "human", "a"), Vote("c2", "q", "judge", "b")])
    judged = table.where(table.is_kind("judge"))
    assert judged.items == table.items
    assert [judged.item.tolist(), judged.annotator.tolist()] == [[1], [1]]
    assert judged.per_item().tolist() == [0, 1]


def test_labels_and_kinds_that_do_not_exist_are_refused_by_name():
    with pytest.raises(ValueError, match="label 'maybe'"):
        Votes.of([Vote("c", "p", "human", "maybe")])
    with pytest.raises(ValueError, match="kind 'cat'"):
        Votes.of([Vote("c", "p", "cat", "a")])


def test_an_item_everybody_voted_on_costs_linear_work_and_says_so():
    people = 3000
    pairs, tables = annotator_pairs(np.zeros(people), np.arange(people), np.zeros(people), 3)
    assert tables.sum() == len(pairs) < people * MOST_NEIGHBOURS
    few = [Vote("c", f"p{number:03}", "human", "a") for number in range(MOST_NEIGHBOURS + 1)]
    figures = annotation_figures(few, seed=1, replicates=2)["cohen_kappa"]
    assert (figures["pairs_total"], figures["items_capped"]) == (len(few) * (len(few) - 1) // 2, 0)
    more = annotation_figures([*few, Vote("c", "q", "human", "b")], seed=1, replicates=2)["cohen_kappa"]
    assert (more["pairs_total"], more["items_capped"]) == (figures["pairs_total"] + MOST_NEIGHBOURS, 1)


def test_a_pair_compared_thousands_of_times_is_one_conflict():
    listed = [Preference(f"{n:05}", "p", *("xy" if n % 3 else "yx")) for n in range(20_000)]
    (conflict,) = both_ways(listed)
    assert (len(conflict.subjects), len(conflict.targets), conflict.resolution) == (20_000, 6_667, "discard")


def test_circles_among_thousands_of_responses_are_broken_without_trying_every_move():
    size = 2500
    names = [f"{number:04}" for number in range(size)]
    weights = {(names[n], names[(n + 1) % size]): 1.0 + (n == 7) for n in range(size)}
    arcs = feedback_arcs(weights)
    assert (len(arcs.removed), arcs.exact) == (1, False)
