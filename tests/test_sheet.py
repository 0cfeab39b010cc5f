"""From models' votes to a sheet, through a person, and back: at the command line."""

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from pairsmith.cli.main import app
from pairsmith.ledger import LEDGER_FILE, Ledger
from pairsmith.records import Annotation, Candidate, Comparison

CONFIG = """version: 1
name: sheets
seed: 3
collect:
  sources:
    - {path: judged.jsonl, format: votes, annotator_kind: judge}
MORE
annotate: {anchor: {size: 60, hardest: 0, active: 0}}
gate: {min_pairs: 10}
"""
N = 70


@pytest.fixture
def project(tmp_path: Path) -> Path:
    rows = [
        {
            "prompt": f"What is known about topic {number} of {number * 31}?",
            "response_a": f"Much is known about {number}.",
            "response_b": "Nothing.",
            "model_a": "strong",
            "model_b": "weak",
            "annotator": "judge:x",
            "preference": "b" if number % 10 == 0 else "a",
        }
        for number in range(N)
    ]
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    (tmp_path / "pairsmith.yaml").write_text(CONFIG.replace("MORE\n", ""), encoding="utf-8")
    return tmp_path


def ask(project: Path, *words: str, code: int = 0) -> str:
    shown = CliRunner().invoke(app, ["-C", str(project), *words])
    assert shown.exit_code == code, shown.output
    return shown.output


def test_there_and_back(project: Path) -> None:
    ask(project, "collect")
    assert "60 comparisons drawn" in ask(project, "annotate")
    assert "drawn" not in ask(project, "annotate")
    assert "60 comparisons" in ask(project, "sheet", "anna", "--why", "anchor", "--to", "anna.csv")
    path = project / "anna.csv"
    text = path.read_text(encoding="utf-8")
    assert "strong" not in text
    assert "weak" not in text
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert 15 <= sum(row["first"] == "Nothing." for row in rows) <= 45  # sides stand in random order
    for row in rows[:55]:
        row["preference"] = "first" if row["second"] == "Nothing." else "second"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    more = "    - {path: anna.csv, format: votes}\n"
    (project / "pairsmith.yaml").write_text(CONFIG.replace("MORE\n", more), encoding="utf-8")
    ask(project, "collect")
    with Ledger.open(project / LEDGER_FILE) as ledger:
        candidates = {each.id: each for each in ledger.read(Candidate)}
        comparisons = {each.id: each for each in ledger.read(Comparison)}
        votes = [vote for vote in ledger.read(Annotation) if vote.annotator == "anna"]
    assert len(votes) == 55
    for vote in votes:
        comparison = comparisons[vote.comparison_id]
        assert candidates[comparison.a if vote.label == "a" else comparison.b].model == "strong"
    ask(project, "build")
    metrics = json.loads((project / "builds" / "latest" / "metrics.json").read_text(encoding="utf-8"))
    [judge] = metrics["anchor"]["models"]
    assert (metrics["anchor"]["design"], judge["state"], judge["accuracy"]["n"]) == ("drawn", "evaluated", 55)
    assert judge["accuracy"]["value"] == pytest.approx(0.9, abs=0.06)
    assert metrics["queue"]["why"]["anchor"] == 5
    assert "5 comparisons" in ask(project, "sheet", "anna", "--why", "anchor", "--to", "rest.csv")


def test_nothing_to_ask_writes_nothing(project: Path) -> None:
    ask(project, "collect")
    assert "nothing waits for anna" in ask(project, "sheet", "anna", "--why", "anchor", "--to", "anna.csv")
    assert not (project / "anna.csv").exists()


def test_answers_are_not_overwritten(project: Path) -> None:
    ask(project, "collect")
    ask(project, "annotate")
    ask(project, "sheet", "anna", "--to", "anna.jsonl")
    shown = CliRunner().invoke(app, ["-C", str(project), "sheet", "anna", "--to", "anna.jsonl"])
    assert "answers in it" in str(shown.exception)
    ask(project, "sheet", "anna", "--to", "anna.jsonl", "--force")


@pytest.mark.parametrize(("name", "file", "word"), [(" ", "x.csv", "empty"), ("anna", "x.xlsx", ".jsonl")])
def test_what_cannot_be_a_sheet_is_said(project: Path, name: str, file: str, word: str) -> None:
    ask(project, "collect")
    shown = CliRunner().invoke(app, ["-C", str(project), "sheet", name, "--to", file])
    assert word in str(shown.exception)
