"""The workflow's own snippet, and what happens when a file does not say what it should."""

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from training_metrics import DPOMetrics, validate_dpo_pairs

WORKFLOW = Path(__file__).resolve().parents[2] / "shared" / "workflow.md"


def rows_of(count: int, **fields: Any) -> list[dict[str, Any]]:
    return [
        {"prompt": f"Question number {n}?", "chosen": f"Answer {n} it is.", "rejected": f"No idea about {n}.", **fields}
        for n in range(count)
    ]


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def measure(folder: Path, rows: list[dict[str, Any]], **arguments: Any) -> DPOMetrics:
    return validate_dpo_pairs(write(folder / "pairs.jsonl", rows), **arguments)


def benchmark(folder: Path, *questions: str) -> Path:
    rows = [{"question": question, "answer": "42"} for question in questions]
    return write(folder / "benchmark.jsonl", rows)


CLEAN = "How many apples does the old farmer sell at the market on the second Sunday in May?"


def test_the_snippet_of_the_workflow_runs_unchanged(tmp_path, monkeypatch, capsys):
    if not WORKFLOW.is_file():
        pytest.skip("no workflow document beside the checkout")
    snippet = next(
        block.split("```")[0]
        for block in WORKFLOW.read_text(encoding="utf-8").split("```python\n")
        if "validate_dpo_pairs" in block.split("```")[0]
    )
    write(tmp_path / "preference_pairs.jsonl", rows_of(3))
    monkeypatch.chdir(tmp_path)
    exec(compile(snippet, "workflow.md", "exec"), {})
    printed = capsys.readouterr().out
    assert "Preference Gap: 0.0000" in printed
    assert "Total Pairs: 3" in printed
    assert "Decontamination: 0.0000" in printed
    assert all(warning in printed for warning in ("gap too low", "Insufficient pairs", "contamination detected"))


def test_a_good_file_passes(tmp_path):
    rows = rows_of(40, votes={"chosen": 4, "rejected": 0, "tie": 1})
    found = measure(tmp_path, rows, benchmarks=[benchmark(tmp_path, CLEAN)], min_pairs=40)
    assert found.avg_gap == found.preference_gap == pytest.approx(0.8)
    assert found.total_pairs == found.pair_count == 40
    assert found.decontamination == found.decontamination_score == 1
    assert found.quality_score == pytest.approx(1, abs=1e-6)
    assert found.is_valid and found.passes_thresholds() and not found.quality_issues
    states = dict(found.status)
    assert states.pop("kl_divergence") == "not_evaluated"
    assert set(states.values()) == {"pass"}
    low, high = found.intervals["decontamination"] or (0, 0)
    assert 0.9 < low < high == 1
    assert found.counts["gap_kinds"] == {"votes": 40}


def test_a_file_without_any_signal_fails_closed(tmp_path):
    rows = [row | {"chosen": row["chosen"] * 40} for row in rows_of(30)]
    found = measure(tmp_path, rows)
    assert (found.avg_gap, found.decontamination, found.quality_score) == (0.0, 0.0, 0.0)
    assert found.kl_divergence == math.inf
    assert {name for name, state in found.status.items() if state == "not_evaluated"} == {
        "avg_gap",
        "decontamination",
        "quality_score",
        "kl_divergence",
    }
    assert "length" in found.reasons["avg_gap"]
    assert "benchmarks" in found.reasons["decontamination"]
    assert "policy" in found.reasons["kl_divergence"]
    assert found.upper_bound == 1
    assert not found.is_valid
    assert found.quality_issues == ["INSUFFICIENT_GAP", "CONTAMINATION_RISK", "INSUFFICIENT_PAIRS"]
    plain = json.loads(json.dumps(found.to_json(), allow_nan=False))
    assert plain["avg_gap"] is plain["kl_divergence"] is plain["decontamination"] is None
    assert plain["total_pairs"] == 30


@pytest.mark.parametrize(
    "names",
    [
        ("score_chosen", "score_rejected"),
        ("chosen_score", "rejected_score"),
        ("chosen_avg_rating", "rejected_avg_rating"),
        ("chosen_rating", "rejected_rating"),
        ("chosen-rating", "rejected-rating"),
    ],
)
def test_scores_on_a_declared_scale(tmp_path, names):
    fields = dict(zip(names, (4.2, 3.6), strict=True))
    found = measure(tmp_path, rows_of(5, **fields) + rows_of(9, **{names[0]: 5, names[1]: 4.4})[5:], scale=(1, 5))
    assert found.avg_gap == pytest.approx(0.15)
    assert found.status["avg_gap"] == "pass"
    assert found.details["gap"]["scale"] == [1, 5]


def test_unit_scores_are_read_on_their_scale_and_said_so(tmp_path):
    rows = rows_of(3, score_chosen=0.9, score_rejected=0.4) + rows_of(5, score_chosen=0.6, score_rejected=0.7)[3:]
    found = measure(tmp_path, rows)
    assert found.avg_gap == pytest.approx((3 * 0.5 - 2 * 0.1) / 5)
    assert any("read on that scale" in warning for warning in found.warnings)
    assert any("2 pairs score the rejected response higher" in warning for warning in found.warnings)
    assert found.details["gap"]["share_negative"] == 0.4


def test_any_other_scale_is_never_guessed(tmp_path):
    found = measure(tmp_path, rows_of(3, score_chosen=9, score_rejected=1))
    assert found.avg_gap == 0 and found.status["avg_gap"] == "not_evaluated"
    assert "scale=(1, 5)" in found.reasons["avg_gap"]
    negative = measure(tmp_path, rows_of(3, score_chosen=0.5, score_rejected=-0.5))
    assert negative.status["avg_gap"] == "not_evaluated"


@pytest.mark.parametrize(
    ("fields", "scale", "gap"),
    [
        ({"margin": 0.25}, None, 0.25),
        ({"margin": 3}, (1, 5), 0.75),
        ({"margin": 3}, None, None),
        ({"preference_strength": 2}, (0, 3), 2 / 3),
        ({"preference_strength": 2}, None, None),
        ({"votes": ["chosen", "chosen", "rejected", "tie"]}, None, 0.25),
        ({"votes": [{"annotator": "x", "label": "rejected"}, {"annotator": "x", "label": "chosen"}]}, None, 1.0),
        ({"gap": 0.4, "gap_kind": "verifier", "agreement": 1.0}, None, 0.4),
        ({"gap": None, "gap_kind": "not_evaluated", "votes": {"chosen": 1, "rejected": 0}}, None, None),
        ({"gap": 0.2, "votes": {"chosen": 1, "rejected": 0, "tie": 0, "unsure": 0}, "score_chosen": 9}, None, 0.2),
    ],
)
def test_every_other_signal(tmp_path, fields, scale, gap):
    found = measure(tmp_path, rows_of(6, **fields), scale=scale)
    assert found.total_pairs == 6
    assert found.details["gap"]["value"] == (None if gap is None else pytest.approx(gap))
    assert found.avg_gap == pytest.approx(gap or 0.0)


@pytest.mark.parametrize(
    ("fields", "scale", "reason"),
    [
        ({"score_chosen": "9/10", "score_rejected": 1}, None, "wrong_type"),
        ({"score_chosen": True, "score_rejected": 0}, None, "wrong_type"),
        ({"chosen_avg_rating": "good", "rejected_avg_rating": 1}, None, "wrong_type"),
        ({"margin": "good"}, None, "score_not_a_number"),
        ({"score_chosen": 6, "score_rejected": 1}, (1, 5), "score_off_scale"),
        ({"margin": 5}, (1, 5), "score_off_scale"),
        ({"score_chosen": 0.9, "score_rejected": 0.1, "margin": 0.2}, None, "margin_inconsistent"),
        ({"votes": {"chosen": -1, "rejected": 2}}, None, "votes_invalid"),
        ({"votes": {"chosen": 1.5, "rejected": 1}}, None, "votes_invalid"),
        ({"votes": {"chosen": 0, "rejected": 0}}, None, "votes_invalid"),
        ({"votes": {"a": 2, "b": 1}}, None, "votes_invalid"),
        ({"votes": 3}, None, "votes_invalid"),
        ({"gap": 3.2}, None, "gap_invalid"),
    ],
)
def test_values_that_cannot_be_what_they_say_reject_the_row(tmp_path, fields, scale, reason):
    found = measure(tmp_path, rows_of(2, **fields) + rows_of(3)[2:], scale=scale)
    assert found.total_pairs == 1
    assert found.counts["invalid_by_reason"] == {reason: 2}
    assert found.counts["invalid_examples"][0]["line"] == 1


def test_a_mean_over_too_few_scored_pairs_is_not_evaluated(tmp_path):
    rows = rows_of(94, score_chosen=0.9, score_rejected=0.4) + rows_of(100)[94:]
    found = measure(tmp_path, rows)
    assert found.status["avg_gap"] == "not_evaluated" and found.avg_gap == 0
    assert "94 of 100" in found.reasons["avg_gap"]
    assert found.details["gap"]["partial_mean"] == pytest.approx(0.5)
    enough = measure(tmp_path, rows_of(95, score_chosen=0.9, score_rejected=0.4) + rows_of(100)[95:])
    assert enough.status["avg_gap"] == "pass"


def test_scores_that_are_all_equal_measure_nothing(tmp_path):
    found = measure(tmp_path, rows_of(5, score_chosen=0.5, score_rejected=0.5))
    assert found.status["avg_gap"] == "not_evaluated"
    assert "all 10 scores are 0.5" in found.reasons["avg_gap"]


def test_a_spike_at_the_top_of_the_scale_is_a_warning(tmp_path):
    found = measure(tmp_path, rows_of(5, score_chosen=10, score_rejected=2), scale=(1, 10))
    assert any("highest possible" in warning for warning in found.warnings)


def test_duplicates_identical_and_contradictory_pairs_are_counted(tmp_path):
    rows = rows_of(4)
    rows += [rows[0], {**rows[1], "chosen": rows[1]["rejected"], "rejected": rows[1]["chosen"]}]
    rows += [{**rows[2], "rejected": rows[2]["chosen"]}, {**rows[3], "chosen": "  "}]
    counts = measure(tmp_path, rows).counts
    assert (counts["rows_read"], counts["valid"], counts["invalid"]) == (8, 6, 2)
    assert (counts["duplicate"], counts["identical"], counts["contradictory"]) == (1, 1, 2)


def test_texts_and_messages_may_stand_in_one_file(tmp_path):
    conversation = {
        "prompt": [{"role": "user", "content": "Hello?"}],
        "chosen": [{"role": "assistant", "content": "Hello to you."}],
        "rejected": [{"role": "assistant", "content": "What."}],
    }
    implicit = {side: [*conversation["prompt"], *conversation[side]] for side in ("chosen", "rejected")}
    implicit["chosen"][-1] = {"role": "assistant", "content": "Good morning."}
    found = measure(tmp_path, [*rows_of(2), conversation, implicit])
    assert found.total_pairs == 4


def test_scores_of_a_table_are_numbers_although_they_are_text(tmp_path):
    path = tmp_path / "pairs.csv"
    lines = [
        "prompt,chosen,rejected,score_chosen,score_rejected",
        "Why?,Because.,Dunno.,0.9,0.4",
        "How?,So.,Hm.,0.8,0.3",
    ]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    assert validate_dpo_pairs(path).avg_gap == pytest.approx(0.5)


def test_transcripts_are_read_as_transcripts(tmp_path):
    start = "\n\nHuman: Hello?\n\nAssistant:"
    found = measure(tmp_path, [{"chosen": f"{start} Good day.", "rejected": f"{start} Go away."}])
    assert found.total_pairs == 1


@pytest.mark.parametrize("field", ["prompt", "chosen", "rejected"])
def test_a_pair_is_contaminated_by_any_of_its_texts(tmp_path, field):
    rows = rows_of(4)
    rows[1][field] = f"Well: {CLEAN.upper()} Tell me."
    found = measure(tmp_path, rows, benchmarks=[benchmark(tmp_path, CLEAN)])
    assert found.decontamination == 0.75
    assert found.status["decontamination"] == "fail"
    assert found.details["benchmarks"][0]["pairs_hit"] == 1


def test_benchmarks_beside_the_file_are_found(tmp_path):
    (tmp_path / "benchmarks").mkdir()
    benchmark(tmp_path / "benchmarks", CLEAN)
    assert measure(tmp_path, rows_of(3)).status["decontamination"] == "pass"
    assert measure(tmp_path, rows_of(3), benchmarks=[]).status["decontamination"] == "not_evaluated"


def test_the_interval_of_the_gap_draws_prompts_not_rows(tmp_path):
    wide, narrow = [], []
    for number in range(60):
        gap = 0.9 if number % 2 else 0.1
        for copy in range(6):
            row = {"chosen": f"yes {number} {copy}", "rejected": f"no {number} {copy}", "gap": gap}
            wide.append({"prompt": f"prompt {number}", **row})
            narrow.append({"prompt": f"prompt {number} {copy}", **row})
    low, high = measure(tmp_path, wide).intervals["avg_gap"] or (0, 0)
    inner_low, inner_high = measure(tmp_path, narrow).intervals["avg_gap"] or (0, 0)
    assert low < inner_low < 0.5 < inner_high < high


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"gap_threshold": 3.0}, "did you mean 0.30"),
        ({"gap_threshold": 15}, "did you mean 0.15"),
        ({"gap_threshold": -0.1}, "outside"),
        ({"min_decontamination": 90}, "did you mean 0.90"),
        ({"min_pairs": 0}, "min_pairs"),
        ({"scale": (5, 1)}, "lowest, highest"),
    ],
)
def test_thresholds_that_cannot_be_meant_are_errors(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        measure(tmp_path, rows_of(1), **arguments)


def test_a_missing_file_is_a_value_error_that_names_it(tmp_path):
    with pytest.raises(ValueError, match=r"gone\.jsonl"):
        validate_dpo_pairs(tmp_path / "gone.jsonl")


def test_importing_is_cheap():
    code = (
        "import sys, training_metrics; print(sorted(m for m in ('numpy', 'pydantic', 'pairsmith') if m in sys.modules))"
    )
    source = Path(__file__).resolve().parents[1] / "src"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=source)
    assert out.stdout.strip() == "[]"
