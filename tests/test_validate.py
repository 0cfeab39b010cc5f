import dataclasses
import json
from collections import Counter
from pathlib import Path

import pytest

from pairsmith.config import ValidateConfig
from pairsmith.formats.benchmarks import read_benchmark
from pairsmith.measures.artefacts import WARNINGS
from pairsmith.records import LEVELS, Benchmark, Message, Outcome, PreferencePair
from pairsmith.stages.validate import VALIDATE_REASONS, validate
from tests.pairs import make_pair

ITEM = "How many apples does Martha have left after she gave seven of her thirty apples to each of three friends?"
BENCHMARK = Benchmark("apples", "0" * 64, ("Which fruit is red?", ITEM), ("question",))


def run(*pairs: PreferencePair, benchmarks: tuple[Benchmark, ...] = (), **settings: object) -> Outcome[PreferencePair]:
    return validate(ValidateConfig.model_validate(settings), pairs, benchmarks, seed=7)


def reasons(outcome: Outcome[PreferencePair]) -> dict[str, str]:
    return {drop.id: drop.reason for drop in outcome.dropped}


@pytest.mark.parametrize(
    ("reason", "prompt", "chosen", "rejected"),
    [
        ("empty_field", "Hi?", "", "no"),
        ("empty_field", "Hi?", "yes", " \u200b\n"),
        ("empty_field", "\ufeff", "yes", "no"),
        ("identical", "Hi?", "yes", "yes"),
        ("identical_normalised", "Hi?", "yes  it is\n", "yes it\u00a0is"),
        ("contaminated", ITEM, "Nine.", "Ten."),
        ("contaminated", "Make up a riddle.", f"Here is one: {ITEM} Good luck!", "No."),
        ("contaminated", "which fruit is RED", "Apples.", "Bananas."),
    ],
)
def test_a_single_pair_is_dropped(reason: str, prompt: str, chosen: str, rejected: str) -> None:
    outcome = run(make_pair(prompt, chosen, rejected), benchmarks=(BENCHMARK,))
    assert [drop.reason for drop in outcome.dropped] == [reason]
    assert outcome.dropped[0].stage == "validate"
    assert outcome.dropped[0].evidence
    assert reason in VALIDATE_REASONS


def test_opposite_pairs_for_different_readers_are_no_contradiction() -> None:
    one, other = (
        make_pair("Hi?", *texts, domain=domain)
        for texts, domain in ((("yes", "no"), "nurses"), (("no", "yes"), "patients"))
    )
    assert not run(one, other).dropped
    for_all = make_pair("Hi?", "no", "yes", copy=1)
    outcome = run(one, for_all)
    assert set(reasons(outcome).values()) == {"reversed"}  # whoever reads for nurses would meet both
    assert len(outcome.kept) + len(outcome.dropped) == 2
    everybody = run(one, other, make_pair("Hi?", "no", "maybe"), make_pair("Hi?", "maybe", "yes"))
    assert [pair.domain for pair in everybody.kept] == ["patients"]  # the circle closes for nurses only
    assert sorted(reasons(everybody).values()) == ["cycle"] * 3


@pytest.mark.parametrize(
    ("chosen", "rejected"),
    [("x = -2", "x = 2"), ("YES", "yes"), ("a + b", "a - b"), ("😀", "😢"), ("print(1)", "print(1);")],
)
def test_small_differences_are_differences(chosen: str, rejected: str) -> None:
    assert run(make_pair("Solve it.", chosen, rejected)).dropped == ()


def test_a_prompt_of_a_system_turn_alone_is_empty() -> None:
    pair = dataclasses.replace(make_pair("x", "yes", "no"), prompt=(Message("system", "Be kind."),))
    assert [drop.evidence for drop in run(pair).dropped] == [{"fields": ["prompt"]}]


def test_duplicates_keep_the_first_id() -> None:
    pairs = sorted((make_pair("Hi?", "yes", "no", copy=n) for n in range(3)), key=lambda pair: pair.id)
    outcome = run(*reversed(pairs))
    assert [pair.id for pair in outcome.kept] == [pairs[0].id]
    assert {drop.reason for drop in outcome.dropped} == {"duplicate"}
    assert outcome.dropped[0].evidence == {"kept": pairs[0].id}


def test_a_reversed_pair_takes_both_out() -> None:
    one, other, apart = make_pair("Hi?", "a", "b"), make_pair("Hi?", "b", "a"), make_pair("Hello?", "b", "a")
    outcome = run(one, other, apart)
    assert reasons(outcome) == {one.id: "reversed", other.id: "reversed"}
    assert {drop.id: drop.evidence["pairs"] for drop in outcome.dropped} == {one.id: [other.id], other.id: [one.id]}


def test_a_cycle_takes_all_its_pairs_out() -> None:
    cycle = [make_pair("Hi?", a, b) for a, b in ("ab", "bc", "ca")]
    chain = [make_pair("Hi?", "c", "d"), make_pair("Hello?", "a", "b"), make_pair("Hello?", "b", "c")]
    outcome = run(*cycle, *chain)
    assert reasons(outcome) == {pair.id: "cycle" for pair in cycle}
    assert outcome.dropped[0].evidence == {"pairs": sorted(pair.id for pair in cycle)}


@pytest.mark.parametrize(
    ("gap", "agreement", "level", "lowest_kept"),
    [
        (0.5, 0.95, "excellent", "excellent"),
        (0.5, 0.75, "good", "good"),
        (0.12, 0.95, "marginal", "marginal"),
        (0.05, 0.95, "poor", "poor"),
        (-0.4, 0.95, "poor", "poor"),
        (None, 0.95, "not_evaluated", "excellent"),
        (0.5, None, "not_evaluated", "excellent"),
    ],
)
def test_levels(gap: float | None, agreement: float | None, level: str, lowest_kept: str) -> None:
    pair = make_pair("Hi?", "yes", "no", gap=gap, agreement=agreement)
    for minimum in ("poor", "marginal", "good", "excellent"):
        outcome = run(pair, min_level=minimum)
        is_kept = LEVELS.index(minimum) >= LEVELS.index(lowest_kept)
        assert [kept.level for kept in outcome.kept] == ([level] if is_kept else [])
        assert [drop.reason for drop in outcome.dropped] == ([] if is_kept else ["low_level"])


def test_pairs_of_a_low_level_can_wait_for_another_vote() -> None:
    poor = make_pair("Hi?", "a", "b", gap=0.05, agreement=0.6)
    assert run(poor).queued == ()
    outcome = run(poor, poor="queue")
    (waiting,) = outcome.queued
    assert reasons(outcome) == {poor.id: "low_level"}
    assert (waiting.comparison_id, waiting.stage, waiting.why) == (poor.comparison_id, "validate", "low_level")
    assert (waiting.needs, waiting.votes_needed) == ("vote", 1)


def test_decontamination_before_and_after_dropping() -> None:
    clean = [make_pair(f"Tell me fact number {n}.", "yes", "no") for n in range(3)]
    dirty = make_pair(ITEM, "Nine.", "Ten.")
    dropping = run(*clean, dirty, benchmarks=(BENCHMARK,)).metrics["decontamination"]
    assert (dropping["value"], dropping["n"], dropping["state"]) == (1.0, 3, "evaluated")
    assert dropping["found"] == {"value": 0.75, "contaminated": 1, "n": 4}
    assert dropping["methods"] == {"exact": 1}
    (benchmark,) = dropping["benchmarks"]
    assert (benchmark["pairs_hit"], benchmark["items_hit"], benchmark["short_items"]) == (1, 1, 1)
    assert (benchmark["name"], benchmark["fields"], benchmark["sha256"]) == ("apples", ["question"], "0" * 64)
    assert dropping["hits"][0]["pair_id"] == dirty.id
    flagging = run(*clean, dirty, benchmarks=(BENCHMARK,), contaminated="flag")
    assert len(flagging.kept) == 4
    assert flagging.metrics["decontamination"]["value"] == 0.75
    low, high = flagging.metrics["decontamination"]["interval"]
    assert low < 0.75 < high
    assert flagging.metrics["pairs"]["contaminated"] == 1


def test_without_benchmarks_nothing_is_claimed() -> None:
    outcome = run(make_pair(ITEM, "Nine.", "Ten."))
    figure = outcome.metrics["decontamination"]
    assert (figure["value"], figure["state"], figure["found"]["value"]) == (None, "not_evaluated", None)
    assert "no benchmark files" in figure["reason"]
    assert outcome.metrics["quality_score"]["value"] is None


def test_every_turn_is_compared_with_the_benchmarks() -> None:
    pair = make_pair("Hello there.", "yes", "no")
    turns = (*pair.prompt, Message("assistant", "Hi."), Message("user", "Which fruit is red?"))
    assert reasons(run(dataclasses.replace(pair, prompt=turns), benchmarks=(BENCHMARK,))) == {pair.id: "contaminated"}


def mixed_pairs() -> list[PreferencePair]:
    pairs = [make_pair(f"Question {n // 2}?", f"a{n} long", f"b{n}", confidence=0.9, category="qa") for n in range(40)]
    pairs += [
        make_pair("Question 0?", "a0 long", "b0", copy=1, confidence=0.9, category="qa"),
        make_pair("Q?", "", "x"),
        make_pair("Q?", "x", "x"),
    ]
    pairs += [make_pair("Q?", "x", "y"), make_pair("Q?", "y", "x"), make_pair("Low?", "x", "y", gap=0.0)]
    return pairs


def test_figures() -> None:
    metrics = run(*mixed_pairs(), benchmarks=(BENCHMARK,)).metrics
    assert metrics["pairs"] == {
        "read": 46, "total": 40, "invalid": 1, "identical": 1, "duplicate": 1, "contradictory": 2, "unmeasured": 0,
        "contaminated": 0, "near_benchmark": 0, "low_level": 1,
    }  # fmt: skip
    assert metrics["gap"]["mean"] == 1.0
    assert metrics["gap"]["kinds"] == {"votes": 40}
    assert metrics["gap"]["multi_vote"]["n"] == 40
    assert metrics["gap"]["share_below_threshold"] == 0.0
    assert metrics["quality_matrix"]["levels"]["excellent"] == 40
    assert metrics["quality_matrix"]["cells"] == [
        {"gap_level": "excellent", "agreement_level": "excellent", "count": 40}
    ]
    assert metrics["label_accuracy"]["value"] == pytest.approx(0.9)
    assert metrics["effective_pairs"]["value"] == pytest.approx(40 * 0.8**2)
    expected = (44 / 46 * 41 / 43) * (43 / 44) * 1.0 * 0.8**2
    assert metrics["quality_score"]["value"] == pytest.approx(expected)
    assert metrics["kl_divergence"]["value"] is None
    assert metrics["lengths"]["chosen_longer"]["value"] == 1.0
    assert metrics["diversity"]["distinct_prompts"] == 20
    assert metrics["diversity"]["categories"] == {"qa": 40}
    assert set(metrics["warnings"]) == set(WARNINGS)
    json.dumps(metrics, allow_nan=False)


def test_figures_of_nothing() -> None:
    metrics = run(benchmarks=(BENCHMARK,)).metrics
    assert metrics["pairs"]["total"] == 0
    for name in ("gap", "decontamination", "label_accuracy", "effective_pairs", "quality_score"):
        assert metrics[name]["value"] is None
        assert metrics[name]["reason"], name
        assert metrics[name]["state"] == "not_evaluated"
    json.dumps(metrics, allow_nan=False)


def test_label_accuracy_needs_confidence_on_nearly_all_pairs() -> None:
    pairs = [make_pair(f"Question {n}?", "a", "b", confidence=0.9 if n else None) for n in range(10)]
    figure = run(*pairs).metrics["label_accuracy"]
    assert (figure["value"], figure["coverage"], figure["n"]) == (None, 0.9, 9)
    assert "9 of 10" in figure["reason"]


def test_unknown_gaps_are_not_a_gap() -> None:
    metrics = run(make_pair("Hi?", "a much longer answer", "short", gap=None, gap_kind="not_evaluated")).metrics
    assert (metrics["gap"]["value"], metrics["gap"]["state"]) == (None, "not_evaluated")
    assert metrics["gap"]["coverage"] == 0.0


def test_a_batch_in_other_processes_gives_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pairsmith.stages.validate._MIN_PAIRS_FOR_PROCESSES", 1)
    pairs = [*mixed_pairs(), make_pair(ITEM, "Nine.", "Ten.")]
    alone = validate(ValidateConfig(), pairs, [BENCHMARK], seed=7)
    assert validate(ValidateConfig(), pairs, [BENCHMARK], seed=7, workers=2) == alone


def test_real_planted_prompts(shared_data: Path) -> None:
    benchmark = read_benchmark(shared_data / "benchmarks" / "gsm8k_test.jsonl.gz")
    dirty = [make_pair(item, "Seven.", "Eight.") for item in benchmark.items[:50]]
    clean = [make_pair(f"What is the {n}th letter of this very sentence about numbers?", "e", "f") for n in range(50)]
    outcome = run(*dirty, *clean, benchmarks=(benchmark,))
    assert Counter(drop.reason for drop in outcome.dropped) == {"contaminated": 50}
    assert outcome.metrics["decontamination"]["found"]["value"] == 0.5
    assert outcome.metrics["decontamination"]["benchmarks"][0]["items_hit"] == 50
