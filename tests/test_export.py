import dataclasses
import json

import pytest

from pairsmith.config import ExportConfig
from pairsmith.records import Message, PreferencePair
from pairsmith.stages.export import EXPORT_REASONS, check_jsonl, export, to_jsonl
from tests.pairs import make_pair

STANDARD = ExportConfig(shape="standard")
CONVERSATIONAL = ExportConfig()
LONG = dataclasses.replace(
    make_pair("Hi?", "yes", "no"),
    prompt=(Message("system", "Be kind."), Message("user", "Hi?")),
)


def test_conversational_rows() -> None:
    (row,) = export(CONVERSATIONAL, [make_pair("Hi?", "yes", "no", part="train", level="good")]).kept
    assert row["prompt"] == [{"role": "user", "content": "Hi?"}]
    assert row["chosen"] == [{"role": "assistant", "content": "yes"}]
    assert row["rejected"] == [{"role": "assistant", "content": "no"}]
    assert (row["part"], row["level"], row["gap"], row["agreement"]) == ("train", "good", 1.0, 1.0)
    assert row["votes"] == {"chosen": 3, "rejected": 0, "tie": 0, "both_bad": 0, "unsure": 0}
    assert {"pair_id", "prompt_id", "chosen_id", "rejected_id", "comparison_id"} <= set(row)
    assert not {"messages", "completion", "completions", "label", "images"} & set(row), "names that TRL interprets"


def test_standard_rows_are_strings() -> None:
    (row,) = export(STANDARD, [make_pair("Hi?", "yes", "no")]).kept
    assert (row["prompt"], row["chosen"], row["rejected"]) == ("Hi?", "yes", "no")


def test_several_turns_need_the_conversational_shape() -> None:
    assert [drop.reason for drop in export(STANDARD, [LONG]).dropped] == ["multi_turn_in_standard_shape"]
    (row,) = export(CONVERSATIONAL, [LONG]).kept
    assert [turn["role"] for turn in row["prompt"]] == ["system", "user"]


@pytest.mark.parametrize(
    ("reason", "field", "pair"),
    [
        ("empty_field", "chosen", make_pair("Hi?", " \u200b", "no")),
        ("empty_field", "prompt", make_pair("", "yes", "no")),
        ("not_utf8", "rejected", dataclasses.replace(LONG, rejected=(Message("assistant", "half \ud83d"),))),
        ("not_utf8", "source", make_pair("Hi?", "yes", "no", gap=0.5)),
        ("nul_character", "chosen", make_pair("Hi?", "y\0es", "no")),
        ("not_a_number", "gap", make_pair("Hi?", "yes", "no", gap=float("nan"))),
    ],
)
def test_what_cannot_be_written(reason: str, field: str, pair: PreferencePair) -> None:
    if field == "source":
        pair = dataclasses.replace(pair, source="\udcff")
    outcome = export(CONVERSATIONAL, [pair, LONG])
    assert [(drop.reason, drop.evidence) for drop in outcome.dropped] == [(reason, {"field": field})]
    assert reason in EXPORT_REASONS
    assert len(outcome.kept) == 1
    assert outcome.metrics["format"] == {"rows": 1, "valid": 1, "errors": [], "shape": "conversational"}


def test_what_is_written_reads_back_unchanged() -> None:
    text = 'line\u2028separator, next\u0085line, tab\t, quote", back\\slash, \U0001f469\u200d\U0001f680, \r\n, 你好'
    rows = export(CONVERSATIONAL, [make_pair(text, text + "!", "no"), LONG]).kept
    data = to_jsonl(rows)
    assert data.endswith(b"\n")
    assert data.count(b"\n") == 2
    assert "你好".encode() in data
    assert [json.loads(line) for line in data.split(b"\n")[:-1]] == list(rows)
    assert check_jsonl(data) == []


def test_no_rows_is_an_empty_file() -> None:
    assert to_jsonl(export(CONVERSATIONAL, []).kept) == b""
    assert check_jsonl(b"") == []


def test_not_a_number_never_reaches_a_file() -> None:
    with pytest.raises(ValueError, match="JSON"):
        to_jsonl([{"prompt": "a", "gap": float("inf")}])


GOOD = b'{"prompt": "a", "chosen": "b", "rejected": "c"}\n'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (b"{\n", "line 2: json: "),
        (b"\n", "line 2: json: "),
        (b"[1]\n", "line 2: json: the line is not an object"),
        (b'{"prompt": "a", "chosen": "b"}\n', "line 2: rejected: is missing"),
        (b'{"prompt": "a", "chosen": "b", "rejected": " "}\n', "line 2: rejected: is empty"),
        (b'{"prompt": "a", "chosen": "b", "rejected": null}\n', "line 2: prompt: prompt, chosen and rejected must all"),
        (b'{"prompt": "a", "chosen": "\\ud83d", "rejected": "c"}\n', "line 2: chosen: holds half"),
        (b'{"prompt": "\xff", "chosen": "b", "rejected": "c"}\n', "line 2: encoding: byte 0xff at offset 12"),
        (b'{"prompt": "a", "chosen": "b", "rejected": "c", "gap": NaN}\n', "line 2: json: NaN is not JSON"),
        (GOOD[:-1], "line 2: end: the last line is not ended"),
        (b'{"prompt": 1, "chosen": 1, "rejected": 1}\n', "line 2: prompt: must be a string or a list"),
        (b'{"prompt": [], "chosen": [], "rejected": []}\n', "line 2: prompt: has no messages"),
        (b'{"prompt": [{"role": "user", "content": "a"}], "chosen": [{"role": "assistant", "content": "b"}], '
         b'"rejected": [{"role": "assistant", "content": "c"}]}\n', "line 2: prompt: strings and lists of messages"),
    ],
)  # fmt: skip
def test_a_damaged_file_is_noticed(line: bytes, problem: str) -> None:
    assert check_jsonl(GOOD) == []
    problems = check_jsonl(GOOD + line)
    assert any(each.startswith(problem) for each in problems), problems
