"""The example that the report is tested on has the shape that builds really produce."""

from collections.abc import Mapping
from typing import Any

from pairsmith.config import parse_config
from pairsmith.pipeline.deriving import derive
from pairsmith.pipeline.facts import Facts
from pairsmith.records import Annotation, Candidate, Comparison, Message, Prompt
from tests.report import example

FREE_KEYS = {
    "dropped",
    "reason_texts",
    "labels",
    "by_kind",
    "kinds",
    "methods",
    "categories",
    "difficulty",
    "licences",
    "warnings",
    "finish_reasons",
}
"""Mappings whose keys are data."""


def built() -> Mapping[str, Any]:
    """The metrics of a small dataset."""
    prompts, comparisons, votes = [], [], []
    candidates: dict[str, Candidate] = {}
    for number in range(12):
        prompt = Prompt.of([Message("user", f"What is {number} plus {number * number}?")], category="math")
        sides = [Candidate.imported(prompt.id, f"answer {number} {side}", model=side) for side in "xy"]
        comparison = Comparison.of(*sides)
        prompts.append(prompt)
        candidates |= {each.id: each for each in sides}
        comparisons.append(comparison)
        votes += [Annotation.of(comparison.id, name, "human", "a", shown_first="a") for name in ("ann", "bob")]
    facts = Facts(1, tuple(prompts), candidates, tuple(comparisons), (), tuple(votes), (), (), ())
    dataset = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")
    return derive(parse_config(""), facts, [], dataset).metrics


def missing(expected: Any, found: Any, path: str) -> list[str]:
    """Paths of the example that the real metrics do not have, or have as something else."""
    if isinstance(expected, dict):
        if not isinstance(found, dict):
            return [f"{path}: a mapping in the example, {type(found).__name__} in a build"]
        keys = [] if path.rsplit(".", 1)[-1] in FREE_KEYS else list(expected)
        return [
            problem
            for key in keys
            for problem in (missing(expected[key], found[key], f"{path}.{key}") if key in found else [f"{path}.{key}"])
        ]
    if isinstance(expected, list) and expected and isinstance(found, list) and found:
        return missing(expected[0], found[0], f"{path}[]")
    return []


def test_builds_have_all_that_the_example_has():
    assert missing(example.metrics(), built(), "metrics") == []
