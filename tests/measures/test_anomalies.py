import json
import random
from dataclasses import asdict

import pytest

from pairsmith.measures.anomalies import annotator_anomalies, fast_annotators
from pairsmith.measures.collusion import colluding_pairs
from pairsmith.measures.conflicts import CONFLICT_KINDS, CONFLICT_RESOLUTIONS, Conflict
from pairsmith.measures.votes import Vote
from tests.planted import CROWDS, simulate


@pytest.fixture(scope="module")
def planted():
    return simulate(100, planted=True)


@pytest.fixture(scope="module")
def found(planted):
    return annotator_anomalies(planted.votes, longer=planted.longer)


def only(conflicts: list[Conflict], kind: str) -> Conflict:
    (conflict,) = (each for each in conflicts if each.kind == kind)
    return conflict


def test_each_dishonest_annotator_is_found_for_what_it_does(found):
    assert [(each.kind, each.subjects) for each in found] == [
        ("constant_answer", ("constant",)),
        ("flipped_annotator", ("flipped",)),
        ("length_only", ("lengthy",)),
        ("position_only", ("first",)),
    ]


def test_the_evidence_speaks(found):
    flipped = only(found, "flipped_annotator")
    assert flipped.evidence["interval"][0] < flipped.evidence["agreement"] < flipped.evidence["interval"][1] < 0.5
    assert flipped.resolution == "flip_votes"
    position = only(found, "position_only")
    assert position.evidence["follows"] == "first"
    assert position.evidence["share_where_others_oppose_cue"] > 0.8
    assert only(found, "constant_answer").evidence["label"] == "a"
    assert only(found, "length_only").evidence["adjusted_p_value"] <= 0.01
    for conflict in found:
        assert conflict.kind in CONFLICT_KINDS
        assert conflict.resolution in CONFLICT_RESOLUTIONS
        assert json.loads(json.dumps(asdict(conflict), allow_nan=False))


def test_order_does_not_matter(planted, found):
    votes = list(planted.votes)
    random.Random(1).shuffle(votes)
    assert annotator_anomalies(votes, longer=planted.longer) == found
    suspects = {"constant", "flipped", "lengthy", "first"}
    assert colluding_pairs(votes, explained=suspects) == colluding_pairs(planted.votes, explained=suspects)


def test_names_of_sides_do_not_matter_but_for_constant_answers(planted):
    rng = random.Random(2)
    renamed = {item for item in planted.longer if rng.random() < 0.5}
    swap = {"a": "b", "b": "a"}
    votes = [vote for vote in planted.votes if vote.annotator != "constant"]
    other = [
        vote._replace(label=swap.get(vote.label, vote.label), shown_first=swap[vote.shown_first or "a"])
        if vote.item in renamed
        else vote
        for vote in votes
    ]
    longer = {item: swap[side] if item in renamed else side for item, side in planted.longer.items()}
    found = annotator_anomalies(votes, longer=planted.longer)
    assert [each.subjects for each in found] == [("flipped",), ("lengthy",), ("first",)]
    assert annotator_anomalies(other, longer=longer) == found


@pytest.mark.parametrize("crowd", [name for name in CROWDS if name != "plain"])
def test_a_crowd_with_a_common_habit_accuses_nobody(crowd):
    data = simulate(200, planted=False, crowd=crowd)
    assert not annotator_anomalies(data.votes, longer=data.longer)
    assert not colluding_pairs(data.votes)


def test_little_or_lonely_work_is_not_judged():
    alone = [Vote(f"c{number}", "p", "human", "a", "a") for number in range(200)]
    assert not annotator_anomalies(alone, longer={f"c{number}": "a" for number in range(200)})
    assert not annotator_anomalies([])
    few = [Vote(f"c{number}", name, "human", label) for number in range(12) for name, label in (("p", "a"), ("q", "b"))]
    assert not annotator_anomalies(few)
    assert not colluding_pairs(few)


def test_imported_votes_accuse_nobody(planted):
    votes = [vote._replace(kind="imported") for vote in planted.votes]
    assert not annotator_anomalies(votes, longer=planted.longer)
    assert not colluding_pairs(votes)


def test_someone_who_always_ties_is_constant():
    rng = random.Random(4)
    votes = []
    for number in range(60):
        truth = rng.choice("ab")
        votes += [Vote(f"c{number}", name, "human", truth) for name in ("p", "q")]
        votes.append(Vote(f"c{number}", "tier", "human", "tie"))
    (conflict,) = annotator_anomalies(votes)
    assert (conflict.kind, conflict.subjects, conflict.evidence["label"]) == ("constant_answer", ("tier",), "tie")


def test_twins_are_found_with_their_excess(planted, found):
    suspects = {name for each in found for name in each.subjects}
    (conflict,) = colluding_pairs(planted.votes, explained=suspects)
    assert (conflict.subjects, conflict.resolution) == (("twin1", "twin2"), "merge_votes")
    assert conflict.evidence["agreement"] > 0.9 > conflict.evidence["expected_agreement"] + 0.1


def test_two_perfect_annotators_are_no_twins():
    """They agree always, and their agreement with the others explains it."""
    rng = random.Random(5)
    votes = []
    for number in range(400):
        truth, other = rng.sample("ab", 2)
        for name in ("best1", "best2", *(f"p{place}" for place in range(6))):
            right = name.startswith("best") or rng.random() < 0.75
            votes.append(Vote(f"c{number}", name, "human", truth if right else other))
    assert not colluding_pairs(votes)


@pytest.mark.parametrize(("fast", "resolution"), [(0, None), (3, None), (30, "review"), (60, "exclude_annotator")])
def test_fast_answers_need_to_be_many(fast, resolution):
    seconds = [0.4] * fast + [12.0] * (100 - fast)
    found = fast_annotators(Vote(f"c{number}", "p", "human", "a", None, took) for number, took in enumerate(seconds))
    assert [each.resolution for each in found] == ([resolution] if resolution else [])


def test_models_may_be_fast_and_unknown_times_say_nothing():
    votes = [Vote(f"c{number}", "p", "judge", "a", None, 0.1) for number in range(100)]
    assert not fast_annotators(votes)
    assert not fast_annotators(vote._replace(kind="human", seconds=None) for vote in votes)
    assert fast_annotators(vote._replace(kind="human") for vote in votes)
