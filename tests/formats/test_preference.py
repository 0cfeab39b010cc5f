"""Pairs in all their shapes: what becomes prompt and answers, and what is refused."""

from typing import Any

import pytest

from pairsmith.formats.parsers import PARSERS
from pairsmith.formats.rows import BadRow, Parsed, SourceContext
from pairsmith.records import Message
from tests.formats.helpers import bad, good, parse, turns

U, A = "user", "assistant"


def taken_apart(parsed: Parsed) -> tuple[list[tuple[str, str]], list[tuple[str, str]], list[tuple[str, str]]]:
    """Prompt, chosen and rejected as (role, content)."""
    (comparison,), (vote,) = parsed.comparisons, parsed.annotations
    by_id = {candidate.id: candidate for candidate in parsed.candidates}
    chosen, rejected = by_id[comparison.a], by_id[comparison.b]
    if vote.label == "b":
        chosen, rejected = rejected, chosen
    assert parsed.prompt is not None
    return tuple(  # type: ignore[return-value]
        [(turn.role, turn.content) for turn in messages]
        for messages in (parsed.prompt.messages, chosen.completion, rejected.completion)
    )


def message(content: str, role: str = A) -> dict[str, str]:
    return {"role": role, "content": content}


PLAIN = ([(U, "Why?")], [(A, "good")], [(A, "poor")])
LONG = ([(U, "Why?"), (A, "So."), (U, "And?")], [(A, "good")], [(A, "poor")])

SHAPES: dict[str, tuple[dict[str, Any], Any]] = {
    "standard": ({"prompt": "Why?", "chosen": "good", "rejected": "poor"}, PLAIN),
    "conversational": (
        {"prompt": turns("Why?"), "chosen": [message("good")], "rejected": [message("poor")]},
        PLAIN,
    ),
    "conversational prompt with an answer in it": (
        {"prompt": turns("Why?", "So.", "And?"), "chosen": [message("good")], "rejected": [message("poor")]},
        LONG,
    ),
    "implicit conversational prompt": (
        {"chosen": turns("Why?", "So.", "And?", "good"), "rejected": turns("Why?", "So.", "And?", "poor")},
        LONG,
    ),
    "implicit prompt in texts": (
        {"chosen": "Why?\nIt is good", "rejected": "Why?\nIt is poor"},
        ([(U, "Why?")], [(A, "It is good")], [(A, "It is poor")]),
    ),
    "implicit prompt in one line, cut at a word": (
        {"chosen": "The sky is blue.", "rejected": "The sky is black."},
        ([(U, "The sky is")], [(A, "blue.")], [(A, "black.")]),
    ),
    "prompt repeated in the answers": (
        {"prompt": turns("Why?"), "chosen": turns("Why?", "good"), "rejected": turns("Why?", "poor")},
        PLAIN,
    ),
    "distilabel": ({"prompt": "Why?", "chosen": turns("Why?", "good"), "rejected": turns("Why?", "poor")}, PLAIN),
    "openai": (
        {
            "input": {"messages": turns("Why?")},
            "preferred_output": [message("good")],
            "non_preferred_output": [message("poor")],
        },
        PLAIN,
    ),
    "llama-factory alpaca": (
        {"instruction": "Why?", "input": "", "chosen": "good", "rejected": "poor"},
        PLAIN,
    ),
    "llama-factory sharegpt": (
        {
            "conversations": [{"from": "human", "value": "Why?"}],
            "chosen": {"from": "gpt", "value": "good"},
            "rejected": {"from": "gpt", "value": "poor"},
        },
        PLAIN,
    ),
    "instruction with input": (
        {"instruction": "Sum up.", "input": "Text", "chosen": "good", "rejected": "poor"},
        ([(U, "Sum up.\n\nText")], [(A, "good")], [(A, "poor")]),
    ),
    "aliases and capitals": (
        {"Question": "Why?", "Chosen Response": "good", "rejected-response": "poor"},
        PLAIN,
    ),
    "system message": (
        {
            "prompt": [message("Be brief.", "system"), message("Why?", U)],
            "chosen": [message("good")],
            "rejected": [message("poor")],
        },
        ([("system", "Be brief."), (U, "Why?")], [(A, "good")], [(A, "poor")]),
    ),
    "answers of several turns": (
        {"chosen": turns("Why?", "So.", "And?", "good"), "rejected": turns("Why?", "Hm.", "And?", "poor")},
        ([(U, "Why?")], [(A, "So."), (U, "And?"), (A, "good")], [(A, "Hm."), (U, "And?"), (A, "poor")]),
    ),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_is_taken_apart(shape: str) -> None:
    row, expected = SHAPES[shape]
    assert taken_apart(good("preference", row)) == expected


STANDARD = SHAPES["standard"][0]

REFUSED: list[tuple[dict[str, Any], tuple[str, str]]] = [
    ({"chosen": "a", "rejected": "b"}, ("missing_field", "prompt")),
    ({"prompt": "x", "rejected": "b"}, ("missing_field", "chosen")),
    ({"prompt": "x", "chosen": "a"}, ("missing_field", "rejected")),
    ({**STANDARD, "prompt": None}, ("null_value", "prompt")),
    ({**STANDARD, "prompt": 5}, ("wrong_type", "prompt")),
    ({**STANDARD, "prompt": ["a"]}, ("wrong_type", "prompt[0]")),
    ({**STANDARD, "chosen": True}, ("wrong_type", "chosen")),
    ({**STANDARD, "rejected": ""}, ("empty_text", "rejected")),
    ({**STANDARD, "chosen": " \u00a0\u200b\u3164\u2060"}, ("blank_text", "chosen")),
    ({**STANDARD, "rejected": "good"}, ("identical_answers", "rejected")),
    ({**STANDARD, "rejected": " GO\u200bOD "}, ("equal_after_normalising", "rejected")),
    ({**STANDARD, "chosen_response": "good"}, ("alias_collision", "chosen")),
    ({**STANDARD, "Chosen": "good"}, ("alias_collision", "chosen")),
    ({**STANDARD, "rejected": [message("x")]}, ("mixed_types", "rejected")),
    ({**STANDARD, "chosen": []}, ("empty_messages", "chosen")),
    ({"prompt": turns("Why?", "So."), "chosen": "a", "rejected": "b"}, ("wrong_role_order", "prompt")),
    ({"chosen": turns("Why?", "a"), "rejected": turns("Who?", "b")}, ("prompt_mismatch", "chosen")),
    (
        {"prompt": "Who?", "chosen": turns("Why?", "a"), "rejected": turns("Why?", "b")},
        ("prompt_mismatch", "chosen"),
    ),
    ({"chosen": turns("Why?", "a", "And?"), "rejected": turns("Why?", "b")}, ("ends_without_answer", "chosen")),
    (
        {**STANDARD, "chosen": [{"role": A, "content": "", "tool_calls": [1]}], "rejected": [message("x")]},
        ("tool_calls", "chosen[0]"),
    ),
    (
        {**STANDARD, "chosen": [{"role": A, "content": [{"type": "image"}]}], "rejected": [message("x")]},
        ("content_parts", "chosen[0]"),
    ),
    ({**STANDARD, "chosen": [message("x", "critic")], "rejected": [message("y")]}, ("unknown_role", "chosen[0]")),
    ({**STANDARD, "chosen_rating": "9/10", "rejected_rating": 3}, ("wrong_type", "chosen_rating")),
    (
        {**STANDARD, "score_chosen": 11, "score_rejected": 3, "scale": [1, 10]},
        ("score_out_of_scale", "score_chosen"),
    ),
]


@pytest.mark.parametrize(("row", "expected"), REFUSED, ids=[f"{r}-{at}" for at, (_, (r, _f)) in enumerate(REFUSED)])
def test_unusable_rows_name_reason_and_field(row: dict[str, Any], expected: tuple[str, str]) -> None:
    assert bad("preference", row) == expected


def test_the_vote_is_that_of_the_source_or_of_the_annotator_in_the_row() -> None:
    context = SourceContext("src", annotator_kind="human")
    (vote,) = good("preference", STANDARD, context).annotations
    assert (vote.annotator, vote.kind, vote.revision, vote.shown_first) == ("src", "human", 0, None)
    (vote,) = good("preference", {**STANDARD, "annotator": "ann"}, context).annotations
    assert vote.annotator == "ann"


def test_the_same_pair_the_other_way_round_is_a_second_vote_on_one_comparison() -> None:
    reversed_row = {**STANDARD, "chosen": "poor", "rejected": "good"}
    first, second = parse("preference", STANDARD, reversed_row)
    assert isinstance(first, Parsed)
    assert isinstance(second, Parsed)
    assert first.comparisons == second.comparisons
    (one,), (other,) = first.annotations, second.annotations
    assert {one.label, other.label} == {"a", "b"}
    assert (one.annotator, other.annotator) == ("a-source", "a-source (reversed)")  # neither replaces the other
    assert "reversed_pair" in second.warnings
    parsed = parse("preference", *({**row, "annotator": "ann"} for row in (STANDARD, reversed_row)))
    votes = [vote for each in parsed if isinstance(each, Parsed) for vote in each.annotations]
    assert [(vote.annotator, vote.revision) for vote in votes] == [("ann", 0), ("ann", 1)]  # second thoughts


def test_scores_need_a_scale() -> None:
    scored = {**STANDARD, "score_chosen": 2.5, "score_rejected": 4}
    parsed = good("preference", scored)
    assert not parsed.scores
    assert {"score_without_scale", "scores_contradict_label"} <= set(parsed.warnings)
    scores = good("preference", {**scored, "scale": [0, 5], "scorer": "rm"}).scores
    assert [(score.scorer, score.value, score.scale) for score in scores] == [("rm", 2.5, (0, 5)), ("rm", 4, (0, 5))]


def test_attributes_come_from_the_row_first_and_the_configuration_second() -> None:
    context = SourceContext("src", licence="MIT", category="other", language="en")
    prompt = good("preference", {**STANDARD, "category": "math", "license": "GPL"}, context).prompt
    assert prompt is not None
    assert (prompt.category, prompt.language, prompt.licence, prompt.source) == ("math", "en", "MIT", "src")


@pytest.mark.parametrize(
    ("row", "warning"),
    [
        ({**STANDARD, "id": ""}, "unusable_id"),
        ({**STANDARD, "id": ["x"]}, "unusable_id"),
        ({"Prompt": "Why?", "chosen": "good", "rejected": "poor"}, "renamed_field"),
        ({**STANDARD, "prompt": "<|im_start|>system"}, "special_tokens"),
        ({**STANDARD, "prompt": "a\u202eb"}, "bidi_control"),
        ({**STANDARD, "chosen": "I'm sorry, but I can't help with that."}, "refusal_chosen"),
        ({**STANDARD, "rejected": "As an AI language model, I think."}, "self_reference"),
        ({**STANDARD, "rejected": "```python\nprint(1)"}, "unbalanced_code_fence"),
        ({**STANDARD, "rejected": "over and over again " * 40}, "looped_text"),
        ({**STANDARD, "rejected": "No"}, "one_word_answer"),
        ({**STANDARD, "chosen": "x " * 200 + "a", "rejected": "x " * 200 + "b"}, "nearly_identical"),
        ({**STANDARD, "prompt": "Explain this at length", "chosen": "Explain this at length: so"}, "prompt_echo"),
        (
            {**STANDARD, "prompt": "Repeat: the quick brown fox jumps", "chosen": "the quick brown fox jumps"},
            "answer_in_prompt",
        ),
    ],
)
def test_odd_rows_are_kept_with_a_warning(row: dict[str, Any], warning: str) -> None:
    assert warning in good("preference", row).warnings


def test_plain_rows_have_no_warnings() -> None:
    row = {"id": 7, "prompt": "What is it?", "chosen": "It is a tree.", "rejected": "A stone, I guess."}
    assert good("preference", row).warnings == ()


def test_bad_rows_from_the_reader_pass_through() -> None:
    unreadable = BadRow(3, "", "invalid_json", "x")
    for parser in PARSERS.values():
        assert list(parser(iter([unreadable]), SourceContext("s"))) == [unreadable]


def test_messages_are_records() -> None:
    prompt = good("preference", STANDARD).prompt
    assert prompt is not None
    assert prompt.messages == (Message("user", "Why?"),)
