"""Resolve: the laws of a deriving stage, every reason, and real votes."""

import dataclasses
import json
import random
import time
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import ResolveConfig
from pairsmith.records import (
    Annotation,
    AnnotatorKind,
    Candidate,
    Comparison,
    Label,
    Message,
    Prompt,
    Resolution,
    Resolved,
    Ruling,
)
from pairsmith.stages.resolve import RESOLVE_REASONS, resolve

LABEL_CODES: dict[str, Label] = {"a": "a", "b": "b", "t": "tie", "u": "unsure", "x": "both_bad"}


class World:
    """A small set of facts under construction."""

    def __init__(self) -> None:
        self.prompts: dict[str, Prompt] = {}
        self.candidates: dict[str, Candidate] = {}
        self.comparisons: list[Comparison] = []
        self.annotations: list[Annotation] = []
        self.rulings: list[Ruling] = []

    def compare(self, votes: str = "", *, kind: AnnotatorKind = "human", a: Any = None, b: Any = None) -> Comparison:
        """A comparison of two new candidates with one vote per letter; `a` and `b` change the candidates."""
        prompt = Prompt.of([Message("user", f"question {len(self.prompts)}")])
        sides = [
            dataclasses.replace(Candidate.imported(prompt.id, f"{name} says", model=name), **(changes or {}))
            for name, changes in (("alpha", a), ("beta", b))
        ]
        comparison = Comparison.of(*sides)
        self.prompts[prompt.id] = prompt
        self.candidates |= {side.id: side for side in sides}
        self.comparisons.append(comparison)
        for number, code in enumerate(votes):
            self.vote(comparison, f"{kind}{number}", LABEL_CODES[code], kind=kind)
        return comparison

    def vote(
        self, comparison: Comparison, who: str, label: Label, *, kind: AnnotatorKind = "human", **details: Any
    ) -> Annotation:
        vote = Annotation.of(comparison.id, who, kind, label, **details)
        self.annotations.append(vote)
        return vote

    def resolve(self, **settings: Any) -> Resolved:
        return resolve(
            ResolveConfig(**settings),
            list(self.prompts.values()),
            self.candidates,
            self.comparisons,
            self.annotations,
            self.rulings,
            seed=7,
        )


def only(outcome: Resolved) -> Resolution:
    assert not outcome.dropped
    (resolution,) = outcome.kept
    return resolution


@pytest.mark.parametrize(
    ("votes", "winner", "agreement", "gap"),
    [
        ("a", "a", None, 1.0),
        ("aa", "a", 1.0, 1.0),
        ("aab", "a", 2 / 3, 1 / 3),
        ("bbba", "b", 0.75, 0.5),
        ("bbbt", "b", 0.75, 0.75),
        ("aaauxb", "a", 0.5, 2 / 6),
    ],
)
def test_the_majority_wins_with_its_agreement_and_net_win(votes, winner, agreement, gap):
    world = World()
    world.compare(votes)
    resolution = only(world.resolve(min_agreement=0.5))
    assert resolution.winner == winner
    assert resolution.agreement == agreement
    assert resolution.gap == pytest.approx(gap)
    assert resolution.gap_kind == "votes"
    assert resolution.method == "majority"
    assert sum(resolution.votes.values()) == len(votes) == len(resolution.annotation_ids)
    assert resolution.votes["chosen"] == votes.count(winner)


@pytest.mark.parametrize(
    ("votes", "reason"),
    [
        ("", "no_votes"),
        ("t", "tie"),
        ("tta", "tie"),
        ("xxb", "both_bad"),
        ("u", "unsure"),
        ("tu", "tie"),
        ("ab", "no_majority"),
        ("at", "no_majority"),
        ("aabb", "no_majority"),
        ("abt", "no_majority"),
        ("aabtu", "low_agreement"),
    ],
)
def test_votes_that_are_no_preference_are_dropped_with_their_reason(votes, reason):
    world = World()
    comparison = world.compare(votes)
    outcome = world.resolve()
    assert not outcome.kept
    (drop,) = outcome.dropped
    assert (drop.id, drop.stage, drop.reason) == (comparison.id, "resolve", reason)
    assert sum(drop.evidence["votes"].values()) == len(votes)


def test_agreement_of_exactly_the_minimum_is_enough():
    world = World()
    world.compare("aaabb")
    assert only(world.resolve(min_agreement=0.6)).agreement == 0.6


def test_min_votes():
    world = World()
    world.compare("aa")
    assert only(world.resolve(min_votes=2)).winner == "a"
    assert world.resolve(min_votes=3).dropped[0].reason == "too_few_votes"


def test_failed_candidates_neither_win_nor_lose():
    world = World()
    world.compare("aaa", b={"error": "HTTP 500"})
    world.compare("aaa", a={"error": "HTTP 500"})
    assert [each.reason for each in world.resolve().dropped] == ["failed_candidate"] * 2


@pytest.mark.parametrize("finish", ["length", "content_filter", "looping"])
def test_a_cut_off_response_may_lose_but_not_win(finish):
    world = World()
    world.compare("aa", a={"finish_reason": finish})
    loses = world.compare("bb", a={"finish_reason": finish})
    outcome = world.resolve()
    assert [each.reason for each in outcome.dropped] == ["truncated_chosen"]
    assert outcome.dropped[0].evidence["finish_reason"] == finish
    assert [each.comparison_id for each in outcome.kept] == [loses.id]


def test_sides_with_different_earlier_turns_are_kept_or_dropped_by_configuration():
    world = World()
    world.compare("aa", a={"context": (Message("assistant", "hm"), Message("user", "and?"))})
    assert only(world.resolve()).winner == "a"
    assert world.resolve(diverged="drop").dropped[0].reason == "diverged_context"


def test_redacted_facts_are_a_reason_and_not_a_crash():
    world = World()
    one, two = world.compare("aa"), world.compare("aa")
    del world.candidates[one.b]
    del world.prompts[two.prompt_id]
    reasons = {each.id: each.reason for each in world.resolve().dropped}
    assert reasons == {one.id: "missing_candidate", two.id: "missing_prompt"}


def test_a_ruling_decides_an_even_split_and_counts_as_one_vote():
    world = World()
    comparison = world.compare("ab")
    world.rulings.append(Ruling.of(comparison.id, "b", "lead", "tie break"))
    resolution = only(world.resolve())
    assert resolution.method == "ruling"
    assert resolution.winner == "b"
    assert resolution.agreement == pytest.approx(2 / 3)
    assert resolution.gap == pytest.approx(1 / 3)
    assert resolution.votes == {"chosen": 2, "rejected": 1}


def test_a_ruling_stands_above_the_majority_and_the_gap_shows_the_contradiction():
    world = World()
    comparison = world.compare("aaa")
    world.rulings.append(Ruling.of(comparison.id, "b", "lead", "adjudication: the votes overlook a wrong number"))
    resolution = only(world.resolve())
    assert resolution.winner == "b"
    assert resolution.gap == pytest.approx(-0.5)


def test_a_ruling_of_no_preference_drops_and_rulings_that_disagree_decide_nothing():
    world = World()
    tie, conflict = world.compare("aaa"), world.compare("aaa")
    world.rulings += [
        Ruling.of(tie.id, "tie", "lead", "spot check"),
        Ruling.of(conflict.id, "a", "lead", "spot check"),
        Ruling.of(conflict.id, "b", "expert", "spot check"),
    ]
    reasons = {each.id: each for each in world.resolve().dropped}
    assert reasons[tie.id].reason == "tie"
    assert reasons[conflict.id].reason == "conflicting_rulings"
    assert {each["by"] for each in reasons[conflict.id].evidence["rulings"]} == {"lead", "expert"}


def test_the_last_revision_counts_and_the_others_are_counted():
    world = World()
    comparison = world.compare()
    for revision, label in ((2, LABEL_CODES["b"]), (0, LABEL_CODES["a"]), (1, LABEL_CODES["t"])):
        world.vote(comparison, "ann", label, revision=revision)
    outcome = world.resolve()
    assert only(outcome).winner == "b"
    assert only(outcome).votes == {"chosen": 1, "rejected": 0}
    assert outcome.metrics["annotation"]["superseded"] == 2
    world.annotations.append(world.annotations[0])
    assert world.resolve() == outcome


def test_votes_on_unknown_comparisons_are_counted_and_ignored():
    world = World()
    world.compare("aa")
    world.vote(dataclasses.replace(world.comparisons[0], id="cmp_gone"), "ann", "b")
    outcome = world.resolve()
    assert outcome.metrics["annotation"]["orphans"] == 1
    assert outcome.metrics["annotation"]["votes"] == 2


def test_imported_labels_decide_but_measure_neither_gap_nor_agreement():
    world = World()
    world.compare("a", kind="imported")
    outcome = world.resolve()
    resolution = only(outcome)
    assert (resolution.winner, resolution.gap, resolution.gap_kind) == ("a", None, "not_evaluated")
    assert resolution.agreement is None
    annotation = outcome.metrics["annotation"]
    assert annotation["votes"] == 1
    assert annotation["agreement"]["with_ties"]["value"] is None
    assert "imported" in annotation["agreement"]["with_ties"]["reason"]
    assert "imported" in annotation["krippendorff_alpha"]["reason"]
    assert "imported" in outcome.metrics["annotators"][0]["agreement_with_others"]["reason"]


def test_strengths_of_verifiers_and_calibrated_rewards_are_gaps_and_uncalibrated_ones_are_none():
    for kind, criteria, expected, gap in (
        ("verifier", {}, "verifier", 0.3),
        ("reward", {"calibrated": True}, "reward", 0.3),
        ("reward", {}, "reward_uncalibrated", None),
        ("reward", {"calibrated": "yes"}, "reward_uncalibrated", None),
    ):
        world = World()
        comparison = world.compare()
        world.vote(comparison, "v1", "a", kind=kind, strength=0.9, criteria=criteria)  # type: ignore[arg-type]
        world.vote(comparison, "v2", "a", kind=kind, strength=0.3, criteria=criteria)  # type: ignore[arg-type]
        world.vote(comparison, "v3", "b", kind=kind, strength=0.3, criteria=criteria)  # type: ignore[arg-type]
        resolution = only(world.resolve())
        assert resolution.gap == (gap if gap is None else pytest.approx(gap))
        assert resolution.gap_kind == expected


def test_a_verdict_without_a_strength_measures_no_gap():
    world = World()
    world.compare("a", kind="reward")
    resolution = only(world.resolve())
    assert (resolution.gap, resolution.gap_kind) == (None, "not_evaluated")


def test_people_then_verifiers_then_judges_then_rewards_say_the_gap():
    world = World()
    comparison = world.compare()
    world.vote(comparison, "r", "a", kind="reward", strength=0.2)
    assert only(world.resolve()).gap_kind == "reward_uncalibrated"
    world.vote(comparison, "j", "a", kind="judge")
    assert only(world.resolve()).gap_kind == "votes"
    world.vote(comparison, "v", "a", kind="verifier", strength=0.4)
    assert only(world.resolve()).gap_kind == "verifier"
    world.vote(comparison, "h", "b")
    contradicted = only(world.resolve())
    assert (contradicted.winner, contradicted.gap, contradicted.gap_kind) == ("a", -1.0, "votes")


def mixed_world(size: int = 120) -> World:
    rng = random.Random(3)
    world = World()
    for _ in range(size):
        world.compare("".join(rng.choices("aabtux", k=rng.randint(0, 5))))
    for comparison in world.comparisons[::10]:
        world.vote(comparison, "human0", "b", revision=1, shown_first="b")
        world.vote(comparison, "checker", "a", kind="verifier", strength=rng.random())
    for comparison in world.comparisons[::25]:
        world.rulings.append(Ruling.of(comparison.id, "a", "lead", "spot check"))
    return world


def test_law_kept_and_dropped_are_the_input_and_every_reason_is_documented():
    world = mixed_world()
    outcome = world.resolve()
    seen = [each.comparison_id for each in outcome.kept] + [each.id for each in outcome.dropped]
    assert sorted(seen) == sorted(comparison.id for comparison in world.comparisons)
    assert {each.reason for each in outcome.dropped} <= set(RESOLVE_REASONS)
    assert len({each.reason for each in outcome.dropped}) >= 5
    counts = outcome.metrics["resolve"]
    assert counts["kept"] + sum(counts["dropped"].values()) == counts["comparisons"] == len(world.comparisons)


def test_law_the_order_of_the_input_does_not_matter():
    world = mixed_world()
    outcome = world.resolve()
    rng = random.Random(9)
    for facts in (world.comparisons, world.annotations, world.rulings):
        rng.shuffle(facts)
    world.candidates = dict(sorted(world.candidates.items(), reverse=True))
    world.prompts = dict(sorted(world.prompts.items(), reverse=True))
    again = world.resolve()
    assert again == outcome
    assert json.dumps(again.metrics) == json.dumps(outcome.metrics)


def test_metrics_are_plain_json_even_without_input():
    empty = World().resolve()
    assert (empty.kept, empty.dropped) == ((), ())
    assert json.loads(json.dumps(empty.metrics, allow_nan=False)) == empty.metrics
    assert empty.metrics["annotation"]["agreement"]["with_ties"]["reason"] == "there are no votes"
    metrics = mixed_world().resolve().metrics
    assert json.loads(json.dumps(metrics, allow_nan=False)) == metrics


def test_annotator_rows_show_position_and_agreement():
    world = World()
    for number in range(12):
        comparison = world.compare()
        world.vote(comparison, "careful", "a", shown_first="ab"[number % 2])
        world.vote(comparison, "second", "a")
        world.vote(comparison, "position", "ab"[number % 2], shown_first="ab"[number % 2])  # type: ignore[arg-type]
        world.vote(comparison, "judge", "b", kind="judge")
    world.vote(world.compare(), "alone", "tie")
    rows = {row["name"]: row for row in world.resolve().metrics["annotators"]}
    assert rows["careful"]["first_side_share"]["value"] == 0.5
    assert rows["position"]["first_side_share"]["value"] == 1.0
    assert rows["second"]["first_side_share"]["value"] is None
    assert rows["second"]["agreement_with_others"]["value"] == pytest.approx((6 + 6 * 0.5) / 12)
    assert rows["position"]["agreement_with_others"]["value"] == 0.5
    assert rows["judge"]["agreement_with_others"]["value"] == 0
    assert rows["alone"]["tie_share"] == 1
    assert rows["alone"]["agreement_with_others"]["value"] is None


def test_only_fifty_annotators_are_listed():
    world = World()
    comparison = world.compare()
    for number in range(60):
        world.vote(comparison, f"w{number:02d}", "a")
    metrics = world.resolve().metrics
    assert len(metrics["annotators"]) == 50
    assert metrics["annotators_total"] == 60


def test_confidence_follows_the_one_coin_model_once_there_are_enough_votes():
    world = World()
    for votes in ["aaa"] * 30 + ["aab"] * 12 + ["a"]:
        world.compare(votes)
    outcome = world.resolve()
    accuracy = outcome.metrics["annotation"]["label_accuracy"]["annotator_accuracy"]
    by_lead = {each.votes["chosen"] - each.votes["rejected"]: each.confidence for each in outcome.kept}
    assert by_lead[1] == pytest.approx(accuracy)
    assert by_lead[3] == pytest.approx(accuracy**3 / (accuracy**3 + (1 - accuracy) ** 3))
    few = World()
    few.compare("aaa")
    assert only(few.resolve()).confidence is None


def mt_bench(path: Path) -> World:
    """MT-Bench votes as facts: one comparison per question, turn and unordered pair of models."""
    world = World()
    seen: set[str] = set()
    for line in path.read_text(encoding="utf-8").splitlines():
        vote = json.loads(line)
        prompt = Prompt.of([Message("user", f"question {vote['question_id']} turn {vote['turn']}")])
        sides = {name: Candidate.imported(prompt.id, name, model=name) for name in (vote["model_a"], vote["model_b"])}
        comparison = Comparison.of(*sides.values())
        if comparison.id not in seen:
            seen.add(comparison.id)
            world.comparisons.append(comparison)
        world.prompts[prompt.id] = prompt
        world.candidates |= {side.id: side for side in sides.values()}
        winner = sides.get(vote.get(vote["winner"], ""))
        label: Label = "tie" if winner is None else "a" if winner.id == comparison.a else "b"
        world.vote(comparison, vote["judge"], label)
    return world


def test_mt_bench_votes_resolve_to_the_reference_figures(shared_data):
    expected = json.loads((shared_data / "REFERENCE.json").read_text())["mt_bench"]
    outcome = mt_bench(shared_data / "preferences/mt_bench/human.jsonl").resolve()
    annotation = outcome.metrics["annotation"]
    assert annotation["population"] == "human"
    assert annotation["votes"] == expected["votes"]
    assert annotation["items"] == expected["items_if_pair_order_is_ignored"]
    assert annotation["annotators"] == expected["judges"]
    assert annotation["items_with_2_or_more_votes"] == expected["items_with_2_or_more_votes"]
    assert annotation["vote_pairs"] == expected["vote_pairs"]
    assert annotation["no_majority_items"] == expected["no_majority_items"]
    agreement = annotation["agreement"]
    assert agreement["with_ties"]["value"] == pytest.approx(expected["human_human_agreement_with_ties"], abs=5e-5)
    assert agreement["without_ties"]["value"] == pytest.approx(expected["human_human_agreement_without_ties"], abs=5e-5)
    assert annotation["krippendorff_alpha"]["value"] == pytest.approx(0.51397, abs=5e-6)
    assert len(outcome.kept) + len(outcome.dropped) == 1055
    share = sum(each.reason == "no_majority" for each in outcome.dropped)
    assert share == expected["no_majority_items"]


def test_pandalm_votes_resolve_to_the_reference_figures(shared_data):
    expected = json.loads((shared_data / "REFERENCE.json").read_text())["pandalm"]
    world = World()
    rows = json.loads((shared_data / "preferences/pandalm/testset-v1.json").read_text(encoding="utf-8"))
    for row in rows:
        prompt = Prompt.of([Message("user", f"{row['idx']} {row['instruction']}")])
        models = row["cmp_key"].split("_")
        sides = [
            Candidate.imported(prompt.id, str(row[f"response{number + 1}"]), model=models[number]) for number in (0, 1)
        ]
        comparison = Comparison.of(*sides)
        world.prompts[prompt.id] = prompt
        world.candidates |= {side.id: side for side in sides}
        world.comparisons.append(comparison)
        for number in (1, 2, 3):
            choice = int(row[f"annotator{number}"])
            label: Label = "tie" if choice == 0 else "a" if sides[choice - 1].id == comparison.a else "b"
            world.vote(comparison, f"annotator{number}", label)
    outcome = world.resolve()
    annotation = outcome.metrics["annotation"]
    assert annotation["items"] == expected["pairs"]
    assert annotation["fleiss_kappa"]["value"] == pytest.approx(expected["fleiss_kappa"], abs=5e-5)
    assert annotation["krippendorff_alpha"]["plain"] == pytest.approx(expected["krippendorff_alpha_nominal"], abs=1e-3)
    assert annotation["cohen_kappa"]["pairs_total"] == 3
    ties = sum(each.reason == "tie" for each in outcome.dropped)
    assert ties == expected["majority"]["0"]
    assert len(outcome.kept) == expected["majority"]["1"] + expected["majority"]["2"]


@pytest.mark.slow
def test_a_hundred_thousand_votes_resolve_in_seconds():
    rng = random.Random(1)
    world = World()
    for _ in range(25_000):
        world.compare("".join(rng.choices("aaabt", k=4)))
    began = time.perf_counter()
    world.resolve()
    assert time.perf_counter() - began < 30  # 3 s on one core, with all detectors of conflicts


def test_every_metric_is_in_the_reference():
    page = (Path(__file__).resolve().parents[1] / "docs" / "reference" / "metrics.md").read_text(encoding="utf-8")
    metrics = mixed_world().resolve().metrics
    for name in (*metrics["annotation"], *metrics["annotators"][0]):
        assert name in ("name", "kind", "population") or name in page, name
