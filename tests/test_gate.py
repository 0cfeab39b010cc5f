"""The gate: what was not measured never passes, and every failure names its remedy."""

import copy
import json
from typing import Any

import pytest

from pairsmith.config import GateConfig
from pairsmith.pipeline.gate import CRITERIA, gate, gate_document

GOOD: dict[str, dict[str, Any]] = {
    "gap": {
        "mean": 0.6,
        "interval": [0.5, 0.7],
        "n": 1200,
        "reason": "",
        "single_vote": 0,
        "multi_vote": {"mean": 0.6, "interval": [0.5, 0.7], "n": 1200},
        "by_kind": {"votes": {"mean": 0.6, "n": 1200}},
    },
    "pairs": {"total": 1200},
    "decontamination": {"value": 0.99, "interval": [0.98, 0.995], "n": 1200, "reason": ""},
    "split": {"parts": {"train": {"pairs": 960}, "validation": {"pairs": 240}}, "leaks": 0, "reason": ""},
    "format": {"rows": 1200, "errors": []},
}


def metrics(**changes):
    """The good metrics with some values changed; `gap__mean=0.1` changes `gap.mean`."""
    changed = copy.deepcopy(GOOD)
    for path, value in changes.items():
        section, _, key = path.partition("__")
        changed[section][key] = value
    return changed


def states(report):
    return {criterion.name: criterion.state for criterion in report.criteria}


def test_a_sound_dataset_passes_every_criterion():
    report = gate(GateConfig(), metrics())
    assert report.passed
    assert states(report) == dict.fromkeys(CRITERIA, "pass")
    assert all(criterion.remedy == "" for criterion in report.criteria)


@pytest.mark.parametrize(
    ("changes", "criterion", "state", "remedy"),
    [
        ({"gap__mean": 0.149}, "gap", "fail", "more diverse candidates"),
        (
            {"gap__mean": None, "gap__n": 0, "gap__reason": "nobody measured it"},
            "gap",
            "not_evaluated",
            "two votes each",
        ),
        ({"gap__n": 1139}, "gap", "not_evaluated", "validate.unmeasured: drop"),
        ({"gap__single_vote": 1200}, "gap", "not_evaluated", "two votes each"),
        ({"pairs__total": 999, "gap__n": 999}, "pairs", "fail", "collect more prompts"),
        ({"decontamination__value": 0.899}, "decontamination", "fail", "validate.contaminated to drop"),
        ({"decontamination__value": None}, "decontamination", "not_evaluated", "validate.benchmarks"),
        ({"split__leaks": 1}, "splits_created", "fail", "prompts of its own"),
        ({"split__parts": {"train": {"pairs": 1200}, "validation": {"pairs": 0}}}, "splits_created", "fail", "differ"),
        ({"split__parts": {"train": {"pairs": 9}, "test": {"pairs": 0}}}, "splits_created", "fail", "differ"),
        ({"format__errors": ["line 3: rejected is empty"]}, "format_validated", "fail", "dropped.jsonl"),
        ({"format__rows": 0}, "format_validated", "fail", "dropped.jsonl"),
    ],
)
def test_one_failing_criterion_fails_the_gate_and_names_the_remedy(changes, criterion, state, remedy):
    report = gate(GateConfig(), metrics(**changes))
    assert not report.passed
    assert states(report) == {**dict.fromkeys(CRITERIA, "pass"), criterion: state}
    assert remedy in next(each.remedy for each in report.criteria if each.name == criterion)


def test_single_votes_do_not_carry_the_others_over_the_bar():
    weak = {"mean": 0.1, "interval": [0.0, 0.2], "n": 300}
    report = gate(GateConfig(), metrics(gap__single_vote=900, gap__multi_vote=weak))
    gap = report.criteria[0]
    assert (gap.state, gap.value) == ("fail", 0.6)
    assert "900 pairs rest on one vote; the mean of the others is 0.100" in gap.reason


@pytest.mark.parametrize(("votes", "state"), [(100, "fail"), (60, "pass"), (0, "pass")])
def test_no_kind_of_gap_carries_the_others_over_the_bar(votes, state):
    kinds = {"posterior": {"mean": 0.7, "n": 1200 - votes}, "votes": {"mean": 0.1, "n": votes}}
    gap = gate(GateConfig(), metrics(gap__by_kind=kinds)).criteria[0]
    assert (gap.state, gap.value) == (state, 0.6)
    assert ("mean of the 100 gaps of kind votes: 0.100" in gap.reason) == (state == "fail")


def test_exactly_at_the_bar_passes():
    report = gate(GateConfig(min_gap=0.6, min_pairs=1200, min_decontamination=0.99), metrics())
    assert report.passed


def test_the_document_is_plain_json_with_the_promised_fields():
    document = json.loads(json.dumps(gate_document(gate(GateConfig(), metrics()))))
    assert document["passed"] is True
    for criterion in document["criteria"]:
        assert {"name", "value", "threshold", "state", "remedy", "interval", "n", "reason"} == set(criterion)
