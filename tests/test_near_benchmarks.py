"""Stage 5 beyond copies: near items are kept for a look, common phrases accuse nobody, every hit is explained."""

import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pairsmith.config import ValidateConfig, parse_config
from pairsmith.errors import ConfigError, ModelUnavailable
from pairsmith.measures.near_items import Near
from pairsmith.pipeline.deriving import Derived, derive
from pairsmith.pipeline.facts import Facts
from pairsmith.pipeline.meanings import semantic_embedder
from pairsmith.records import Annotation, Benchmark, Candidate, Comparison, Message, PreferencePair, Prompt, Validated
from pairsmith.report.html import render_report
from pairsmith.stages.contamination import NearFindings, prompt_texts
from pairsmith.stages.validate import validate
from tests.measures.test_near_items import ITEM, OTHERS, REWORDED
from tests.pairs import make_pair

BENCHMARK = Benchmark("farm", "0" * 64, (ITEM, *OTHERS), ("question",))
MEANT = (
    "Hens number 24 on a farm; each produces 5 eggs weekly. At 3 dollars for twelve, what are the four weeks' takings "
    "of the man who keeps them?"
)
UNRELATED = "Tell me about the history of sailing boats on the inland lakes of the north."


def run(*pairs: PreferencePair, findings: NearFindings | None = None, **settings: object) -> Validated:
    return validate(ValidateConfig.model_validate(settings), pairs, (BENCHMARK,), seed=7, near=findings)


def finding(text: str, method: Any, score: float) -> NearFindings:
    near = Near("farm", 0, ITEM, method, score, 0.3, score, text)
    return NearFindings({text: near}, {"state": "evaluated", "reason": "", "model": "toy", "revision": "1", "texts": 2})


def test_a_reworded_prompt_is_kept_marked_and_explained() -> None:
    pair, clean = make_pair(REWORDED, "Nine.", "Ten."), make_pair(UNRELATED, "Yes.", "No.")
    outcome = run(pair, clean)
    kept = {each.id: each.contamination for each in outcome.kept}
    assert kept[clean.id] == ""
    assert kept[pair.id].startswith("farm item 0: lexical 0.")
    (action,) = outcome.contamination
    assert (action["pair_id"], action["action"], action["method"]) == (pair.id, "review", "lexical")
    assert (action["text"], action["span"], action["field"]) == (ITEM, REWORDED, "prompt")
    assert "hen lays five eggs" in [REWORDED[a:b] for a, b in action["shared"]["span"]]
    figures = outcome.metrics["decontamination"]
    assert (figures["value"], figures["found"]["contaminated"]) == (1.0, 0)  # near is no copy
    assert (figures["near"]["pairs"], figures["near"]["possible"]) == (1, 0)
    assert figures["near"]["semantic"] == {"state": "not_evaluated", "reason": "`validate.semantic` is off"}


def test_near_pairs_are_dropped_only_if_that_is_asked() -> None:
    pair = make_pair(REWORDED, "Nine.", "Ten.")
    outcome = run(pair, near="drop")
    assert outcome.kept == ()
    (drop,) = outcome.dropped
    assert (drop.reason, drop.evidence["method"], drop.evidence["item"]) == ("near_benchmark", "lexical", 0)
    assert outcome.metrics["pairs"]["near_benchmark"] == 1
    assert outcome.contamination[0]["action"] == "dropped"


def test_off_looks_for_copies_only_and_says_so() -> None:
    outcome = run(make_pair(REWORDED, "Nine.", "Ten."), make_pair(ITEM, "Nine.", "Ten."), near="off")
    assert [each.contamination for each in outcome.kept] == [""]
    near = outcome.metrics["decontamination"]["near"]
    assert (near["state"], near["pairs"], near["reason"]) == ("not_evaluated", None, "`validate.near` is off")
    assert near["semantic"]["state"] == "not_evaluated"


@pytest.mark.parametrize(("method", "marked"), [("semantic", True), ("possible", False)])
def test_what_the_embedder_found_is_for_review_and_never_dropped(method: str, marked: bool) -> None:
    pair = make_pair(MEANT, "Nine.", "Ten.")
    outcome = run(pair, findings=finding(MEANT, method, 0.88))
    (kept,) = outcome.kept
    assert kept.contamination == ("farm item 0: semantic 0.88" if marked else "")
    assert [(each["action"], each["cosine"]) for each in outcome.contamination] == [("review", 0.88)]
    near = outcome.metrics["decontamination"]["near"]
    assert near["methods"] == {method: 1}
    assert (near["semantic"]["model"], near["semantic"]["texts"]) == ("toy", 2)
    assert run(pair, findings=finding(MEANT, "possible", 0.8), near="drop").dropped == ()


def test_a_copy_is_a_copy_even_if_it_also_is_near() -> None:
    outcome = run(make_pair(ITEM, "Nine.", "Ten."), findings=finding(ITEM, "semantic", 1.0), contaminated="flag")
    assert outcome.kept[0].contamination == "farm item 0: exact 1.00"
    assert outcome.metrics["decontamination"]["near"]["pairs"] == 0


@pytest.mark.parametrize(
    ("mode", "mark", "action"), [("flag", "farm item 0: exact 1.00", "flagged"), ("report", "", "reported")]
)
def test_flag_marks_the_row_and_report_leaves_it_alone(mode: str, mark: str, action: str) -> None:
    outcome = run(make_pair(ITEM, "Nine.", "Ten."), make_pair(UNRELATED, "Yes.", "No."), contaminated=mode)
    assert sorted(each.contamination for each in outcome.kept) == ["", mark]
    assert [each["action"] for each in outcome.contamination] == [action]
    assert outcome.metrics["decontamination"]["value"] == 0.5


def test_the_score_over_prompts_is_another_than_over_pairs() -> None:
    dirty = [make_pair(ITEM, f"Answer {number}.", "No.") for number in range(3)]
    outcome = run(*dirty, make_pair(UNRELATED, "Yes.", "No."), contaminated="flag")
    figures = outcome.metrics["decontamination"]
    assert (figures["value"], figures["prompts"]["value"]) == (0.25, 0.5)
    assert figures["prompts"]["found"] == {"value": 0.5, "contaminated": 1, "n": 2}
    assert run(*dirty).metrics["decontamination"]["prompts"]["value"] is None


def test_every_turn_of_the_user_is_compared_and_no_other() -> None:
    pair = make_pair(UNRELATED, "Nine.", "Ten.")
    system, answer, last = Message("system", ITEM), Message("assistant", REWORDED), Message("user", "And then?")
    talk = dataclasses.replace(pair, prompt=(system, *pair.prompt, answer, last))
    assert prompt_texts(talk) == [UNRELATED, "And then?", f"{UNRELATED}\n\nAnd then?"]
    asked = dataclasses.replace(pair, prompt=(*pair.prompt, answer, Message("user", REWORDED)))
    assert run(asked).kept[0].contamination.startswith("farm item 0: lexical")


PHRASE = "What do you think about the weather today"


def phrase_pairs(count: int) -> list[PreferencePair]:
    return [
        make_pair(f"Story {n}: the old man asked. {PHRASE}? Write on, part {n}.", "Yes.", "No.") for n in range(count)
    ]


@pytest.mark.parametrize(("count", "found"), [(9, 9), (10, 0)])
def test_a_short_item_in_many_prompts_is_a_common_phrase(count: int, found: int) -> None:
    benchmark = Benchmark("b", "0" * 64, (PHRASE, ITEM), ("question",))
    both = make_pair(f"{PHRASE}? {ITEM}", "Yes.", "No.")
    alone = make_pair(PHRASE, "Yes.", "No.")
    outcome = validate(ValidateConfig(), [*phrase_pairs(count), both, alone], (benchmark,), seed=7)
    figures = outcome.metrics["decontamination"]
    dropped = {drop.id: drop.evidence["method"] for drop in outcome.dropped}
    assert dropped[alone.id] == "exact"  # an equal text is no coincidence
    assert dropped[both.id] == "contained"
    assert len(dropped) == found + 2
    phrases = [(each["benchmark"], each["item"], each["text"]) for each in figures["common_phrases"]]
    assert phrases == ([] if found else [("b", 0, PHRASE)])


def test_order_changes_nothing() -> None:
    pairs = [make_pair(REWORDED, "Nine.", "Ten."), make_pair(ITEM, "Nine.", "Ten."), *phrase_pairs(12)]
    one, other = run(*pairs), run(*pairs[::-1])
    assert json.dumps(one.metrics, sort_keys=True) == json.dumps(other.metrics, sort_keys=True)
    assert one.contamination == other.contamination


def test_the_report_shows_both_sides_and_what_they_share() -> None:
    outcome = run(make_pair(REWORDED + " <script>", "Nine.", "Ten."), make_pair(ITEM, "Nine.", "Ten."))
    page = render_report({"decontamination": outcome.metrics["decontamination"]}, {})
    assert "<script>" not in page
    assert "In the benchmark" in page
    assert "<mark>24 hens" in page
    assert "Meanings were not compared: `validate.semantic` is off." in page


# ---------------------------------------------------------------- the pipeline


class Toy:
    """Says that `MEANT` and `ITEM` mean the same, and nothing else does."""

    name, revision = "toy", "1"

    def __init__(self, *, down: bool = False) -> None:
        self.asked: list[str] = []
        self.down = down

    def embed(self, texts: Sequence[str]) -> np.ndarray:
        if self.down:
            raise ModelUnavailable("toy is down")
        self.asked += texts
        rows = np.eye(len(texts) + 1, dtype=np.float32)[: len(texts)]
        rows[[place for place, text in enumerate(texts) if text in (MEANT, ITEM)]] = np.eye(len(texts) + 1)[-1]
        return rows


def derived(embedder: Toy | None, *texts: str) -> Derived:
    prompts, candidates, comparisons, votes = [], {}, [], []
    for text in texts:
        prompt = Prompt.of([Message("user", text)])
        sides = [Candidate.imported(prompt.id, answer) for answer in ("Yes, I do.", "No, I do not.")]
        comparison = Comparison.of(*sides)
        votes += [Annotation.of(comparison.id, name, "human", "a") for name in ("ann", "bob")]
        prompts.append(prompt)
        candidates.update({side.id: side for side in sides})
        comparisons.append(comparison)
    facts = Facts(0, tuple(prompts), candidates, tuple(comparisons), (), tuple(votes), (), (), ())
    dataset = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")
    return derive(parse_config("runtime: {workers: 1}"), facts, [BENCHMARK], dataset, embedder)


def test_meanings_are_compared_where_words_leave_it_open() -> None:
    toy = Toy()
    result = derived(toy, MEANT, UNRELATED)
    marks = {row["prompt"][0]["content"]: row["contamination"] for row in result.exported.kept}
    assert marks == {MEANT: "farm item 0: semantic 1.00", UNRELATED: ""}
    assert {MEANT, ITEM} <= set(toy.asked)
    near = result.metrics["decontamination"]["near"]
    assert near["semantic"] == {
        "state": "evaluated",
        "reason": "",
        "model": "toy",
        "revision": "1",
        "texts": len(toy.asked),
    }
    assert {row["contamination"] for row in derived(None, MEANT).exported.kept} == {""}


def test_an_embedder_that_is_down_stops_the_build() -> None:
    with pytest.raises(ModelUnavailable, match="toy is down"):
        derived(Toy(down=True), MEANT)


def test_the_embedder_of_the_configuration(tmp_path: Path) -> None:
    assert semantic_embedder(parse_config(""), tmp_path) is None
    assert semantic_embedder(parse_config("validate: {semantic: minilm, near: 'off'}"), tmp_path) is None
    default = semantic_embedder(parse_config("validate: {semantic: minilm}"), tmp_path)
    assert default is not None
    assert default.revision.startswith("all-MiniLM-L6-v2-int8:")
    server = "models: {near: {kind: openai, model: e5, base_url: 'http://h/v1'}}\nvalidate: {semantic: near}"
    own = semantic_embedder(parse_config(server), tmp_path)
    assert own is not None
    assert (own.name, own.revision) == ("near", "e5::8000:")
    assert list(tmp_path.iterdir()) == []  # nothing is asked and nothing written before there is a text
    with pytest.raises(ConfigError, match=r"validate\.semantic names the model 'nobody'"):
        parse_config("validate: {semantic: nobody}")
