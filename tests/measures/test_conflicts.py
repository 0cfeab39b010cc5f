import json
from dataclasses import asdict

from hypothesis import given
from hypothesis import strategies as st

from pairsmith.measures.conflicts import (
    CONFLICT_KINDS,
    CONFLICT_RESOLUTIONS,
    Conflict,
    Preference,
    both_ways,
    inconsistent_annotations,
    low_confidence,
    preference_cycles,
)
from pairsmith.measures.votes import Vote

LABELS = ("a", "b", "tie", "unsure", "both_bad")


def votes(labels: list[str], item: str = "c1") -> list[Vote]:
    return [Vote(item, f"p{number}", "human", label) for number, label in enumerate(labels)]


def test_opposite_sides_are_inconsistent_and_a_clear_majority_stands():
    (conflict,) = inconsistent_annotations(votes(["a", "a", "b", "a", "tie"]))
    assert conflict.subjects == ("c1",)
    assert conflict.resolution == "accept_majority"
    assert conflict.evidence["votes"] == {"a": 3, "b": 1, "tie": 1}
    assert conflict.evidence["for_b"] == ["p2"]
    assert conflict.evidence["share"] == 0.6


def test_a_split_without_sixty_percent_needs_a_tie_breaker():
    for labels in (["a", "b"], ["a", "a", "b", "tie", "tie"], ["a", "a", "b", "b", "a", "unsure"]):
        (conflict,) = inconsistent_annotations(votes(labels))
        assert conflict.resolution == "tie_breaker"


def test_ties_beside_one_side_and_one_person_alone_are_no_inconsistency():
    alone = [Vote("c1", "p", "human", "a"), Vote("c1", "p", "human", "b")]
    assert not inconsistent_annotations(votes(["a", "a", "tie", "unsure"]))
    assert not inconsistent_annotations(alone)


def test_low_confidence_asks_for_a_vote_that_can_decide():
    (conflict,) = low_confidence(votes(["a", "b"]))
    assert conflict.resolution == "one_more_vote"  # 2 of 3 would be enough
    (conflict,) = low_confidence(votes(["a", "b", "tie", "tie"]))
    assert conflict.resolution == "discard"  # 2 of 5 would not
    (conflict,) = low_confidence(votes(["a", "a", "b", "b", "tie"]))
    assert conflict.resolution == "discard"  # five votes are the limit


def test_a_decided_tie_and_a_single_vote_are_not_low_confidence():
    assert not low_confidence(votes(["tie", "tie", "a"]))
    assert not low_confidence(votes(["a"]))
    assert low_confidence(votes(["unsure"]))
    assert low_confidence(votes(["a", "a", "a"]), confidence={"c1": 0.55})
    assert not low_confidence(votes(["a", "a", "a"]), confidence={"c1": 0.7})


def test_both_ways_discards_the_lighter_direction():
    clear = [Preference("1", "p", "x", "y", 3.0), Preference("2", "p", "y", "x", 1.0)]
    (conflict,) = both_ways([*clear, Preference("3", "q", "y", "x")])
    assert (conflict.subjects, conflict.targets, conflict.resolution) == (("1", "2"), ("2",), "discard")
    even = [Preference("1", "p", "x", "y", 1.0), Preference("2", "p", "y", "x", 1.0)]
    (conflict,) = both_ways(even)
    assert (conflict.targets, conflict.resolution) == (("1", "2"), "review")


def circle(*weights: float) -> list[Preference]:
    names = "xyz"
    return [
        Preference(str(place), "p", names[place], names[(place + 1) % 3], weight)
        for place, weight in enumerate(weights)
    ]


def test_the_weakest_edge_of_a_cycle_goes():
    (conflict,) = preference_cycles([*circle(3.0, 1.0, 2.0), Preference("9", "p", "x", "w")])
    assert conflict.subjects == ("0", "1", "2")
    assert (conflict.targets, conflict.resolution) == (("1",), "discard")
    assert conflict.evidence["cycle"] == ["y", "z", "x"]
    assert conflict.evidence["removed_weight"] == 1.0


def test_a_cycle_of_equal_edges_needs_one_more_vote():
    (conflict,) = preference_cycles(circle(2.0, 2.0, 2.0))
    assert (conflict.targets, conflict.resolution) == (("0", "1", "2"), "one_more_vote")


def test_cycles_do_not_cross_prompts_and_both_ways_is_no_cycle():
    apart = [Preference("1", "p", "x", "y"), Preference("2", "q", "y", "z"), Preference("3", "p", "z", "x")]
    assert not preference_cycles(apart)
    assert not preference_cycles([Preference("1", "p", "x", "y"), Preference("2", "p", "y", "x")])
    assert not preference_cycles(
        [Preference("1", "p", "x", "y", 0.3)] + [Preference(f"2{part}", "p", "y", "x", 0.1) for part in range(3)]
    )


preferences = st.lists(
    st.builds(
        lambda prompt, pair, weight: (prompt, *pair, weight),
        st.sampled_from("pq"),
        st.permutations("vwxyz").map(lambda order: order[:2]),
        st.integers(1, 3),
    ),
    max_size=14,
).map(lambda rows: [Preference(f"{place:02}", *row) for place, row in enumerate(rows)])
ballots = st.lists(st.tuples(st.sampled_from("cd"), st.sampled_from(LABELS)), max_size=12).map(
    lambda rows: [Vote(item, f"p{place}", "human", label) for place, (item, label) in enumerate(rows)]
)


@given(preferences, ballots, st.randoms())
def test_conflicts_are_sorted_known_serialisable_and_blind_to_order(listed, cast, rng):
    def everything() -> list[Conflict]:
        return [
            each
            for found in (
                both_ways(listed),
                preference_cycles(listed),
                inconsistent_annotations(cast),
                low_confidence(cast),
            )
            for each in found
        ]

    before = everything()
    rng.shuffle(listed)
    rng.shuffle(cast)
    assert everything() == before
    for conflict in before:
        assert conflict.kind in CONFLICT_KINDS
        assert conflict.resolution in CONFLICT_RESOLUTIONS
        assert set(conflict.targets) <= set(conflict.subjects)
        assert json.loads(json.dumps(asdict(conflict), allow_nan=False))


@given(preferences)
def test_without_the_targets_of_clear_conflicts_nothing_clear_is_left(listed):
    gone = {
        target for each in both_ways(listed, min_share=0.5) if each.resolution == "discard" for target in each.targets
    }
    left = [each for each in listed if each.id not in gone]
    cyclic = preference_cycles(left)
    gone = {target for each in cyclic for target in each.targets}
    assert not preference_cycles([each for each in left if each.id not in gone])
