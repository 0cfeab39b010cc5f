"""The anchor on real judges: GPT-4 beside MT-Bench's people, gpt-3.5 beside PandaLM's, reward models on JudgeBench."""

import gzip
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import parse_config
from pairsmith.formats.parsers import PARSERS
from pairsmith.formats.rows import Parsed, Row, SourceContext
from pairsmith.pipeline.anchoring import review
from pairsmith.pipeline.facts import Facts
from pairsmith.records import Annotation, Candidate, Comparison, Message, Prompt, Score, Side

FOLDER = "preferences"


def rows_of(path: Path) -> list[Any]:
    text = gzip.decompress(path.read_bytes()).decode() if path.suffix == ".gz" else path.read_text(encoding="utf-8")
    return json.loads(text) if text.lstrip().startswith("[") else [json.loads(line) for line in text.splitlines()]


def facts_of(items: Iterable[Any], scores: Iterable[Score] = (), extra: Iterable[Annotation] = ()) -> Facts:
    parsed = [item for item in items if isinstance(item, Parsed)]
    return Facts(
        0,
        tuple({item.prompt.id: item.prompt for item in parsed if item.prompt}.values()),
        {each.id: each for item in parsed for each in item.candidates},
        tuple({each.id: each for item in parsed for each in item.comparisons}.values()),
        tuple(scores),
        (*(vote for item in parsed for vote in item.annotations), *extra),
        (),
        (),
        (),
    )


def models_of(facts: Facts) -> dict[str, Any]:
    figures = review(parse_config("seed: 7"), facts, facts.annotations).anchored.figures
    assert figures["design"] == "given"
    return {row["name"]: row for row in figures["models"]}


def parse(name: str, rows: Iterable[Any]) -> Iterable[Any]:
    return PARSERS[name](iter([Row(line, row) for line, row in enumerate(rows, 1)]), SourceContext(name))


@pytest.fixture(scope="module")
def reference(shared_data):
    return json.loads((shared_data / "REFERENCE.json").read_text())


@pytest.mark.slow
def test_gpt_4_on_mt_bench(shared_data, reference):
    folder = shared_data / FOLDER / "mt_bench"
    people = rows_of(folder / "human_judgments_hf_schema.jsonl.gz")
    said = {(row["question_id"], row[f"model_{side}"]): row[f"conversation_{side}"] for row in people for side in "ab"}
    judged = [
        row | {f"conversation_{side}": said[row["question_id"], row[f"model_{side}"]] for side in "ab"}
        for row in rows_of(folder / "gpt4_pair.jsonl")
    ]
    facts = facts_of([*parse("arena", people), *parse("arena", judged)])
    kept = [vote for vote in facts.annotations if vote.annotator == "gpt4_pair"]
    turned = sum(vote.label == "unsure" for vote in kept) / len(kept)
    assert turned == pytest.approx(reference["mt_bench"]["gpt4_tie_inconsistent_share"], abs=1e-4)
    found = models_of(facts)["gpt4_pair"]
    assert found["accuracy"]["n"] == reference["mt_bench"]["gpt4_vs_human_majority_decided_items"]
    assert found["accuracy"]["value"] == pytest.approx(
        reference["mt_bench"]["gpt4_vs_human_majority_accuracy"], abs=1e-4
    )
    assert found["better_than_chance"] is True
    assert 0.75 < found["style_explained"]["value"] < 0.9  # 82 % was published for another strong judge
    assert found["length"]["bias"]["interval"] is not None


def test_gpt_35_on_pandalm(shared_data, reference):
    folder = shared_data / FOLDER / "pandalm"
    rows = rows_of(folder / "testset-v1.json")
    verdicts = {row["idx"]: str(row["gpt_result"]) for row in rows_of(folder / "gpt-3.5-turbo-testset-v1.json")}
    items = list(parse("pandalm", rows))
    labels = {"1": "a", "2": "b", "Tie": "tie", "garbage": "unsure"}
    votes = []
    for row, item in zip(rows, items, strict=True):
        if isinstance(item, Parsed):
            [comparison] = item.comparisons
            label = labels[verdicts[row["idx"]]]
            straight = comparison.a == item.candidates[0].id
            turned = {"a": "b", "b": "a"}.get(label, label)
            votes.append(Annotation.of(comparison.id, "gpt-3.5", "judge", label if straight else turned))  # type: ignore[arg-type]
    found = models_of(facts_of(items, extra=votes))["gpt-3.5"]
    # the published share is over all pairs, garbage wrong; ours is over those with a verdict
    answered = 1 - reference["pandalm"]["gpt35_result_values"]["garbage"] / reference["pandalm"]["pairs"]
    with_ties = found["accuracy_with_ties"]["value"]
    assert with_ties * answered == pytest.approx(reference["pandalm"]["gpt35_accuracy_vs_majority"], abs=0.01)
    assert found["accuracy"]["value"] == pytest.approx(0.8, abs=0.03)
    for test in found["alt_test"]:
        assert len(test["people"]) == 3
        assert test["passed"] is False  # three people who agree on 92 % are hard to stand in for
        assert test["advantage"]["value"] < 0.9


def test_reward_models_on_judgebench(shared_data, reference):
    folder = shared_data / FOLDER / "judgebench" / "reward_model_outputs"
    known = reference["judgebench_reward_models"]
    prompts: dict[str, Prompt] = {}
    candidates: dict[str, Candidate] = {}
    comparisons: dict[str, Comparison] = {}
    votes: dict[str, Annotation] = {}
    scores: list[Score] = []
    for path in sorted(folder.iterdir()):
        name = next(each for each in known if path.name.endswith(each) or each.split(".")[0] in path.name)
        for row in rows_of(path):
            prompt = Prompt.of([Message("user", row["question"])])
            sides = [Candidate.imported(prompt.id, row[f"response_{side}"], model=side) for side in "AB"]
            comparison = Comparison.of(*sides)
            prompts[prompt.id], comparisons[comparison.id] = prompt, comparison
            candidates |= {side.id: side for side in sides}
            better: Side = "a" if row["label"] == "A>B" else "b"
            votes[comparison.id] = Annotation.of(comparison.id, "truth", "human", better)
            values = row["judgments"][0]["judgment"]["scores"]
            scores += [Score.of(side.id, name, value) for side, value in zip(sides, values, strict=True)]
    given = tuple(prompts.values()), candidates, tuple(comparisons.values()), tuple(scores), tuple(votes.values())
    facts = Facts(0, *given, (), (), ())
    found = models_of(facts)
    assert set(found) == set(known)
    for name, row in found.items():
        assert row["accuracy"]["value"] == pytest.approx(known[name]["accuracy"], abs=0.01)
        assert row["style_explained"]["judges_by_style"] is False
        assert row["alt_test"][0]["passed"] is None  # one truth is no group of people
