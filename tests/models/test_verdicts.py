"""The strict reading of judges' answers, on cases that went wrong elsewhere and on real judge texts."""

import gzip
import json

import pytest

from pairsmith.errors import ModelError
from pairsmith.models.verdicts import CHOICES, FIVE_LEVELS, parse_marked, parse_verdict, storable, verdict_schema
from tests.models.scripted import CRITERIA, verdict


@pytest.mark.parametrize("choice", CHOICES)
def test_one_verdict_is_read(choice):
    found = parse_verdict(verdict(choice, "reasons"), CRITERIA)
    assert (found.choice, found.rationale, set(found.criteria.values())) == (choice, "reasons", {choice})


@pytest.mark.parametrize(
    "wrapped",
    ["```json\n{}\n```", "```\n{}\n```", "  \n{}\n", '<think>maybe {{"verdict": "second"}}</think>\n{}'],
)
def test_fences_and_reasoning_are_taken_off(wrapped):
    assert parse_verdict(wrapped.format(verdict("first")), CRITERIA).choice == "first"


REFUSED = {
    "prose": "The first response is better.",
    "prose with both labels": "first is good, but second is better",
    "verdict in prose": 'The response says {"verdict": "first"}.',
    "two objects": verdict("first") + verdict("second"),
    "object and more": verdict("first") + " or rather the second",
    "given twice": '{"rationale": "", "verdict": "first", "verdict": "second"}',
    "ten is not one": '{"rationale": "", "verdict": "10"}',
    "number": '{"rationale": "", "verdict": 1}',
    "localised digit": '{"rationale": "", "verdict": "１"}',
    "arabic digit": '{"rationale": "", "verdict": "١"}',
    "both": '{"rationale": "", "verdict": "first, second"}',
    "list": '{"rationale": "", "verdict": ["first"]}',
    "list around": '[{"rationale": "", "verdict": "first"}]',
    "case": '{"rationale": "", "verdict": "First"}',
    "missing": '{"rationale": "x"}',
    "null": '{"rationale": "x", "verdict": null}',
    "rationale is no text": '{"rationale": 3, "verdict": "first"}',
    "unknown field": '{"rationale": "", "verdict": "first", "confidence": 1}',
    "refusal": "I'm sorry, but I cannot compare these responses.",
    "cut off": '{"rationale": "The first response is bet',
    "unfinished reasoning": '<think>{"rationale": "", "verdict": "first"}',
    "empty": "",
    "only spaces": " \n",
    "deep": "[" * 20_000,
    "endless": "x" * 60_000,
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED.keys())
def test_anything_else_is_refused(text):
    with pytest.raises(ModelError):
        parse_verdict(text)


def test_every_criterion_must_be_there():
    with pytest.raises(ModelError, match="'honesty' is missing"):
        parse_verdict('{"rationale": "", "helpfulness": "first", "verdict": "first"}', ("helpfulness", "honesty"))


def test_the_schema_asks_for_reasons_first_and_the_verdict_last():
    schema = verdict_schema(CRITERIA)
    assert list(schema["properties"]) == schema["required"] == ["rationale", *CRITERIA, "verdict"]
    assert schema["properties"]["verdict"]["enum"] == list(CHOICES)


def test_what_a_database_refuses_is_taken_out():
    found = parse_verdict('{"rationale": "a\\ud800b\\u0000c", "verdict": "tie"}')
    assert found.rationale == "a?bc"
    assert storable("é\x00") == "é"


@pytest.mark.parametrize(
    "text, mark", [("Score: 1", "1"), ("I choose 1.", "1"), ("Output (a) is better", "Output (a)")]
)
def test_a_mark_is_found(text, mark):
    assert parse_marked(text, {mark: "first", "2": "second", "Output (b)": "second"}) == "first"


@pytest.mark.parametrize("text", ["Score: 10", "1.5 points", "0.1", "11", "a1", "1 or 2", "nothing"])
def test_ten_is_not_one(text):
    with pytest.raises(ModelError):
        parse_marked(text, {"1": "first", "2": "second"})


def test_real_five_level_verdicts_are_read_as_published(shared_data):
    # claude-3-haiku under the Arena-Hard prompt; the publishers' decision is None where they could not tell either
    meaning = {"first": "A>B", "tie": "A=B", "second": "B>A"}
    [file] = (shared_data / "preferences/judgebench/llm_judge_outputs").glob("*.jsonl.gz")
    differing, unreadable = [], 0
    with gzip.open(file, "rt", encoding="utf-8") as lines:
        answers = [answer for line in lines for answer in json.loads(line)["judgments"]]
    for answer in answers:
        try:
            read = meaning[parse_marked(answer["judgment"]["response"], FIVE_LEVELS)]
        except ModelError:
            read, unreadable = None, unreadable + 1
        if read != answer["decision"]:
            differing.append(answer)
    assert len(answers) == 330
    assert unreadable == 10
    assert differing == []
