import csv
import gzip
import itertools
import random
from pathlib import Path

import pytest

from pairsmith.config import SplitConfig
from pairsmith.measures.similarity import cross_pairs
from pairsmith.records import Message, Outcome, PreferencePair, Prompt
from pairsmith.stages.split import SPLIT_REASONS, split
from tests.pairs import make_pair, make_prompt

CONFIG = SplitConfig()
THREE = {"train": 0.7, "validation": 0.2, "test": 0.1}
FIVE = {"train": 0.4, "validation": 0.1, "dev": 0.15, "test": 0.25, "test_hard": 0.1}


def parts_of(outcome: Outcome[PreferencePair]) -> dict[str, str]:
    """Where each pair went: its part, or the reason why it went nowhere."""
    return {pair.id: pair.part for pair in outcome.kept} | {drop.id: drop.reason for drop in outcome.dropped}


def pairs_for(prompts: list[Prompt]) -> list[PreferencePair]:
    return [make_pair(prompt, f"yes {n}", "no") for n, prompt in enumerate(prompts)]


def growing_prompts(seed: int, count: int) -> list[Prompt]:
    """Prompts of which every other is an edited earlier one, sometimes one that lies between two earlier ones."""
    rng = random.Random(seed)
    vocabulary = [f"word{n}" for n in range(400)]
    texts: list[list[str]] = []
    for _ in range(count):
        if texts and rng.random() < 0.5:
            tokens = list(rng.choice(texts))
            for _ in range(rng.randrange(3)):
                tokens[rng.randrange(len(tokens))] = rng.choice(vocabulary)
            if rng.random() < 0.2:
                other = rng.choice(texts)
                tokens = tokens[: len(tokens) // 2] + other[len(other) // 2 :]
        else:
            tokens = rng.choices(vocabulary, k=rng.randint(3, 30))
        texts.append(tokens)
    prompts = {p.id: p for t in texts for p in [make_prompt(" ".join(t), category=rng.choice(["qa", "code", "chat"]))]}
    return list(prompts.values())


@pytest.mark.parametrize("parts", [{}, THREE, FIVE], ids=["two", "three", "five"])
@pytest.mark.parametrize("seed", range(30))
def test_growth_never_moves_a_row(seed: int, parts: dict[str, float]) -> None:
    prompts = growing_prompts(seed, 80)
    config = SplitConfig(similarity=0.6, parts=parts)
    rng = random.Random(seed)
    pairs = pairs_for(prompts)
    before: dict[str, str] = {}
    size = 0
    while size < len(prompts):
        size = min(len(prompts), size + rng.randint(1, 30))
        present = pairs[:size]
        outcome = split(config, prompts[:size], rng.sample(present, rng.randint(0, len(present))), seed=1)
        for pair_id, part in parts_of(outcome).items():
            assert before.setdefault(pair_id, part) == part
        assert outcome.metrics["split"]["leaks"] == 0
    sides = [[p.prompt_text for p in pairs if before.get(p.id) == part] for part in config.shares()]
    for one, other in itertools.combinations(sides, 2):
        assert cross_pairs(one, other, 0.6) == []


@pytest.mark.parametrize("parts", [{}, THREE, FIVE], ids=["two", "three", "five"])
def test_prompts_near_several_parts_are_left_out_with_the_evidence(parts: dict[str, float]) -> None:
    quarantined = 0
    for seed in range(20):
        prompts = growing_prompts(seed, 80)
        outcome = split(SplitConfig(similarity=0.35, parts=parts), prompts, pairs_for(prompts), seed=1)
        part_of = {pair.prompt_id: pair.part for pair in outcome.kept}
        for drop in outcome.dropped:
            assert drop.reason == "near_both_parts"
            near = {part_of.get(near) for near in drop.evidence["near"]}
            assert len(near) >= 2
            assert None not in near
        quarantined += len(outcome.dropped)
        assert outcome.metrics["split"]["quarantined"]["prompts"] == len(outcome.dropped)
    assert quarantined > 0


@pytest.mark.parametrize("parts", [{"train": 0.8, "validation": 0.2}, {"train": 0.8, "validation": 0.1, "test": 0.1}])
def test_real_prompts_reach_the_target_in_every_large_stratum(shared_data: Path, parts: dict[str, float]) -> None:
    with gzip.open(shared_data / "prompts" / "banking77_train.csv.gz", "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    rows = random.Random(0).sample(rows, 3000)
    prompts = list({p.id: p for p in (make_prompt(row["text"], category=row["category"]) for row in rows)}.values())
    figures = split(SplitConfig(parts=parts), prompts, pairs_for(prompts), seed=3).metrics["split"]
    assert figures["state"] == "pass"
    assert figures["leaks"] == 0
    assert figures["target"] == parts
    for part, share in parts.items():
        assert figures["parts"][part]["share"] == pytest.approx(share, abs=0.005)
    large = [row for row in figures["strata"] if sum(row["parts"].values()) >= 40]
    assert len(large) > 20
    assert max(abs(row["deviation"]) for row in large) < 0.07
    assert figures["quarantined"]["prompts"] / len(prompts) < 0.01


def test_many_strata_of_one_prompt_still_give_a_validation_part() -> None:
    prompts = [make_prompt(f"unique{n} topic{n} matter{n}", category=f"c{n}") for n in range(50)]
    figures = split(CONFIG, prompts, pairs_for(prompts), seed=3).metrics["split"]
    assert figures["parts"]["train"]["share"] == pytest.approx(0.8, abs=0.05)


def test_copies_and_conversations_stay_together() -> None:
    opening = "Please help me to plan a week of meals for two people."
    near = (
        "Could you please write me a short and cheerful poem about the autumn wind in the old oak forest near my home"
    )
    prompts = [make_prompt(f"filler{n} text{n} again{n}") for n in range(40)]
    prompts += [make_prompt(opening), make_prompt(near), make_prompt(near + " today")]
    turns = [Message("user", opening.upper()), Message("assistant", "Gladly."), Message("user", "No meat, please.")]
    prompts.append(Prompt.of(turns))
    for seed in range(10):
        parts = parts_of(split(CONFIG, prompts, pairs := pairs_for(prompts), seed=seed))
        assert parts[pairs[-4].id] == parts[pairs[-1].id]
        assert parts[pairs[-3].id] == parts[pairs[-2].id]


def test_a_shared_system_prompt_makes_nothing_similar() -> None:
    system = Message("system", "You are a careful assistant who answers in full sentences and never makes up facts.")
    prompts = [Prompt.of([system, Message("user", f"topic{n} question{n} matter{n}")]) for n in range(20)]
    figures = split(CONFIG, prompts, pairs_for(prompts), seed=1).metrics["split"]
    assert figures["groups"] == 20


def test_another_seed_is_another_split() -> None:
    prompts = [make_prompt(f"unique{n} topic{n} matter{n}") for n in range(60)]
    pairs = pairs_for(prompts)
    assert parts_of(split(CONFIG, prompts, pairs, seed=1)) != parts_of(split(CONFIG, prompts, pairs, seed=2))


@pytest.mark.parametrize(
    ("texts", "reason"),
    [
        ([], "no pairs"),
        (["one single prompt in here"], "1 group"),
        (["the very same prompt text as ever!"] + ["the very same prompt text as ever" + "?" * n for n in range(5)],
         "1 group"),
    ],
)  # fmt: skip
def test_too_few_groups_fail_with_a_reason(texts: list[str], reason: str) -> None:
    prompts = [make_prompt(text) for text in texts]
    outcome = split(CONFIG, prompts, pairs_for(prompts), seed=1)
    assert outcome.metrics["split"]["state"] == "fail"
    assert reason in outcome.metrics["split"]["reason"]
    assert len(outcome.kept) == len(texts)


def test_fewer_groups_than_parts_say_how_many_are_wanted() -> None:
    prompts = [make_prompt("one single prompt in here"), make_prompt("something else of no likeness to it")]
    found = split(SplitConfig(parts=THREE), prompts, pairs_for(prompts), seed=1).metrics["split"]
    assert found["state"] == "fail"
    assert "2 groups of similar prompts, which cannot be divided into 3 parts" in found["reason"]
    even = SplitConfig(train=0.5)
    assert split(even, prompts, pairs_for(prompts), seed=1).metrics["split"]["state"] == "pass"


def test_the_short_form_is_the_split_of_two_parts() -> None:
    prompts = growing_prompts(3, 80)
    outcomes = [
        split(config, prompts, pairs_for(prompts), seed=1)
        for config in (SplitConfig(train=0.8), SplitConfig(parts={"validation": 0.2, "train": 0.8}))
    ]
    assert parts_of(outcomes[0]) == parts_of(outcomes[1])


def test_one_giant_group_and_strata_of_one_pair_are_warnings() -> None:
    giant = [make_prompt("the very same prompt text as ever" + "?" * n) for n in range(9)]
    others = [make_prompt(f"other{n} matter{n} here{n}") for n in range(12)]
    calm = split(CONFIG, others, pairs_for(others), seed=1).metrics["split"]
    assert calm["warnings"] == []
    prompts = [*giant, *others, make_prompt("the only one of its kind", category="rare")]
    found = split(CONFIG, prompts, pairs_for(prompts), seed=1).metrics["split"]
    assert found["warnings"] == [
        "one group of near prompts holds 9 pairs (41 %), which all lie in one part",
        "1 of 2 strata have fewer pairs than there are parts",
    ]


def test_the_deviation_of_a_stratum_is_that_of_the_part_that_misses_most() -> None:
    prompts = [make_prompt(f"unique{n} topic{n} matter{n}") for n in range(7)]
    outcome = split(SplitConfig(parts=THREE), prompts, pairs_for(prompts), seed=1)
    (row,) = outcome.metrics["split"]["strata"]
    missed = {part: row["parts"][part] / 7 - share for part, share in THREE.items()}
    assert row["deviation"] == pytest.approx(max(missed.values(), key=abs))
    assert row["deviation"] == missed[row["part"]]
    two = split(CONFIG, prompts, pairs_for(prompts), seed=1).metrics["split"]["strata"][0]
    assert two["part"] == "train"


def test_a_pair_without_its_prompt_is_dropped() -> None:
    outcome = split(CONFIG, [], [make_pair("Hi?", "yes", "no")], seed=1)
    assert [drop.reason for drop in outcome.dropped] == ["unknown_prompt"]
    assert set(SPLIT_REASONS) == {"unknown_prompt", "near_both_parts"}
