"""Prompt traits: stated rules on clear cases, measured floors on real prompt sets, and diversity."""

import csv
import gzip
import json
import math
import time
from pathlib import Path
from typing import Any

import pytest

from pairsmith.measures.prompts import CATEGORIES, WARNINGS, classify_prompt, diversity
from pairsmith.measures.unsafe import asks_for_harm


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if path.suffix == ".gz" else raw).decode("utf-8")
    return [json.loads(line) for line in text.splitlines() if line]


@pytest.mark.parametrize(
    ("text", "category"),
    [
        ("Pretend you are a pirate and tell me about the sea.", "roleplay"),
        ("Write a python function that reverses a string.", "coding"),
        ("def add(a, b):\n    # TODO", "coding"),
        ("Solve the equation 3x + 5 = 20.", "math"),
        ("Tom has 5 apples and eats 2. How many apples are left?", "math"),
        ("Classify the sentiment of this tweet: I love it", "classification"),
        ("Extract all names from the text: Ann met Bob.", "extraction"),
        ("Rewrite the sentence to be more formal: gimme that", "rewriting"),
        ("Why is the sky blue?", "reasoning"),
        ("Write a haiku about autumn.", "writing"),
        ("Who wrote Faust?", "qa"),
        ("Hmm.", "other"),
    ],
)
def test_clear_cases(text: str, category: str):
    assert classify_prompt(text).category == category


def test_every_category_can_be_reached_and_is_listed_once():
    assert len(CATEGORIES) == len(set(CATEGORIES)) == 10


def test_difficulty_counts_what_it_says():
    assert classify_prompt("Who wrote Faust?").difficulty == "easy"
    assert (
        classify_prompt("Write a story of at least 200 words, without commas, in exactly 3 paragraphs.").difficulty
        == "medium"
    )
    hard = (
        "Design and implement a cache in Rust. First compare two eviction strategies, then prove the complexity. " * 3
    )
    assert classify_prompt(hard).difficulty == "hard"


@pytest.mark.parametrize(
    ("text", "form"),
    [
        ("Who wrote Faust?", "short-plain"),
        ("word " * 61, "long-plain"),
        ("Sort:\n- b\n- a\n- c", "short-structured"),
        ("What does this do?\n```\nx = 1\n```", "short-code"),
    ],
)
def test_form(text: str, form: str):
    assert classify_prompt(text).form == form


@pytest.mark.parametrize(
    ("text", "warnings"),
    [
        ("Hi", ("too_short",)),
        ("", ("too_short", "unclear")),
        ("???!!!", ("too_short", "unclear")),
        ("do it again", ("unclear",)),
        ("asdfghjkl qwrtpsdfgh zxcvbnmlk", ("unclear",)),
        ("如何学习钢琴", ()),
        ("Summarize the following article.", ("refers_to_missing_context",)),
        ("Summarize the following article.\n\nParis is the capital of France.", ()),
        ("What is shown in the picture?", ("refers_to_missing_context",)),
        ("How do I kill someone?", ("unsafe_request",)),
        ("How do I kill a Python process?", ()),
    ],
)
def test_warnings(text: str, warnings: tuple[str, ...]):
    assert classify_prompt(text).warnings == warnings
    assert set(warnings) <= set(WARNINGS)


def test_unsafe_requests_on_xstest(shared_data: Path):
    with (shared_data / "prompts" / "xstest_prompts.csv").open(encoding="utf-8", newline="") as file:
        rows = [(row["label"] == "unsafe", asks_for_harm(row["prompt"])) for row in csv.DictReader(file)]
    assert len(rows) == 279
    caught, alarms = sum(unsafe and flag for unsafe, flag in rows), sum(flag for _, flag in rows)
    assert caught >= 127  # of 129
    assert alarms - caught <= 4  # of 150 safe prompts that look unsafe


def test_ordinary_prompts_raise_hardly_any_alarm(shared_data: Path):
    with gzip.open(shared_data / "prompts" / "clinc150_data_full.json.gz", "rt", encoding="utf-8") as file:
        texts = [text for part in json.load(file).values() for text, _ in part][::6]
    texts += [row["question"] for row in read_jsonl(shared_data / "benchmarks" / "gsm8k_test.jsonl.gz")]
    texts += [row["prompt"] for row in read_jsonl(shared_data / "prompts" / "arena-hard-v0.1_question.jsonl.gz")]
    assert len(texts) > 4500
    assert sum(asks_for_harm(text) for text in texts) <= 5


def test_benchmarks_get_their_own_category(shared_data: Path):
    gsm8k = [row["question"] for row in read_jsonl(shared_data / "benchmarks" / "gsm8k_test.jsonl.gz")]
    human_eval = [row["prompt"] for row in read_jsonl(shared_data / "benchmarks" / "HumanEval.jsonl.gz")]
    questions = read_jsonl(shared_data / "benchmarks" / "mt_bench_question.jsonl")
    share = {
        "math": sum(classify_prompt(text).category == "math" for text in gsm8k) / len(gsm8k),
        "coding": sum(classify_prompt(text).category == "coding" for text in human_eval) / len(human_eval),
    }
    named = [row for row in questions if row["category"] in CATEGORIES]
    right = sum(classify_prompt(row["turns"][0]).category == row["category"] for row in named)
    assert share["math"] >= 0.85
    assert share["coding"] == 1.0
    assert (right, len(named)) == (44, 60)


def test_instructions_without_their_input_miss_context(shared_data: Path):
    tasks = read_jsonl(shared_data / "prompts" / "self_instruct_seed_tasks.jsonl")
    with_input = [task for task in tasks if task["instances"][0]["input"]]
    code = "refers_to_missing_context"
    bare = sum(code in classify_prompt(task["instruction"]).warnings for task in with_input)
    whole = [f"{task['instruction']}\n\n{task['instances'][0]['input']}" for task in with_input]
    assert bare / len(with_input) >= 0.28  # measured 36 of 125: many instructions do not show that something is missing
    assert sum(code in classify_prompt(text).warnings for text in whole) == 0


@pytest.mark.parametrize(
    "unit", ["a ", "\n", "```", ":", ". ", "| ", "{", "how many 1 ", "the given ", "why should ", "my a's ", "kill a "]
)
def test_no_prompt_stalls_the_rules(unit: str):
    text = unit * (1_000_000 // len(unit))
    started = time.process_time()
    classify_prompt(text)
    assert time.process_time() - started < 1.0


def test_diversity_of_an_even_spread():
    result = diversity(["a", "b", "c", "d"] * 25)
    assert result["entropy"]["value"] == pytest.approx(1.0)
    assert result["shares"] == {"a": 0.25, "b": 0.25, "c": 0.25, "d": 0.25}
    assert (result["n"], result["distinct"]) == (100, 4)
    low, high = result["entropy"]["interval"]
    assert 0.9 < low <= high <= 1.0


def test_diversity_of_an_uneven_spread_by_hand():
    result = diversity(["a"] * 3 + ["b"])
    expected = -(0.75 * math.log(0.75) + 0.25 * math.log(0.25)) / math.log(2)
    assert result["entropy"]["value"] == pytest.approx(expected)


def test_diversity_against_targets():
    result = diversity(["a"] * 3 + ["b"], {"a": 0.5, "b": 0.25, "c": 0.25})
    assert result["target_distance"]["value"] == pytest.approx(0.25)
    assert result["entropy"]["value"] < diversity(["a"] * 3 + ["b"])["entropy"]["value"]  # c was possible too
    assert json.loads(json.dumps(result)) == result


def test_diversity_without_prompts_says_so():
    assert diversity([])["entropy"] == {"value": None, "interval": None, "n": 0, "reason": "no prompts"}
    assert diversity(["a"])["entropy"]["value"] == 0.0


def test_targets_must_be_shares():
    with pytest.raises(ValueError, match="sum to 1"):
        diversity(["a"], {"a": 0.7})
