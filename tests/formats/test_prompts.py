"""Prompts and chat logs, and telling formats from their fields."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from pairsmith.errors import InputError
from pairsmith.formats.files import read_rows
from pairsmith.formats.parsers import PARSERS, guess_format
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import Check
from tests.formats.helpers import bad, good, turns


def text_of(parsed: Parsed) -> str:
    assert parsed.prompt is not None
    return parsed.prompt.text


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"prompt": "Q"}, "Q"),
        ({"instruction": "Do", "input": "this"}, "Do\n\nthis"),
        ({"instruction": "Do", "input": ""}, "Do"),
        ({"instruction": "Do", "instances": [{"input": "this", "output": "x"}]}, "Do\n\nthis"),
        ({"question": "Q", "answer": "A"}, "Q"),
        ({"text": "Q", "category": "c"}, "Q"),
        ({"prompt": "", "text": "Q"}, "Q"),
        ({"messages": turns("one", "two", "three")}, "one\n\ntwo\n\nthree"),
        ({"turns": ["one", "two"]}, "one"),
        ({"turns": [{"content": "one"}]}, "one"),
        ({"message_id": "1", "parent_id": None, "role": "prompter", "text": "Q", "replies": []}, "Q"),
        ({"prompt": {"text": "Q", "role": "prompter", "replies": []}}, "Q"),
    ],
)
def test_what_is_asked_is_found(row: dict[str, Any], expected: str) -> None:
    assert text_of(good("prompts", row)) == expected


def test_attributes_and_checks_are_kept() -> None:
    checks = [{"kind": "exact", "args": {"answer": "4"}}, {"kind": "json"}]
    row = {"prompt": "Q", "category": "math", "difficulty": 2, "form": "question", "lang": "en", "checks": checks}
    prompt = good("prompts", row).prompt
    assert prompt is not None
    assert (prompt.category, prompt.difficulty, prompt.form, prompt.language) == ("math", "2", "question", "en")
    assert prompt.checks == (Check("exact", {"answer": "4"}), Check("json", {}))


@pytest.mark.parametrize(
    ("row", "expected"),
    [
        ({"answer": "x"}, ("missing_field", "prompt")),
        ({"prompt": None}, ("null_value", "prompt")),
        ({"prompt": "  "}, ("blank_text", "prompt")),
        ({"prompt": "Q", "category": ["x"]}, ("wrong_type", "category")),
        ({"prompt": "Q", "checks": "exact"}, ("invalid_checks", "checks")),
        ({"prompt": "Q", "checks": [{"kind": ""}]}, ("invalid_checks", "checks[0]")),
        ({"prompt": "Q", "checks": [{"kind": "x", "arg": 1}]}, ("invalid_checks", "checks[0]")),
        ({"messages": turns("one", "two")}, ("not_a_prompt", "messages")),
        ({"messages": [{"role": "system", "content": "s"}]}, ("no_user_turn", "messages")),
        ({"messages": [*turns("a"), *turns("b")]}, ("wrong_role_order", "messages[1]")),
        ({"turns": []}, ("empty_messages", "turns")),
        ({"text": "A", "role": "assistant", "parent_id": "1"}, ("not_a_prompt", "role")),
    ],
)
def test_unusable_prompts(row: dict[str, Any], expected: tuple[str, str]) -> None:
    assert bad("prompts", row) == expected


def test_replies_of_open_assistant_become_candidates(shared_data: Path) -> None:
    for name in ("en_100_tree.jsonl.gz", "en_100_message.jsonl.gz"):
        rows = list(PARSERS["prompts"](read_rows(shared_data / "prompts/oasst" / name), SourceContext("o")))
        parsed = [row for row in rows if isinstance(row, Parsed)]
        assert len(parsed) == len(rows) == 58
        assert sum(len(row.candidates) for row in parsed) == 187
        assert {candidate.origin for row in parsed for candidate in row.candidates} == {"imported"}


def test_a_chat_log_is_a_prompt_and_the_last_answer() -> None:
    for row in (
        {"messages": turns("one", "two", "three", "four"), "model": "m"},
        {
            "conversations": [
                {"from": "system", "value": ""},
                {"from": "human", "value": "one"},
                {"from": "gpt", "value": "two"},
                {"from": "human", "value": "three"},
                {"from": "gpt", "value": "four"},
            ],
            "model": "m",
        },
    ):
        parsed = good("chat", row)
        assert text_of(parsed) == "one\n\ntwo\n\nthree"
        assert [(each.text, each.model, each.origin) for each in parsed.candidates] == [("four", "m", "imported")]


def test_a_chat_log_that_ends_with_the_user_has_no_candidate() -> None:
    parsed = good("chat", {"messages": turns("one", "two", "three")})
    assert (text_of(parsed), parsed.candidates) == ("one\n\ntwo\n\nthree", ())
    assert "no_answer" in parsed.warnings


@pytest.mark.parametrize(
    ("messages", "expected"),
    [
        ([], ("empty_messages", "messages")),
        (None, ("null_value", "messages")),
        ("user: hi", ("wrong_type", "messages")),
        ([{"content": "x"}], ("unknown_role", "messages[0]")),
        ([*turns("a"), {"role": "tool", "content": "x"}], ("tool_calls", "messages[1]")),
        (
            [*turns("a"), {"role": "assistant", "content": None, "function_call": {"name": "f"}}],
            ("tool_calls", "messages[1]"),
        ),
        ([*turns("a"), {"role": "assistant", "content": None}], ("null_value", "messages[1].content")),
        ([{"role": "user", "content": [{"type": "text", "text": "x"}]}], ("content_parts", "messages[0]")),
        (turns("a", "b")[::-1], ("wrong_role_order", "messages[0]")),
        ([{"role": "system", "content": "s"}], ("no_user_turn", "messages")),
    ],
)
def test_unusable_conversations(messages: Any, expected: tuple[str, str]) -> None:
    assert bad("chat", {"messages": messages}) == expected


def test_a_log_with_tools_is_kept_up_to_its_last_answer_in_words() -> None:
    call = {"role": "assistant", "content": None, "tool_calls": [{"id": "1"}]}
    reply = {"role": "tool", "content": "42"}
    log = [*turns("a", "b", "c"), call, reply, {"role": "assistant", "content": "It is 42."}]
    parsed = good("chat", {"messages": log, "finish_reason": "stop"})
    assert text_of(parsed) == "a"
    (candidate,) = parsed.candidates
    assert (candidate.text, candidate.finish_reason) == ("b", "")
    assert "cut_before_tools" in parsed.warnings
    assert bad("chat", {"messages": [*turns("a"), call, reply]}) == ("tool_calls", "messages[1]")
    assert bad("chat", {"messages": [call, *turns("a", "b")]}) == ("tool_calls", "messages[0]")


def test_real_logs_with_tool_calls_keep_what_comes_before_them(shared_data: Path) -> None:
    rows = list(PARSERS["chat"](read_rows(shared_data / "logs/tau_bench/gpt-4o-airline.json.gz"), SourceContext("t")))
    assert len(rows) == 120
    assert {row.reason for row in rows if isinstance(row, BadRow)} <= {"tool_calls"}
    kept = [row for row in rows if isinstance(row, Parsed)]
    assert len(kept) == 118
    assert sum("cut_before_tools" in row.warnings and len(row.candidates) == 1 for row in kept) == 108


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ("preferences/mt_bench/human_judgments_hf_schema.jsonl.gz", "arena"),
        ("preferences/mt_bench/gpt4_pair.jsonl", "arena"),
        ("preferences/pandalm/testset-v1.json", "pandalm"),
        ("preferences/hh_rlhf/harmless-base_test.jsonl.gz", "hh"),
        ("nasty/wrong_types_and_fields.jsonl", "preference"),
        ("nasty/annotations_conflicts.jsonl", "votes"),
        ("logs/tau_bench/gpt-4o-airline.json.gz", "chat"),
        ("candidates/arena-hard-v0.1_model_answer/gpt-4-0613.jsonl.gz", "chat"),
        ("prompts/arena-hard-v0.1_question.jsonl.gz", "prompts"),
        ("prompts/self_instruct_seed_tasks.jsonl", "prompts"),
        ("prompts/oasst/en_100_tree.jsonl.gz", "prompts"),
        ("prompts/banking77_train.csv.gz", "prompts"),
        ("benchmarks/mt_bench_question.jsonl", "prompts"),
    ],
)
def test_formats_are_recognised(shared_data: Path, file: str, expected: str) -> None:
    rows = [row for row in read_rows(shared_data / file) if isinstance(row, Row)]
    assert guess_format(rows[:200]) == expected


def rows_of(*values: dict[str, Any]) -> Sequence[Row]:
    return [Row(line, each) for line, each in enumerate(values, start=1)]


def test_the_most_frequent_format_wins() -> None:
    pair = {"prompt": "x", "chosen": "a", "rejected": "b"}
    assert guess_format(rows_of({"prompt": "x"}, pair, pair)) == "preference"
    assert guess_format(rows_of({"messages": turns("a")}, {"messages": turns("a", "b")})) == "prompts"


def test_unknown_fields_and_two_names_for_one_side_stop_before_any_work() -> None:
    with pytest.raises(InputError, match=r"line 1: .*bar, foo"):
        guess_format(rows_of({"foo": 1, "bar": 2}))
    with pytest.raises(InputError, match="line 2: chosen and chosen_response"):
        guess_format(rows_of({"prompt": "x"}, {"chosen": "a", "chosen_response": "b"}))
