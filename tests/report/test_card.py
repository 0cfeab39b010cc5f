"""The dataset card: metadata the hub can read, a body that says the same as the metrics, and no way out of either."""

import json
import re
from typing import Any

import pytest
import yaml

from pairsmith.report.card import render_card
from pairsmith.report.text import one_line
from tests.report.example import XSS, gate, metrics
from tests.report.pages import hostile

SNEAKY = ["a: b", "no", "---\nlicense: mit\n---", "[x](javascript:x)", "*emph* _it_ `code`", "a | b | c", "{{ 1 }}"]
SNEAKY += ["# head", "&lt;b&gt;", "https://evil.example/x", "www.evil.example", "!!python/object:os.system", "'\"\\"]


def _split(card: str) -> tuple[dict[str, Any], str]:
    found = re.fullmatch(r"---\n(.*?)\n---\n\n(.*)", card, re.DOTALL)
    assert found
    return yaml.safe_load(found[1]), found[2]


def test_metadata_of_a_usual_dataset() -> None:
    header, _ = _split(render_card(metrics(), gate()))
    assert header == {
        "pretty_name": "mt-bench",
        "license": "cc-by-4.0",
        "task_categories": ["text-generation"],
        "size_categories": ["n<1K"],
        "tags": ["dpo", "preference", "pairsmith"],
        "configs": [
            {
                "config_name": "default",
                "data_files": [
                    {"split": "train", "path": "train.jsonl"},
                    {"split": "validation", "path": "validation.jsonl"},
                ],
            }
        ],
    }


def test_body_gives_the_figures_and_has_no_placeholders() -> None:
    _, body = _split(render_card(metrics(), gate("fail")))
    for line in (
        "# mt-bench",
        "| Pairs | Fail | 694 | – | ≥ 1,000 |",
        "| Agreement without ties | 0.844 | 0.809 to 0.876 | 882 |",
        "| Mean preference gap | 0.891 | 0.871 to 0.910 | 694 |",
        "| train | 555 | 121 | 80.0 % |",
        "| HumanEval.jsonl.gz | 164 | 1 | 12 |",
        "3. Resolved: 776 left; dropped: 169 `tie`, 110 `low_agreement`.",
        'dataset = load_dataset("json", data_files={"train": "train.jsonl", "validation": "validation.jsonl"})',
    ):
        assert line in body.splitlines()
    assert not re.search(r"TODO|More Information Needed|\{\{|\}\}|\[[a-z ]+\]", body)
    assert render_card(metrics(), gate()) == render_card(json.loads(json.dumps(metrics(), sort_keys=True)), gate())


@pytest.mark.parametrize(
    ("total", "size"),
    [
        (0, "n<1K"),
        (999, "n<1K"),
        (1000, "1K<n<10K"),
        (10_000, "10K<n<100K"),
        (999_999, "100K<n<1M"),
        (1_000_000, "1M<n<10M"),
        (10**10, "1B<n<10B"),
    ],
)
def test_size_categories(total: int, size: str) -> None:
    header, _ = _split(render_card(metrics() | {"pairs": {"total": total}}, gate()))
    assert header["size_categories"] == [size]


@pytest.mark.parametrize(
    ("licences", "wanted"),
    [
        ({}, {"license": "unknown"}),
        ({"": 5}, {"license": "unknown"}),
        ({"MIT": 5}, {"license": "mit"}),
        ({"ODC-BY-1.0": 5}, {"license": "odc-by"}),
        ({"MIT": 5, "Apache-2.0": 9}, {"license": ["apache-2.0", "mit"]}),
        (
            {"MIT": 5, "ACME Terms: v2": 9},
            {"license": "other", "license_name": "acme-terms-v2-and-mit", "license_details": "ACME Terms: v2, MIT"},
        ),
    ],
)
def test_licences(licences: dict[str, int], wanted: dict[str, Any]) -> None:
    header, body = _split(render_card(metrics() | {"licences": licences}, gate()))
    assert {key: value for key, value in header.items() if key.startswith("license")} == wanted
    if wanted == {"license": "unknown"}:
        assert "No licence is recorded" in body


@pytest.mark.parametrize("payload", [*SNEAKY, *XSS])
def test_hostile_names_neither_break_the_metadata_nor_become_markup(payload: str) -> None:
    found = metrics() | {"licences": {payload: 694}}
    found["dataset"]["name"] = found["decontamination"]["benchmarks"][0]["name"] = payload
    found["inputs"][0]["name"] = found["generation"]["models"][0]["name"] = payload
    found["quality_score"]["reason"] = payload
    header, body = _split(render_card(found, gate()))
    assert header["pretty_name"] == one_line(payload)
    assert set(header) >= {"license", "task_categories", "configs"}
    prose = re.sub(r"```.*?```|`[^`\n]*`", "", body, flags=re.DOTALL)
    bare = re.sub(r"\\[!-/:-@\[-`{-~]", "", prose)
    assert not re.search(r"[<\[\]{}`]|://|www\.[a-z]", bare)
    assert body.count("\n# ") == 0
    tables = [line for line in prose.splitlines() if line.startswith("| ")]
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in tables} <= {3, 5, 6}


def test_limits_follow_from_the_figures() -> None:
    _, body = _split(render_card(metrics(), gate()))
    assert "378 pairs rest on a single vote" in body
    assert "The longer answer is the chosen one in 67.4 % of the pairs" in body
    good = metrics() | {"label_accuracy": {"value": 0.9}}
    good["gap"]["single_vote"] = 0
    good["lengths"]["chosen_longer"]["value"] = 0.5
    good["decontamination"] |= {"value": None, "reason": "No benchmarks.", "benchmarks": []}
    _, body = _split(render_card(good, gate()))
    assert "single vote" not in body
    assert "may learn length" not in body
    assert "accuracy of the labels was not measured" not in body
    assert "Not evaluated: No benchmarks." in body
    assert "were not compared with evaluation benchmarks" in body


def test_every_part_with_pairs_is_a_file_of_the_card() -> None:
    found = metrics()
    found["split"]["parts"] |= {name: {"pairs": 9, "prompts": 3, "share": 0.01} for name in ("test", "dev")}
    found["split"]["parts"] |= {"empty": {"pairs": 0}, "../x": {"pairs": 9}}
    header, body = _split(render_card(found, gate()))
    files = header["configs"][0]["data_files"]
    assert [each["split"] for each in files] == ["train", "validation", "dev", "test"]
    assert files[3]["path"] == "test.jsonl"
    assert "| test | 9 | 3 | 1.0 % |" in body


def test_the_card_says_whether_meanings_were_compared() -> None:
    found = metrics()
    words = "were searched for, by their words: a rephrased or translated item can escape."
    assert words in render_card(found, gate())
    near = found["decontamination"]["near"] = {"semantic": {"state": "evaluated", "model": "MiniLM", "texts": 7}}
    page = render_card(found, gate())
    assert words not in page
    assert "by their words and, in prompts, by their meaning (MiniLM)" in page
    assert "can escape all the same" in page
    near["semantic"]["state"] = "not_evaluated"
    assert words in render_card(found, gate())


def test_nothing_measured_is_said_and_everything_may_be_hostile() -> None:
    header, body = _split(render_card({}, {}))
    assert header["license"] == "unknown"
    assert "configs" not in header
    assert "Gate not evaluated" in body
    assert not re.search(r"None|Undefined|\bnan\b", body)
    _split(render_card(hostile(metrics()), hostile(gate("fail"))))
