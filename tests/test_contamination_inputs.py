"""Hostile and odd benchmarks: empty, the training file itself, tiny items, texts without spaces, code."""

from pathlib import Path

import pytest

from pairsmith.config import parse_config
from pairsmith.errors import InputError
from pairsmith.measures.contamination import ContaminationIndex, build_index
from pairsmith.measures.near_items import build_near, decide, propose
from pairsmith.pipeline.deriving import derive
from pairsmith.pipeline.facts import Facts, read_benchmarks
from pairsmith.records import Annotation, Benchmark, Candidate, Comparison, Intake, Message, Prompt

DATASET = dict.fromkeys(("name", "seed", "ledger_position", "code_version", "config_sha256"), "")

CHINESE = "小明有二十四只母鸡，每只母鸡每周下五个鸡蛋。如果他每打鸡蛋卖三美元，四周他能赚多少钱？"
CODE = '''def running_maximum(numbers):
    """Return the list of the largest element seen so far for every position in the list that is given."""
    largest = None
    for number in numbers:
        largest = number if largest is None else max(largest, number)
    return largest
'''


def method_of(index: ContaminationIndex, fields: dict[str, str]) -> str:
    hit = index.find(fields)
    return hit.method if hit else ""


@pytest.mark.parametrize("content", ["", "\n", '{"nothing": "of the kind"}\n'])
def test_91_a_benchmark_without_items_stops_before_any_work(tmp_path: Path, content: str):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "set.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"set\.jsonl: "):
        read_benchmarks(parse_config("").validation, tmp_path)


def test_92_items_of_a_few_words_accuse_only_where_they_are_the_question():
    index = build_index([("short", ["Who are you?", "What is your name?", "What time is it right now?"])])
    assert index.summary()[0]["short_items"] == 2
    for text in (
        "Who are you?",
        "what is your NAME",
        "Tell me. What time is it right now? Thanks.",
        "WHAT TIME IS IT RIGHT NOW",
    ):
        assert index.find({"prompt": text}), text
    for text in (
        "Who are you and what do you want?",
        "Tell him: what is your name, stranger, and where do you come from?",
        "What time is it right now in Tokyo, and what time is it in Lima?",
        "He asked what time is it right now-ish.",
    ):
        assert index.find({"prompt": text}) is None, text


def test_93_a_benchmark_that_is_the_training_file_is_named():
    questions = [
        f"Question {number}: what is the {number}-th prime number greater than one hundred?" for number in range(3)
    ]
    prompts, candidates, comparisons, votes = [], {}, [], []
    for text in questions:
        prompt = Prompt.of([Message("user", text)])
        sides = [Candidate.imported(prompt.id, answer) for answer in ("Yes.", "No.")]
        comparisons.append(Comparison.of(*sides))
        votes += [Annotation.of(comparisons[-1].id, name, "human", "a") for name in ("ann", "bob")]
        prompts.append(prompt)
        candidates.update({side.id: side for side in sides})
    intake = Intake("int_1", source="test.jsonl", sha256="f" * 64, rows=3, good=3, rejected=0)
    facts = Facts(0, tuple(prompts), candidates, tuple(comparisons), (), tuple(votes), (), (intake,), ())
    benchmarks = [Benchmark("test", "f" * 64, tuple(questions)), Benchmark("other", "0" * 64, (CHINESE,))]
    derived = derive(parse_config("runtime: {workers: 1}"), facts, benchmarks, DATASET)
    figures = derived.metrics["decontamination"]
    assert [each["same_as_source"] for each in figures["benchmarks"]] == ["test.jsonl", ""]
    assert (figures["value"], figures["state"], figures["found"]["value"]) == (None, "not_evaluated", 0.0)
    assert {drop.reason for drop in derived.validated.dropped} == {"contaminated"}


def test_chinese_is_read_by_characters():
    index = build_index([("zh", [CHINESE])])
    assert method_of(index, {"prompt": CHINESE.replace("，", " ")}) == "exact"
    assert method_of(index, {"prompt": f"请回答下面的问题：{CHINESE}谢谢你。"}) == "contained"
    assert method_of(index, {"prompt": CHINESE.replace("母鸡", "鸭子").replace("三美元", "三元")}) == "ngram"
    assert index.find({"prompt": "小明有一只小狗，他每天都带着小狗去公园散步，周末的时候全家一起去河边玩。"}) is None


def test_chinese_is_near_by_characters_too():
    index = build_near([("zh", [CHINESE])])
    text = "四周小明能赚多少钱？他有母鸡二十四只，每周每只下鸡蛋五个，鸡蛋每打卖三美元。"
    assert decide(index, [text], propose(index, [text]))[text].method == "lexical"
    other = "小明有一只小狗，他每天都带着小狗去公园散步，周末的时候全家一起去河边玩。"
    assert decide(index, [other], propose(index, [other])) == {}


def test_code_is_found_by_its_words_and_its_docstring():
    index = build_index([("code", [CODE])])
    assert method_of(index, {"chosen": f"Here it is:\n```python\n{CODE}```"}) == "contained"
    assert index.find({"prompt": CODE.replace("running_maximum", "f").replace("    ", "\t")}) is not None
    docstring = "Return the list of the largest element seen so far for every position in the list that is given."
    assert index.find({"prompt": f"Write a function. {docstring}"}) is not None
    assert (
        index.find({"prompt": "def f(numbers):\n    for number in numbers:\n        print(number)\n    return None"})
        is None
    )


def test_boilerplate_of_a_thousand_items_accuses_nobody():
    items = [f"Which of the following statements about the element number {number} is true?" for number in range(1000)]
    prompts = ["Which of the following statements about the Roman empire is true?"]
    assert build_index([("mc", items)]).find({"prompt": prompts[0]}) is None
    index = build_near([("mc", items)])
    assert decide(index, prompts, propose(index, prompts)) == {}
