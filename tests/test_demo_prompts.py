"""The demo's prompts: real, checkable, licensed, made by the committed script, none an item of the benchmarks."""

import gzip
import json
import re
import runpy
from collections import Counter
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from pairsmith.measures.checks import CHECKS, run_check, validate_check
from pairsmith.measures.prompts import CATEGORIES, classify_prompt

DEMO = Path(str(files("pairsmith.demo")))
SCRIPT = Path(__file__).resolve().parents[1] / "scripts" / "make_demo_prompts.py"


@pytest.fixture(scope="module")
def prompts() -> list[dict[str, Any]]:
    return [json.loads(line) for line in (DEMO / "prompts.jsonl").read_text(encoding="utf-8").splitlines()]


def benchmark_items() -> list[str]:
    items = []
    for name, fields in (("gsm8k_test", ("question",)), ("HumanEval", ("prompt", "canonical_solution"))):
        with gzip.open(DEMO / "benchmarks" / f"{name}.jsonl.gz", "rt", encoding="utf-8") as file:
            items += [row[field] for row in map(json.loads, file) for field in fields]
    return items


def test_fields(prompts: list[dict[str, Any]]):
    assert len(prompts) == 71
    assert len({row["id"] for row in prompts}) == len({row["prompt"] for row in prompts}) == 71
    for row in prompts:
        assert set(row) == {"id", "prompt", "category", "difficulty", "checks", "source", "licence", "constraint_added"}
        assert row["category"] in CATEGORIES
        assert row["difficulty"] in ("easy", "medium", "hard")
        assert row["licence"] == "Apache-2.0"
        assert len(row["prompt"].split()) < 120
        assert classify_prompt(row["prompt"]).warnings == ()


def test_the_three_groups_have_their_sizes(prompts: list[dict[str, Any]]):
    kinds = [{check["kind"] for check in row["checks"]} for row in prompts]
    answers = sum(bool(each & {"exact", "number", "choice"}) for each in kinds)
    opened = sum(not each for each in kinds)
    assert (answers, len(prompts) - answers - opened, opened) == (16, 40, 15)


def test_counts_per_kind(prompts: list[dict[str, Any]]):
    counts = Counter(check["kind"] for row in prompts for check in row["checks"])
    assert counts["number"] == 5
    assert counts["choice"] == 10
    assert counts["exact"] == 1
    too_much_for_a_small_model = {"json_schema", "language", "unit_tests"}
    assert set(counts) == set(CHECKS) - too_much_for_a_small_model


def test_every_check_runs_and_can_fail(prompts: list[dict[str, Any]]):
    for row in prompts:
        for check in row["checks"]:
            validate_check(check["kind"], check["args"])
            assert not run_check(check["kind"], check["args"], "").passed


def test_no_prompt_repeats_a_benchmark_item(prompts: list[dict[str, Any]]):
    def grams(text: str) -> set[tuple[str, ...]]:
        words = re.findall(r"\w+", text.casefold())
        return {tuple(words[at : at + 8]) for at in range(len(words) - 7)}

    seen = set().union(*(grams(item) for item in benchmark_items()))
    assert len(seen) > 50_000
    assert [row["id"] for row in prompts if grams(row["prompt"]) & seen] == []


def test_the_script_makes_these_bytes(shared_data: Path, tmp_path: Path):
    module = runpy.run_path(str(SCRIPT))
    module["main"].__globals__["TARGET"] = tmp_path / "prompts.jsonl"
    module["main"](shared_data / "prompts")
    assert (tmp_path / "prompts.jsonl").read_bytes() == (DEMO / "prompts.jsonl").read_bytes()


def test_licences_name_every_file():
    text = (DEMO / "LICENCES.md").read_text(encoding="utf-8")
    for path in ("prompts.jsonl", "benchmarks/gsm8k_test.jsonl.gz", "benchmarks/HumanEval.jsonl.gz"):
        assert path in text
    for name in re.findall(r"licences/[\w.-]+\.txt", text):
        assert (DEMO / name).is_file()
