"""Scorers fitted on real votes: how good they are on prompts held out, and that they say when they are not."""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from pairsmith.config import load_config
from pairsmith.ledger import LEDGER_FILE, Ledger
from pairsmith.models.fitted_files import find_scorer
from pairsmith.pipeline.collecting import run_collect
from pairsmith.pipeline.fitting import FitOptions, fit_scorer, measure_scorer

pytestmark = pytest.mark.slow


def project_of(folder: Path, path: Path, form: str) -> Path:
    """A project whose only facts are these votes, taken for people's."""
    source = f"{{path: {path}, format: {form}, annotator_kind: human}}"
    text = f"collect: {{sources: [{source}]}}\nruntime: {{workers: 1}}\n"
    (folder / "pairsmith.yaml").write_text(text, encoding="utf-8")
    with Ledger.open(folder / LEDGER_FILE) as ledger:
        asyncio.run(run_collect(folder, load_config(folder), ledger))
    return folder


def fitted(project: Path, *features: str) -> dict[str, Any]:
    with Ledger.open(project / LEDGER_FILE) as ledger:
        return fit_scorer(project, load_config(project), ledger, FitOptions(features=features)).file.figures


def measured(project: Path, name: str) -> dict[str, Any]:
    with Ledger.open(project / LEDGER_FILE) as ledger:
        return measure_scorer(project, load_config(project), ledger, name, FitOptions())


def check_shipped(name: str, figures: dict[str, Any]) -> None:
    """The figures in the shipped file are those measured now, as far as another processor may round."""
    written = find_scorer(name, Path(), name).figures
    assert figures["pairs"] == written["pairs"]
    assert figures["accuracy"]["value"] == pytest.approx(written["accuracy"]["value"], abs=0.01)


def need_minilm() -> None:
    for module in ("onnxruntime", "tokenizers"):
        pytest.importorskip(module)


def test_helpful_votes_of_pandalm(tmp_path, shared_data):
    need_minilm()
    project = project_of(tmp_path, shared_data / "preferences/pandalm/testset-v1.json", "pandalm")
    figures = fitted(project, "surface", "minilm")
    assert figures["accuracy"]["value"] >= 0.73
    assert figures["accuracy"]["value"] - figures["length_only"]["value"] >= 0.03
    assert figures["length_balanced"]["value"] >= 0.64
    assert figures["kept"]["adds"]["value"] >= 0.04
    # 583 pairs cannot show a calibration error below 0.04: true probabilities would show as much.
    assert figures["ece"]["if_true"] > 0.04
    assert figures["ece"]["value"] < figures["ece"]["if_true"] + 0.03
    # 3.2 points on 583 pairs of few prompts: the interval does not exclude none, and the head says so.
    assert figures["verdict"] == "no better than length"
    check_shipped("helpful-v0", figures)


def test_harmless_votes_of_hh_by_what_needs_no_model(tmp_path, shared_data):
    project = project_of(tmp_path, shared_data / "preferences/hh_rlhf/harmless-base_test.jsonl.gz", "hh")
    figures = fitted(project, "surface", "manner")
    assert figures["accuracy"]["value"] >= 0.60
    assert figures["length_balanced"]["value"] >= 0.58
    assert figures["ece"]["value"] <= 0.04
    assert figures["kept"]["adds"]["value"] >= 0.04
    assert figures["verdict"] == "better"
    sizes = [at["pairs"] for at in figures["learning_curve"]]
    assert sizes == [25, 50, 100, 200, 400, 800]


def test_on_adversarial_pairs_a_helpful_head_says_that_it_is_no_better_than_chance(tmp_path, shared_data):
    need_minilm()
    rows = []
    for path in sorted((shared_data / "preferences/llmbar/Adversarial").glob("*/dataset.json")):
        for row in json.loads(path.read_text(encoding="utf-8")):
            better, worse = row["output_1"], row["output_2"]
            if row["label"] == 2:
                better, worse = worse, better
            rows.append({"prompt": row["input"], "chosen": better, "rejected": worse})
    votes = tmp_path / "votes.jsonl"
    votes.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    project = project_of(tmp_path, votes, "preference")
    there = measured(project, "helpful-v0")
    assert there["pairs"] == 197
    assert there["accuracy"]["value"] < 0.35
    assert there["verdict"] == "no better than chance"
    # Fitted on these very votes it learns that the shorter answer is right, and says that this is all it learned.
    figures = fitted(project, "surface", "manner")
    assert figures["accuracy"]["value"] > 0.7
    assert figures["verdict"] == "no better than length"
