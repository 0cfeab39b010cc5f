"""The report: complete, honest about what is missing, and deaf to whatever its texts say."""

import json
import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from pairsmith.report.html import SECTIONS, render_report
from pairsmith.report.text import visible
from tests.report.example import XSS, gate, metrics
from tests.report.pages import Page, hostile


def _paths(value: Any, depth: int, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if depth and isinstance(value, dict):
        for key in value:
            yield (*path, key)
            yield from _paths(value[key], depth - 1, (*path, key))
    elif depth and isinstance(value, list) and value:
        yield from _paths(value[0], depth - 1, (*path, 0))


def _inside(value: Any, path: tuple[Any, ...]) -> Any:
    for key in path:
        value = value[key]
    return value


def test_every_section_and_figure_is_on_the_page() -> None:
    page = Page(render_report(metrics(), gate()))
    ids = {value for _, name, value in page.attributes if name == "id"}
    assert {"verdict", *(name for name, _ in SECTIONS)} <= ids
    assert page.tags.count("h1") == 1
    for shown in (
        "Gate passed All 5 criteria hold.",
        "Preference gap ✓ Pass 0.891 0.871 to 0.910 694 ≥ 0.15",
        "low_agreement The winner has a smaller share of the votes than resolve.min_agreement asks for. −110",
        "mean 0.891, 95 % interval 0.871 to 0.910",
        "0.844 0.809 to 0.876 882",
        "0.677 0.642 to 0.712 1,359",
        "67.4 % 63.9 % to 70.8 % 694",
        "gsm8k_test.jsonl.gz 1,319 3 3 29 question",
        "a tank is filled by two pipes in 6 and 12 minutes",
        "Train 555 121 80.0 %",
        "writing 14.4 % 16.6 % −1.7 pp",
        "SmolLM2-135M-Instruct edited 240 2 31,204 stop 201, length 37, error 2",
        "Accuracy 0.681 (95 % interval 0.643 to 0.717, n = 589)",
        "9b1de0f6a7c34c0fb1a4b7d7bd2c6f8e3a5d90417c2e6bb8f0a1c3d5e7f90214",
    ):
        assert shown in page.text


def test_the_page_is_a_pure_function_of_the_json_files() -> None:
    page = render_report(metrics(), gate())
    assert render_report(metrics(), gate()) == page
    reread = json.loads(json.dumps(metrics(), sort_keys=True))
    assert render_report(reread, json.loads(json.dumps(gate()))) == page


def test_nothing_outside_the_file_is_needed_or_named() -> None:
    html = render_report(metrics(), gate())
    page = Page(html)
    assert not {"script", "link", "iframe", "img", "object", "embed", "base", "form"} & set(page.tags)
    assert all(value.startswith("#") for _, name, value in page.attributes if name in {"href", "src", "xlink:href"})
    assert not re.search(r"url\(|@import|https?://", html)
    assert "default-src 'none'" in html


def test_pictures_are_named_and_tables_have_captions_and_heads() -> None:
    page = Page(render_report(metrics(), gate()))
    images = [value for tag, name, value in page.attributes if tag == "svg" and name == "role"]
    labels = [value for tag, name, value in page.attributes if tag == "svg" and name == "aria-label"]
    assert len(images) == len(labels) == 2
    assert all(labels)
    assert page.tags.count("caption") == page.tags.count("table") == page.tags.count("thead")
    levels = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(levels))


def test_hostile_texts_stay_texts_everywhere() -> None:
    known = set(Page(render_report(metrics(), gate("fail"))).tags)
    page = Page(render_report(hostile(metrics()), hostile(gate("fail"))))
    assert set(page.tags) <= known | {"details", "summary"}
    assert page.tags.count("title") == 1 + page.tags.count("g")  # the page's and one for each bar of a chart
    names = {name for _, name, _ in page.attributes}
    assert not {name for name in names if name.startswith("on")}
    assert not names & {"style", "src", "srcdoc", "action", "formaction"}


@pytest.mark.parametrize("payload", XSS)
def test_a_payload_is_shown_as_it_is_in_every_kind_of_place(payload: str) -> None:
    found = metrics()
    found["dataset"]["name"] = found["funnel"][2]["step"] = found["annotators"][0]["name"] = payload
    found["samples"]["random"][0] |= {"prompt": payload, "chosen_model": payload, "category": payload}
    found["quality_score"]["reason"] = found["decontamination"]["hits"][0]["span"] = payload
    found["reason_texts"]["tie"] = payload
    page = Page(render_report(found, gate()))
    assert page.text.count(" ".join(visible(payload).split())) >= 9


def test_whitespace_and_code_are_kept_and_the_rest_of_a_long_text_is_one_click_away() -> None:
    found = metrics()
    code = "def f(x):\n\n\treturn   x  # <b>&amp;</b>\n"
    found["samples"]["random"][0] |= {"chosen": code, "rejected": "word " * 5000}
    page = Page(render_report(found, gate()))
    assert code in page.texts
    assert page.text.count("word ") >= 3990
    assert "Show 19,301 more characters" in page.text
    assert "The remaining 5,000 characters are in the exported file." in page.text


def test_many_annotators_are_folded_and_none_is_lost() -> None:
    found = metrics()
    found["annotators"] = [{"name": f"person_{n:02}", "kind": "human", "votes": 100 - n} for n in range(65)]
    page = Page(render_report(found, gate()))
    assert "Show 53 more annotators" in page.text
    assert all(page.text.count(f"person_{n:02}") == 1 for n in range(65))


def test_what_resolve_did_is_told() -> None:
    found = metrics()
    found["resolve"] |= {"methods": {"calibrated": 600, "ruling": 94}, "split_by_group": 7}
    found["calibration"] = {"calibrated": True}
    found["consensus"] = {"method": "majority", "why": "configured", "against_majority": {"changed": 1}}
    found["corrections"] = {"length": {"pairs": 400, "changed": 37, "reason": ""}}
    sides = {"pairs": 700, "prompts": 50, "mean_gap": {"value": 0.36}, "chosen_longer": {"value": 0.7}}
    found["selection"] = {"policy": "best_worst", "steps": [{}], "before": sides, "after": sides | {"pairs": 50}}
    page = Page(render_report(found, gate())).text
    for words in (
        "calibrated 600",
        "People’s votes became labels by: majority",
        "7 comparisons on which two groups of annotators are opposed",
        "Length 400 37",
        "Pairs 700 50",
        "author_4 and expert_24",
        "Mean gap of each kind",
        "Posterior",
    ):
        assert words in page, words


def test_null_figures_say_not_evaluated_and_why() -> None:
    found = metrics()
    found["gap"] |= {"mean": None, "interval": None, "state": "not_evaluated", "reason": "No votes and no scores."}
    found["annotation"]["krippendorff_alpha"] = {"value": None, "interval": None, "n": 0, "reason": "All votes equal."}
    page = Page(render_report(found, gate("fail")))
    assert "not evaluated No votes and no scores." in page.text
    assert re.search(r"Krippendorff’s alpha, nominal [a-z; ]+ All votes equal\. not evaluated 0", page.text)
    assert "Decontamination ? Not evaluated not evaluated" in page.text
    assert "No benchmark file was supplied, so nothing was compared." in page.text
    assert "What to do: Put evaluation sets into benchmarks/" in page.text


@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_numbers_that_are_none_never_become_zero(value: float | None) -> None:
    found = metrics()
    found["pairs"]["total"] = found["decontamination"]["value"] = found["split"]["leaks"] = value
    page = Page(render_report(found, gate()))
    assert "Pairs not evaluated" in page.text
    assert "Clean share as exported not evaluated" in page.text
    assert "Leaks not evaluated" in page.text
    assert not re.search(r"\b(nan|inf|None|Undefined)\b", page.text)


def test_an_empty_build_has_a_page_of_nothing_evaluated() -> None:
    page = Page(render_report({}, {}))
    assert "Gate not evaluated" in page.text
    assert page.text.count("not evaluated") >= 30
    assert not re.search(r"\b0\.000|None|Undefined", page.text)


def _broken(section: str, depth: int) -> Iterator[dict[str, Any]]:
    for path in [(section,), *((section, *rest) for rest in _paths(metrics()[section], depth))]:
        without, null = metrics(), metrics()
        del _inside(without, path[:-1])[path[-1]]
        _inside(null, path[:-1])[path[-1]] = None
        yield from (without, null)


@pytest.mark.parametrize("section", sorted(metrics()))
def test_any_part_may_be_missing_or_null(section: str) -> None:
    for found in _broken(section, 0):
        assert "None" not in Page(render_report(found, gate())).text


@pytest.mark.slow
@pytest.mark.parametrize("section", sorted(metrics()))
def test_anything_within_a_part_may_be_missing_or_null(section: str) -> None:
    for found in _broken(section, 3):
        assert "None" not in Page(render_report(found, gate())).text


def test_the_gate_fails_closed() -> None:
    for wrong in (
        gate() | {"passed": None},
        gate() | {"passed": "true"},
        {"passed": True, "criteria": [*gate()["criteria"], {"name": "new", "state": "unheard_of"}]},
        {"passed": True, "criteria": [*gate()["criteria"], {"name": "new"}]},
        gate("fail") | {"passed": True},
    ):
        assert "Gate failed" in Page(render_report(metrics(), wrong)).text
    assert "Gate passed" not in Page(render_report(metrics(), {"passed": True, "criteria": []})).text


def test_a_value_just_short_of_its_threshold_is_not_rounded_up_to_it() -> None:
    found = gate("fail")
    found["criteria"][0] |= {"value": 0.149996, "threshold": 0.15, "state": "fail"}
    assert "✕ Fail 0.149996" in Page(render_report(metrics(), found)).text
