"""Resolve by configuration: methods, gold, queue, conflicts, domains, selection, calibration, corrections."""

import json
import random
from typing import Any

import pytest

from pairsmith.config import ConflictsConfig, parse_config
from pairsmith.errors import ConfigError
from pairsmith.records import Annotation, Candidate, Comparison, Label, Message, Prompt, Resolved, Ruling, Score
from pairsmith.stages.bias_figures import family
from pairsmith.stages.resolve import resolve
from tests.test_resolve import World

SIDES: tuple[Label, Label] = ("a", "b")


def crowd(items: int = 120, people: int = 6, seed: int = 0) -> tuple[World, list[Label]]:
    """Six people vote on everything; `p0` and `p1` are nearly always right, the others are coins. And the truth."""
    rng = random.Random(seed)
    world, truth = World(), []
    for _ in range(items):
        right = rng.choice(SIDES)
        truth.append(right)
        comparison = world.compare()
        for number in range(people):
            accuracy = 0.97 if number < 2 else 0.5
            wrong: Label = "b" if right == "a" else "a"
            world.vote(comparison, f"p{number}", right if rng.random() < accuracy else wrong)
    return world, truth


def share_right(world: World, truth: list[Label], outcome: Resolved) -> float:
    said = {each.comparison_id: each.winner for each in outcome.kept}
    return sum(said.get(c.id) == right for c, right in zip(world.comparisons, truth, strict=True)) / len(truth)


@pytest.mark.parametrize("method", ["map", "dawid_skene", "auto"])
def test_models_of_annotators_beat_counting_and_say_what_they_changed(method):
    world, truth = crowd()
    counted, modelled = world.resolve(), world.resolve(method=method)
    assert share_right(world, truth, modelled) > share_right(world, truth, counted) + 0.1
    consensus = modelled.metrics["consensus"]
    assert consensus["method"] == ("map" if method == "auto" else method)
    assert consensus["against_majority"]["changed"] + consensus["against_majority"]["newly_decided"] > 10
    accuracy = {row["name"]: row["accuracy"] for row in consensus["accuracies"]}
    assert min(accuracy["p0"], accuracy["p1"]) > 0.85 > max(accuracy[f"p{n}"] for n in range(2, 6))
    assert all(each.confidence_kind == "posterior" and (each.confidence or 0) >= 0.5 for each in modelled.kept)
    assert modelled.metrics["annotation"]["label_accuracy"]["kind"] == "posterior"


def test_the_gap_of_a_modelled_verdict_is_what_the_model_says():
    world, truth = crowd()
    outcome = world.resolve(method="map")
    assert {each.gap_kind for each in outcome.kept} == {"posterior"}
    even = [each for each in outcome.kept if each.votes["chosen"] == each.votes["rejected"]]
    assert len(even) > 10
    said = {c.id: right for c, right in zip(world.comparisons, truth, strict=True)}
    for each in even:  # by counting their gap is 0, and no pair would be left of them
        assert each.gap is not None
        assert each.confidence is not None
        assert 0 < each.gap <= 1
        assert 2 * each.confidence - 1 <= each.gap + 1e-9  # what it leaves for a tie is nobody's loss
    assert sum(each.winner == said[each.comparison_id] for each in even) > 0.9 * len(even)
    against = [each for each in outcome.kept if each.votes["chosen"] < each.votes["rejected"]]
    assert against
    assert all((each.gap or 0) > 0 for each in against)


def test_a_ruling_keeps_the_share_of_votes_as_its_gap_under_a_model():
    world, _ = crowd()
    ruled = world.comparisons[0]
    labels = [vote.label for vote in world.annotations if vote.comparison_id == ruled.id]
    less: Label = "a" if labels.count("a") < labels.count("b") else "b"
    world.rulings.append(Ruling.of(ruled.id, less, "lead", "adjudication"))
    (found,) = [each for each in world.resolve(method="map").kept if each.comparison_id == ruled.id]
    assert (found.winner, found.method, found.gap_kind) == (less, "ruling", "votes")
    assert (found.gap or 0) <= 1 / 7


def test_a_model_of_scorers_alone_measures_no_gap():
    world = World()
    for number in range(60):
        comparison = world.compare()
        for name in ("s1", "s2", "s3"):
            world.vote(comparison, name, "a" if number % 2 else "b", kind="reward", strength=0.9)
    outcome = world.resolve(method="map")
    assert {(each.method, each.gap, each.gap_kind) for each in outcome.kept} == {
        ("one_coin_map", None, "reward_uncalibrated")
    }


def test_a_model_is_refused_where_annotators_cannot_be_compared_and_auto_counts_instead():
    world = World()
    for group in ("x", "y"):
        for _ in range(30):
            comparison = world.compare()
            for number in range(3):
                world.vote(comparison, f"{group}{number}", "a")
    with pytest.raises(ConfigError, match=r"resolve\.method: map cannot be used.*2 parts"):
        world.resolve(method="map")
    consensus = world.resolve(method="auto").metrics["consensus"]
    assert (consensus["method"], consensus["parts"]) == ("majority", 2)
    assert "2 parts" in consensus["why"]


def test_gold_annotators_are_the_truth_and_give_the_others_weights():
    world, truth = crowd(60)
    for comparison, right in list(zip(world.comparisons, truth, strict=True))[:30]:
        world.vote(comparison, "expert", right)
    outcome = world.resolve(gold_annotators=["expert"], gold_weights=True)
    assert outcome.metrics["resolve"]["methods"]["gold"] == 30
    gold = outcome.metrics["consensus"]["gold"]
    assert gold["weights_used"]
    weight = {row["name"]: row["weight"] for row in gold["annotators"]}
    assert weight["p0"] > 3 * weight["p4"]
    plain = world.resolve(gold_annotators=["expert"], min_agreement=0)
    assert share_right(world, truth, outcome) > share_right(world, truth, plain)


def test_what_a_vote_can_decide_is_queued_and_what_it_cannot_is_not():
    world = World()
    even, none = world.compare("ab"), world.compare()
    far, tie = world.compare("aabbt"), world.compare("tt")
    outcome = world.resolve()
    queued = {each.comparison_id: each for each in outcome.queued}
    assert set(queued) == {even.id, none.id, far.id}
    assert (queued[even.id].needs, queued[even.id].votes_needed, queued[even.id].why) == ("vote", 1, "no_majority")
    assert (queued[far.id].needs, queued[far.id].why) == ("ruling", "no_majority")
    assert tie.id not in queued
    assert set(queued) <= {each.id for each in outcome.dropped}
    assert outcome.metrics["queue"] | {"why": None} == {
        "total": 3,
        "votes_needed": 2,
        "rulings_needed": 1,
        "one_vote_short": 2,
        "why": None,
    }


def ranked(votes: dict[str, str], texts: dict[str, str] | None = None) -> World:
    """One prompt; for each two responses, such as `xy`, as many votes for the first as the number says."""
    world = World()
    prompt = Prompt.of([Message("user", "Which?")])
    world.prompts[prompt.id] = prompt
    names = sorted({name for pair in votes for name in pair})
    sides = {n: Candidate.imported(prompt.id, (texts or {}).get(n, f"answer {n}"), model=n) for n in names}
    world.candidates = {side.id: side for side in sides.values()}
    for (winner, loser), said in ((tuple(pair), said) for pair, said in votes.items()):
        comparison = Comparison.of(sides[winner], sides[loser])
        world.comparisons.append(comparison)
        for number, code in enumerate(said):
            side = sides[winner] if code == "w" else sides[loser]
            world.vote(comparison, f"v{number}", "a" if comparison.a == side.id else "b")
    return world


def reasons(outcome: Resolved) -> list[str]:
    return sorted(each.reason for each in outcome.dropped)


def test_a_cycle_loses_its_lightest_preference_only():
    world = ranked({"xy": "www", "yz": "www", "zx": "w", "xu": "w"})
    outcome = world.resolve()
    assert reasons(outcome) == ["conflict_cycle"]
    assert len(outcome.kept) == 3
    (record,) = [each for each in outcome.conflicts if each.kind == "cycle"]
    assert (record.outcome, record.action) == ("resolved", "dropped_lighter")
    assert len(record.subjects) == 3
    assert outcome.metrics["conflicts"]["cycle"] == {"found": 1, "resolved": 1, "queued": 0, "reported": 0}
    assert len(world.resolve(conflicts={"cycles": "all"}).kept) == 1
    assert len(world.resolve(conflicts={"cycles": "keep"}).kept) == 4
    waiting = world.resolve(conflicts={"cycles": "queue"})
    assert {each.why for each in waiting.queued} == {"conflict_cycle"}
    even = ranked({"xy": "w", "yz": "w", "zx": "w"}).resolve()
    assert (len(even.kept), {each.needs for each in even.queued}) == (0, {"vote"})


def test_both_ways_keeps_the_heavier_direction_and_a_ruling_outweighs_votes():
    texts = {"x": "same", "X": "same", "y": "other", "Y": "other"}
    votes = {"xy": "www", "YX": "w"}
    outcome = ranked(votes, texts).resolve()
    assert reasons(outcome) == ["conflict_both_ways"]
    world = ranked(votes, texts)
    lighter = next(c for c in world.comparisons if outcome.dropped[0].id == c.id)
    label = next(each.label for each in world.annotations if each.comparison_id == lighter.id)
    world.rulings.append(Ruling.of(lighter.id, label, "lead", "adjudication"))
    assert [each.id for each in world.resolve().dropped] != [lighter.id]


def test_a_reversal_whose_partner_left_is_still_reported():
    """x over y is beaten both ways and given up; what it contradicts under a near-identical prompt must not vanish."""
    long = "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu nu xi omicron pi rho sigma tau"
    good, bad = f"good {long} one two three four five", "nine eight seven six zero minus plus times over root of all"
    world = ranked({"xy": "ww", "YX": "www"}, {"x": good, "X": good, "y": bad, "Y": bad})
    prompt = Prompt.of([Message("user", "Which ?!")])
    sides = [Candidate.imported(prompt.id, text, model=name) for name, text in (("p", bad), ("q", good))]
    again = Comparison.of(*sides)
    world.prompts[prompt.id] = prompt
    world.candidates |= {side.id: side for side in sides}
    world.comparisons.append(again)
    world.vote(again, "v0", "a" if again.a == sides[0].id else "b")
    outcome = world.resolve()
    left = next(each.id for each in outcome.dropped if each.reason == "conflict_both_ways")
    (record,) = [each for each in outcome.conflicts if each.kind == "contradictory"]
    assert set(record.subjects) == {left, again.id}
    assert record.evidence["left_before"] == {left: "conflict_both_ways"}
    assert (record.outcome, record.action, record.targets) == ("resolved", "left_before", (left,))
    acted = world.resolve(conflicts={"contradictory": "all"})
    assert reasons(acted) == ["conflict_both_ways"]  # what had left needs no second drop
    kept_both = world.resolve(conflicts={"both_ways": "keep"})
    (record,) = [each for each in kept_both.conflicts if each.kind == "contradictory"]
    assert (record.outcome, "left_before" in record.evidence) == ("reported", False)


def test_excluded_annotators_are_counted_and_do_not_decide():
    world = World()
    world.compare("aab")
    outcome = world.resolve(exclude_annotators=["human0", "human1"])
    assert outcome.kept[0].winner == "b"
    excluded = outcome.metrics["annotation"]["excluded"]
    assert excluded == {"votes": 2, "annotators": {"human0": 1, "human1": 1}, "merged": 0}
    assert len(outcome.metrics["annotators"]) == 3  # they are still shown


def test_an_annotator_who_follows_position_is_excluded_on_demand():
    rng = random.Random(1)
    world = World()
    for _ in range(80):
        comparison = world.compare()
        right = rng.choice(SIDES)
        for name in ("x", "y", "z"):
            world.vote(comparison, name, right, shown_first=rng.choice(SIDES))
        first = rng.choice(SIDES)
        world.vote(comparison, "first", first, shown_first=first)
    reported = world.resolve()
    assert reported.metrics["conflicts"]["position_only"] == {"found": 1, "resolved": 0, "queued": 0, "reported": 1}
    excluded = world.resolve(exclude_anomalous=True)
    assert excluded.metrics["annotation"]["excluded"]["annotators"] == {"first": 80}
    assert all(each.agreement == 1 for each in excluded.kept)
    weighted = world.resolve(corrections=["position"])
    assert weighted.metrics["corrections"]["position"]["changed"] > 20


def test_disagreeing_groups_tag_rows_and_add_their_line():
    rng = random.Random(2)
    world = World()
    for _ in range(80):
        comparison = world.compare()
        right = rng.choice(SIDES)
        wrong: Label = "b" if right == "a" else "a"
        for number in range(3):
            world.vote(comparison, f"nurse{number}", right)
        for number in range(2):
            world.vote(comparison, f"patient{number}", wrong)
    conflicts = {"groups": {"nurse": "clinicians", "patient": "patients"}, "domains": "add_context"}
    outcome = world.resolve(conflicts={**conflicts, "context": {"clinicians": "For clinicians."}})
    assert outcome.metrics["conflicts"]["group_disagreement"]["resolved"] == 1
    assert {(each.domain, each.context) for each in outcome.kept} == {("clinicians", "For clinicians.")}
    assert len(outcome.kept) == 80  # nothing would say for whom the rows of the others hold
    assert {(each.votes["chosen"], each.votes["rejected"], each.agreement) for each in outcome.kept} == {(3, 0, 1.0)}
    with pytest.raises(ValueError, match="needs the lines"):
        ConflictsConfig.model_validate(conflicts)


def opposed(items: int = 60, *, cases: str = "aabb") -> World:
    """Two nurses against two patients on every comparison; the sides of the nurses vary."""
    rng = random.Random(9)
    world = World()
    for _ in range(items):
        comparison, flip = world.compare(), rng.random() < 0.5
        for name, code in zip(("nurse0", "nurse1", "patient0", "patient1"), cases, strict=True):
            world.vote(comparison, name, "b" if (code == "a") == flip else "a")
    return world


SPLIT = {"groups": {"nurse": "clinicians", "patient": "patients"}, "domains": "split_dataset"}


def test_an_even_split_between_two_groups_is_a_row_for_each():
    world = opposed()
    assert reasons(world.resolve()) == ["no_majority"] * 60
    outcome = world.resolve(conflicts=SPLIT)
    assert (len(outcome.kept), outcome.dropped, outcome.queued) == (120, (), ())
    for comparison in world.comparisons:
        one, other = (each for each in outcome.kept if each.comparison_id == comparison.id)
        assert {one.domain, other.domain} == {"clinicians", "patients"}
        assert one.winner != other.winner
        assert {*one.annotation_ids}.isdisjoint(other.annotation_ids)
        assert (one.method, one.votes["chosen"], one.agreement, one.gap) == ("group_majority", 2, 1.0, 1.0)
    found = outcome.metrics["resolve"]
    assert (found["comparisons"], found["split_by_group"], found["kept"]) == (60, 60, 120)
    rng = random.Random(1)
    rng.shuffle(world.annotations)
    assert world.resolve(conflicts=SPLIT) == outcome


def test_groups_split_nothing_that_a_person_ruled_or_one_of_them_left_open():
    world = opposed()
    ruled, open_ = world.comparisons[:2]
    world.rulings.append(Ruling.of(ruled.id, "a", "lead", "adjudication"))
    changed = next(v for v in world.annotations if v.comparison_id == open_.id and v.annotator == "patient1")
    world.vote(open_, "patient1", "b" if changed.label == "a" else "a", revision=1)
    outcome = world.resolve(conflicts=SPLIT)
    assert [each.winner for each in outcome.kept if each.comparison_id == ruled.id] == ["a"]
    assert len([each for each in outcome.kept if each.comparison_id == open_.id]) == 1  # three to one
    assert outcome.metrics["resolve"]["split_by_group"] == 58


def test_selection_is_done_within_each_group():
    outcome = opposed().resolve(conflicts=SPLIT, select={"max_pairs_per_prompt": 1})
    assert len(outcome.kept) == 120  # one of each prompt in either dataset
    assert set(outcome.metrics["selection"]["groups"]) == {"clinicians", "patients"}


def full_ranking(prompts: int = 12) -> World:
    """Prompts with four responses each, all compared, with one clear order; better ones are longer."""
    world = World()
    for number in range(prompts):
        part = ranked({f"{one}{two}": "www" for one, two in ("wx", "wy", "wz", "xy", "xz", "yz")})
        prompt = Prompt.of([Message("user", f"Which {number}?")])
        world.prompts[prompt.id] = prompt
        renamed = {}
        for side in part.candidates.values():
            text = side.text * (5 - "wxyz".index(side.model))
            renamed[side.id] = Candidate.imported(prompt.id, text, model=side.model)
        world.candidates |= {side.id: side for side in renamed.values()}
        for comparison in part.comparisons:
            made = Comparison.of(renamed[comparison.a], renamed[comparison.b])
            world.comparisons.append(made)
            for place in range(3):
                world.vote(made, f"v{place}", "a")
    return world


@pytest.mark.parametrize(
    ("select", "pairs"),
    [
        ({}, 72),
        ({"policy": "best_worst"}, 12),
        ({"policy": "adjacent"}, 36),
        ({"policy": "all_above_margin", "margin": 1.0}, 0),
        ({"policy": "mu_minus_2sigma"}, 12),
        ({"policy": "random_below_chosen"}, 12),
        ({"max_pairs_per_prompt": 2}, 24),
        ({"policy": "best_worst", "refill_to": 30}, 30),
        ({"length_balanced": True}, 0),  # every chosen response is the longer one
    ],
)
def test_selection_policies(select, pairs):
    world = full_ranking()
    outcome = world.resolve(select=select)
    assert len(outcome.kept) == pairs
    assert {each.reason for each in outcome.dropped} <= {"not_selected"}
    assert len(outcome.kept) + len(outcome.dropped) == len(world.comparisons)
    report = outcome.metrics["selection"]
    assert (report["before"]["pairs"], report["after"]["pairs"]) == (72, pairs)
    json.dumps(report, allow_nan=False)


def judged(people: int, items: int = 200) -> tuple[World, list[Score]]:
    """A reward model that is right the more often the larger its difference; people voted on the first ones."""
    rng = random.Random(4)
    world, scores = World(), []
    for number in range(items):
        comparison = world.compare()
        difference = rng.uniform(-30, 30)
        p = 1 / (1 + 2.718281828 ** (-difference / 10))
        right: Label = "a" if rng.random() < p else "b"
        scores += [
            Score.of(comparison.a, "rm", difference),
            Score.of(comparison.b, "rm", 0.0),
        ]
        if number < people:
            world.vote(comparison, f"person{number % 7}", right)
        else:
            world.vote(comparison, "rm", "a" if difference > 0 else "b", kind="reward", strength=0.9)
    return world, scores


def resolve_scored(world: World, scores: list[Score], **settings: Any) -> Resolved:
    cfg = parse_config(json.dumps({"resolve": settings})).resolve
    return resolve(
        cfg,
        list(world.prompts.values()),
        world.candidates,
        world.comparisons,
        world.annotations,
        world.rulings,
        scores,
        seed=3,
        fitted_on="ledger position 9",
    )


def test_scores_calibrated_on_people_become_gaps_with_intervals():
    world, scores = judged(120)
    outcome = resolve_scored(world, scores, combine="calibrated")
    calibration = outcome.metrics["calibration"]
    assert (calibration["calibrated"], calibration["n"]) == (True, 120)
    assert calibration["fitted_on"] == "ledger position 9"
    assert calibration["models"] == ["score:rm"]  # its votes are made of the same scores
    assert calibration["nll"]["value"] < 0.69
    assert {each.gap_kind for each in outcome.kept} == {"calibrated"}
    alone = [each for each in outcome.kept if each.comparison_id in {c.id for c in world.comparisons[120:]}]
    assert len(alone) == 80
    for each in outcome.kept:
        assert each.confidence is not None
        assert each.interval is not None
        assert each.gap == pytest.approx(2 * each.confidence - 1)
        assert each.interval[0] <= each.confidence <= each.interval[1]
    assert outcome.metrics["annotation"]["label_accuracy"]["kind"] == "calibrated"


def test_nothing_is_called_calibrated_under_fifty_labels():
    world, scores = judged(40)
    outcome = resolve_scored(world, scores, combine="calibrated")
    calibration = outcome.metrics["calibration"]
    assert not calibration["calibrated"]
    assert "40 pairs" in calibration["reason"]
    assert {each.gap_kind for each in outcome.kept} == {"votes", "reward_uncalibrated"}


def test_a_verdict_that_turns_with_the_order_becomes_a_tie():
    world = World()
    comparison = world.compare()
    world.vote(comparison, "j", "a", kind="judge", criteria={"swap_consistent": False})
    assert world.resolve().kept[0].winner == "a"
    outcome = world.resolve(corrections=["unstable_to_tie"])
    assert reasons(outcome) == ["tie"]
    assert outcome.metrics["corrections"]["unstable_to_tie"]["changed"] == 1


def long_winded(items: int = 900, people: int = 300) -> tuple[World, list[Score], list[Label]]:
    """A scorer that loves length, and people who do not, on the first comparisons; and which side is better."""
    rng = random.Random(12)
    world, scores, truth = World(), list[Score](), list[Label]()
    for number in range(items):
        sizes = rng.sample(range(5, 200), 2)
        comparison = world.compare(a={"text": "word " * sizes[0]}, b={"text": "term " * sizes[1]})
        quality = rng.gauss(0, 2)
        longer = (len(world.candidates[comparison.a].text) - len(world.candidates[comparison.b].text)) / 400
        truth.append("a" if quality > 0 else "b")
        scores += [Score.of(comparison.a, "rm", quality + 3 * longer), Score.of(comparison.b, "rm", 0.0)]
        if number < people:
            for person in range(2):
                right = truth[-1] if rng.random() < 0.9 else "b" if truth[-1] == "a" else "a"
                world.vote(comparison, f"person{person}", right)
    return world, scores, truth


def test_taking_out_length_makes_labels_of_models_more_right():
    world, scores, truth = long_winded()
    better = {c.id: side for c, side in zip(world.comparisons, truth, strict=True)}
    alone = {c.id for c in world.comparisons[300:]}
    kept, wins = {}, {}
    for corrections in ((), ("length",)):
        outcome = resolve_scored(world, scores, combine="calibrated", corrections=corrections)
        kept[corrections] = {each.comparison_id: each for each in outcome.kept}
        judged_alone = [each for each in outcome.kept if each.comparison_id in alone]
        assert len(judged_alone) == 600
        wins[corrections] = sum(each.winner == better[each.comparison_id] for each in judged_alone) / 600
        assert all((each.gap or 0) >= 0 for each in judged_alone)  # of the verdict that was written, not the first one
    changed = [name for name in alone if kept[()][name].winner != kept["length",][name].winner]
    assert outcome.metrics["corrections"]["length"]["changed"] == len(changed) > 60
    assert wins["length",] > wins[()] + 0.1
    assert {n for n in better if n not in alone and kept[()].get(n) != kept["length",].get(n)} == set()


@pytest.mark.parametrize("method", ["map", "dawid_skene"])
def test_length_is_taken_out_of_judges_under_a_model_of_annotators(method):
    """Three judges who mostly take the longer response; two people read, on the first 200 comparisons."""
    rng = random.Random(13)
    world, truth = World(), dict[str, Label]()
    for number in range(600):
        sizes = rng.sample(range(5, 200), 2)
        comparison = world.compare(a={"text": "word " * sizes[0]}, b={"text": "term " * sizes[1]})
        lengths = [len(world.candidates[name].text) for name in (comparison.a, comparison.b)]
        longer: Label = "a" if lengths[0] > lengths[1] else "b"
        right: Label = rng.choice(SIDES)
        truth[comparison.id] = right
        for judge in range(3):
            says = longer if rng.random() < 0.4 else right if rng.random() < 0.85 else "b" if right == "a" else "a"
            world.vote(comparison, f"judge{judge}", says, kind="judge")
        if number < 200:
            for person in range(2):
                said = right if rng.random() < 0.95 else "b" if right == "a" else "a"
                world.vote(comparison, f"person{person}", said)
    alone = {c.id for c in world.comparisons[200:]}

    def share_of_right(outcome: Resolved) -> float:
        return sum(e.winner == truth[e.comparison_id] for e in outcome.kept if e.comparison_id in alone) / len(alone)

    plain, corrected = world.resolve(method=method), world.resolve(method=method, corrections=["length"])
    found = corrected.metrics["corrections"]["length"]
    assert (found["pairs"], found["compared_with_people"]) == (400, 200)
    assert found["coefficient"] > 2 * abs(found["people"])
    assert found["left"] == pytest.approx(found["people"], abs=1e-5)
    assert found["changed"] > 20
    assert share_of_right(corrected) > share_of_right(plain) + 0.02


def test_bias_of_judges_is_measured_against_people():
    rng = random.Random(6)
    world = World()
    for _ in range(60):
        comparison = world.compare(a={"text": "long " * 30}, b={"text": "short"})
        world.vote(comparison, "person", rng.choice(SIDES))
        world.vote(comparison, "judge:alpha-7b", "a", kind="judge")
    bias = world.resolve().metrics["bias"]
    assert bias["judges"]["length"]["longer_wins"]["value"] == 1
    assert bias["judges"]["length"]["longer_wins"]["bias"]["value"] == pytest.approx(0.5, abs=0.2)
    (own,) = bias["judges"]["self_preference"]
    assert (own["name"], own["family"], own["value"]) == ("judge:alpha-7b", "alpha", 1.0)
    assert bias["scorers"]["state"] == "not_evaluated"
    assert (family("judge:openai/GPT-4o"), family("")) == ("gpt", "")


def test_an_audit_is_the_strongest_evidence_for_labels():
    world = World()
    for number in range(40):
        comparison = world.compare("aaa")
        if number < 20:
            label: Label = "b" if number < 2 else "a"
            world.rulings.append(Ruling.of(comparison.id, label, "auditor", "audit: blind sample"))
    accuracy = world.resolve().metrics["annotation"]["label_accuracy"]
    assert (accuracy["kind"], accuracy["value"], accuracy["n"]) == ("audit", 0.9, 20)


def test_the_order_of_the_input_changes_nothing_with_everything_on():
    world, scores = judged(120)
    settings = {
        "combine": "calibrated",
        "method": "auto",
        "select": {"length_balanced": True},
        "corrections": ["length"],
    }
    first = resolve_scored(world, scores, **settings)
    for facts in (world.comparisons, world.annotations, scores):
        random.Random(1).shuffle(facts)
    assert resolve_scored(world, scores, **settings) == first
    assert {type(vote) for vote in world.annotations} == {Annotation}
