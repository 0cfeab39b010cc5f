"""1,942 human votes on six models' answers become a split, gated dataset with agreement figures one can check."""

import json
import shutil
from collections import Counter

import pytest

CONFIG = """version: 1
name: mt-bench
seed: 7
collect:
  sources:
    - {format: arena, path: human_judgments_hf_schema.jsonl.gz, licence: CC-BY-4.0}
resolve: {method: majority, min_agreement: 0.6}
validate: {benchmarks: [gsm8k_test.jsonl.gz, HumanEval.jsonl.gz]}
split: {train: 0.8}
gate: {min_gap: 0.15, min_pairs: 400, min_decontamination: 0.9}
"""
FILES = (
    "preferences/mt_bench/human_judgments_hf_schema.jsonl.gz",
    "benchmarks/gsm8k_test.jsonl.gz",
    "benchmarks/HumanEval.jsonl.gz",
)

pytestmark = pytest.mark.slow


@pytest.fixture
def project(new_project, shared_data):
    made = new_project("mt-bench")
    for name in FILES:
        shutil.copy(shared_data / name, made.path)
    made.write("pairsmith.yaml", CONFIG)
    return made


def test_votes_become_a_dataset_that_passes_its_gate(project, shared_data):
    reference = json.loads((shared_data / "REFERENCE.json").read_text())["mt_bench"]
    printed = project.run("run")
    assert "nothing to do" in printed  # no models, no generate: said, not skipped in silence
    metrics, gate = project.latest("metrics.json"), project.latest("gate.json")

    annotation = metrics["annotation"]
    assert annotation["votes"] == reference["votes"]
    assert annotation["items"] == reference["items_if_pair_order_is_ignored"] == 1055
    assert annotation["annotators"] == reference["judges"]
    assert annotation["items_with_2_or_more_votes"] == reference["items_with_2_or_more_votes"]
    agreement = annotation["agreement"]
    assert agreement["with_ties"]["value"] == pytest.approx(reference["human_human_agreement_with_ties"], abs=1e-3)
    assert agreement["without_ties"]["value"] == pytest.approx(reference["human_human_agreement_without_ties"], abs=1e-3)
    assert (agreement["with_ties"]["n"], agreement["without_ties"]["n"]) == (1359, 882)
    alpha = annotation["krippendorff_alpha"]
    assert alpha["value"] == pytest.approx(reference["krippendorff_alpha_nominal_first_second_tie"], abs=1e-3)
    assert alpha["interval"][0] < alpha["value"] < alpha["interval"][1]

    assert gate["passed"], gate
    assert [each["name"] for each in gate["criteria"]] == [
        "gap",
        "pairs",
        "decontamination",
        "splits_created",
        "format_validated",
    ]
    assert metrics["pairs"]["total"] >= 400
    assert metrics["gap"]["mean"] >= 0.15
    assert metrics["decontamination"]["n"] == metrics["pairs"]["total"]


def test_every_item_is_accounted_for(project):
    project.run("run")
    metrics = project.latest("metrics.json")
    rows, dropped = project.rows("preference_pairs.jsonl"), project.rows("dropped.jsonl")
    assert len(rows) + len(dropped) == metrics["annotation"]["items"]
    assert len(rows) == metrics["pairs"]["total"]
    assert Counter(row["part"] for row in rows) == {
        name: part["pairs"] for name, part in metrics["split"]["parts"].items()
    }
    assert project.rows("train.jsonl") + project.rows("validation.jsonl") == sorted(
        rows, key=lambda row: (row["part"] != "train", row["pair_id"])
    )
    assert 0.75 <= metrics["split"]["parts"]["train"]["share"] <= 0.85
    prompts = {part: {row["prompt_id"] for row in rows if row["part"] == part} for part in ("train", "validation")}
    assert not prompts["train"] & prompts["validation"]
    for row in rows:
        for column in ("prompt", "chosen", "rejected"):
            assert all(turn["content"].strip() for turn in row[column])
        assert row["chosen"] != row["rejected"]
        assert row["agreement"] is None or row["agreement"] >= 0.6


def test_second_turns_are_prefix_pairs_or_dropped_by_choice(project):
    project.run("run")
    turns = Counter(len(row["chosen"]) for row in project.rows("preference_pairs.jsonl"))
    assert set(turns) == {1, 3}
    project.run("build", "--set", "resolve.diverged=drop")
    assert {len(row["chosen"]) for row in project.rows("preference_pairs.jsonl")} == {1}
    assert Counter(row["reason"] for row in project.rows("dropped.jsonl"))["diverged_context"] == 526


def test_running_again_does_nothing_and_one_pair_can_be_traced(project):
    project.run("run")
    before = project.build_bytes()
    again = project.ask("run")
    assert [stage["new"] for stage in again["stages"]] == [0, 0, 0]
    assert not again["new"]
    assert project.build_bytes() == before
    pair = project.rows("preference_pairs.jsonl")[0]
    found = project.ask("show", pair["pair_id"])
    assert len(found["annotations"]) == sum(pair["votes"].values())
    assert {each["id"] for each in found["candidates"]} == {pair["chosen_id"], pair["rejected_id"]}
    assert pair["pair_id"] in project.run("show", pair["pair_id"])


def test_deleting_builds_and_cache_loses_nothing(project):
    project.run("run")
    before = project.build_bytes()
    shutil.rmtree(project.path / "builds")
    shutil.rmtree(project.path / "cache", ignore_errors=True)
    project.run("build")
    assert project.build_bytes() == before
