"""The laws of the deriving stages: nothing is lost, every drop has a documented reason, order changes nothing.

A stage joins by one entry in `STAGES`: how to run it on pairs, and its reasons.
"""

import functools
import json
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import ExportConfig, ResolveConfig, SplitConfig, ValidateConfig
from pairsmith.ids import canonical_json
from pairsmith.measures.artefacts import WARNINGS
from pairsmith.records import (
    Annotation,
    Benchmark,
    Candidate,
    Comparison,
    Label,
    Outcome,
    PreferencePair,
)
from pairsmith.stages.export import EXPORT_REASONS, export
from pairsmith.stages.resolve import RESOLVE_REASONS, resolve
from pairsmith.stages.split import SPLIT_REASONS, split
from pairsmith.stages.validate import VALIDATE_REASONS, validate
from tests.pairs import make_pair, make_prompt

TOPICS = ("tax", "poem", "sort", "moon", "soup", "train", "chess", "rain")
VOTES: Sequence[Sequence[Label]] = (
    ("a", "a", "a"),
    ("b", "b", "a"),
    ("a",),
    ("a", "b"),
    ("a", "a", "b", "tie"),
    ("tie", "tie", "b"),
    ("unsure", "unsure"),
    ("both_bad",),
    (),
)
FOUR = {"train": 0.4, "validation": 0.2, "test": 0.2, "probe": 0.2}
BENCHMARK = Benchmark(
    "set", "0" * 64, ("Describe the soup of the moon train in rain or chess, item 3?", "What is tax?")
)


@dataclass(frozen=True)
class Stage:
    """`run(pairs, arrival)` runs the stage; `arrival` are the pairs in the order their prompts arrived."""

    run: Callable[[Sequence[PreferencePair], Sequence[PreferencePair]], Outcome[Any]]
    reasons: Mapping[str, str]
    kept_id: Callable[[Any], str] = lambda pair: str(pair.id)


def run_split(
    pairs: Sequence[PreferencePair], arrival: Sequence[PreferencePair], parts: dict[str, float] | None = None
) -> Outcome[PreferencePair]:
    prompts = [
        make_prompt(pair.prompt_text, category=pair.category) for pair in arrival if "lost" not in pair.prompt_text
    ]
    return split(SplitConfig(similarity=0.4, parts=parts or {}), prompts, pairs, seed=5)


def run_resolve(pairs: Sequence[PreferencePair], arrival: Sequence[PreferencePair]) -> Outcome[Any]:
    """The pairs as comparisons, each with the votes that its id draws."""
    prompts = [make_prompt(pair.prompt_text) for pair in arrival if "lost" not in pair.prompt_text]
    candidates: dict[str, Candidate] = {}
    comparisons, votes = [], []
    for pair in pairs:
        rng = random.Random(pair.id)
        finish = rng.choice(["stop", "stop", "stop", "length"])
        for side, text in ((pair.chosen_id, pair.chosen_text), (pair.rejected_id, pair.rejected_text)):
            candidates[side] = Candidate(side, pair.prompt_id, text, finish_reason=finish if text == "a" else "stop")
        comparisons.append(Comparison(pair.id, pair.prompt_id, pair.chosen_id, pair.rejected_id))
        labels: Sequence[Label] = rng.choice(VOTES)
        people = list(enumerate(labels))
        votes += [Annotation.of(pair.id, f"person{n}", "human", label) for n, label in people]
    return resolve(ResolveConfig(), prompts, candidates, comparisons, votes, seed=5)


STAGES = {
    "resolve": Stage(run_resolve, RESOLVE_REASONS, lambda resolution: str(resolution.comparison_id)),
    "validate": Stage(lambda pairs, _: validate(ValidateConfig(), pairs, [BENCHMARK], seed=5), VALIDATE_REASONS),
    "split": Stage(run_split, SPLIT_REASONS),
    "split into four": Stage(functools.partial(run_split, parts=FOUR), SPLIT_REASONS),
    "export": Stage(
        lambda pairs, _: export(ExportConfig(shape="standard"), pairs), EXPORT_REASONS, lambda row: str(row["pair_id"])
    ),
}


def messy_pairs(seed: int, count: int = 60) -> list[PreferencePair]:
    """Pairs with every trouble a stage can meet, and several at once."""
    rng = random.Random(seed)
    texts = ["", " ", "a", "b", "c", "\ud800", "x\0y", "a  ", *(f"answer {n} about {n}" for n in range(6))]
    pairs = {}
    for _ in range(count):
        topic, other = rng.sample(TOPICS, 2)
        prompt = f"Describe the {topic} of the moon train in {other} or chess, item {rng.randrange(5)}?"
        prompt = rng.choice([prompt, prompt, "What is tax?", f"lost {topic}", "Short?"])
        pair = make_pair(
            make_prompt(prompt, category=rng.choice(["qa", "code"])),
            rng.choice(texts),
            rng.choice(texts),
            copy=rng.randrange(3),
            gap=rng.choice([None, -0.5, 0.05, 0.12, 0.5, 1.0, 0.9]),
            agreement=rng.choice([None, 0.6, 1.0]),
        )
        pairs[pair.id] = pair
    return list(pairs.values())


def fingerprint(outcome: Outcome[Any]) -> str:
    """Everything of an outcome as text."""
    return repr((outcome.kept, outcome.dropped)) + json.dumps(outcome.metrics, sort_keys=True)


@pytest.fixture(params=STAGES)
def stage(request: pytest.FixtureRequest) -> Stage:
    return STAGES[request.param]


@pytest.mark.parametrize("seed", range(5))
def test_kept_and_dropped_are_the_input(stage: Stage, seed: int) -> None:
    pairs = messy_pairs(seed)
    outcome = stage.run(pairs, pairs)
    ids = [stage.kept_id(each) for each in outcome.kept] + [drop.id for drop in outcome.dropped]
    assert sorted(ids) == sorted(pair.id for pair in pairs)
    assert outcome.kept
    assert outcome.dropped


@pytest.mark.parametrize("seed", range(5))
def test_every_drop_has_a_documented_reason_and_evidence(stage: Stage, seed: int) -> None:
    pairs = messy_pairs(seed)
    (name,) = (name for name, each in STAGES.items() if each is stage)
    for drop in stage.run(pairs, pairs).dropped:
        assert drop.reason in stage.reasons
        assert drop.stage == name.split()[0]
        assert drop.evidence
        canonical_json(dict(drop.evidence))


@pytest.mark.parametrize("seed", range(5))
def test_shuffled_input_gives_the_same_output(stage: Stage, seed: int) -> None:
    pairs = messy_pairs(seed)
    shuffled = random.Random(seed).sample(pairs, len(pairs))
    assert fingerprint(stage.run(shuffled, pairs)) == fingerprint(stage.run(pairs, pairs))


def test_running_again_on_what_was_kept_drops_nothing(stage: Stage) -> None:
    pairs = messy_pairs(1)
    kept = {stage.kept_id(each) for each in stage.run(pairs, pairs).kept}
    again = stage.run([pair for pair in pairs if pair.id in kept], pairs)
    assert {stage.kept_id(each) for each in again.kept} == kept


def test_empty_input(stage: Stage) -> None:
    outcome = stage.run([], [])
    assert (outcome.kept, outcome.dropped) == ((), ())
    json.dumps(outcome.metrics, allow_nan=False)


def test_every_reason_is_documented(stage: Stage) -> None:
    page = (Path(__file__).parents[1] / "docs" / "reference" / "reasons.md").read_text(encoding="utf-8")
    (name,) = (name for name, each in STAGES.items() if each is stage)
    section = page.split(f"\n## {name.split()[0]}\n")[1].split("\n## ")[0]
    codes = [*stage.reasons, *(WARNINGS if name == "validate" else ())]
    assert [code for code in codes if f"| `{code}` |" not in section] == []
