"""Format `arena`: votes between two models' conversations (Chatbot Arena, MT-Bench)."""

import functools
import re
from collections.abc import Iterator, Mapping
from typing import Any

from pairsmith.formats.conversations import check_order, messages_of, part_ways, split_answer
from pairsmith.formats.fields import (
    RowProblem,
    label_of,
    optional_text,
    parse_each,
    prompt_of,
    required,
    row_warnings,
    text_of,
)
from pairsmith.formats.pairing import Ballots, voted_pair
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import AnnotatorKind, Candidate, Label, Message

__all__ = ["parse_arena"]

WINNERS: Mapping[str, Label] = {
    "model_a": "a",
    "model_b": "b",
    "tie": "tie",
    "tie (bothbad)": "both_bad",
    "both_bad": "both_bad",
    "tie (inconsistent)": "unsure",  # a judge whose verdict turned with the order of the answers did not say "tie"
}

_MODEL_JUDGE = re.compile(r"gpt|claude|gemini|llama|command-r|mistral|qwen|deepseek", re.IGNORECASE)


def parse_arena(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One comparison and one vote per row; `turn` t says that the vote is on the t-th answers."""
    return parse_each(rows, functools.partial(_vote, context=context, ballots=Ballots()))


def _vote(row: Row, context: SourceContext, ballots: Ballots) -> Parsed:
    values = row.values
    models = required(values, "model_a"), required(values, "model_b")
    label = label_of(_there(values, "winner"), "winner", WINNERS)
    judge = _judge(values)
    conversations = [_conversation(values, f"conversation_{side}") for side in "ab"]
    count = _answers(values, conversations)
    one, other = (_up_to(turns, count) for turns in conversations)
    shared = part_ways(one, other, "conversation_b")
    prompt = prompt_of(one[:shared], values, context)
    first, second = (
        Candidate.imported(prompt.id, answer, model=model, context=before)
        for model, (before, answer) in zip(
            models, (split_answer(turns[shared:], "conversation_a") for turns in (one, other)), strict=True
        )
    )
    warnings = row_warnings(values) if judge else (*row_warnings(values), "no_annotator")
    return voted_pair(
        row.line,
        prompt,
        first,
        second,
        [(judge or context.name, _kind(judge, context), label)],
        ballots,
        in_order_shown=True,
        warnings=warnings,
    )


def _there(values: Mapping[str, Any], field: str) -> Any:
    if field not in values:
        raise RowProblem("missing_field", field, "not there")
    return values[field]


def _judge(values: Mapping[str, Any]) -> str:
    """Who voted; empty if the row has no such field. A field that is there must say it."""
    for field in ("judge", "annotator"):
        if field in values:
            value = values[field]
            return text_of(str(value) if isinstance(value, int) else value, field).strip()
    return ""


def _kind(judge: str, context: SourceContext) -> AnnotatorKind:
    if context.annotator_kind != "imported":
        return context.annotator_kind
    return "judge" if _MODEL_JUDGE.search(judge) else "human"


def _conversation(values: Mapping[str, Any], field: str) -> tuple[Message, ...]:
    turns = messages_of(_there(values, field), field, empty_answers=True)
    check_order(turns, field)
    return turns


def _answers(values: Mapping[str, Any], conversations: list[tuple[Message, ...]]) -> int:
    """Which answer the vote is on, from 1; without `turn` the last."""
    has = min(sum(turn.role == "assistant" for turn in turns) for turns in conversations)
    given = optional_text(values, "turn")
    if not given:
        count = has
    elif given.isdigit():
        count = int(given)
    else:
        raise RowProblem("wrong_type", "turn", f"expected 1, 2, ..., found {given!r}")
    if not 1 <= count <= has:
        raise RowProblem("turn_out_of_range", "turn", f"turn {count}, but there are {has} answers on both sides")
    return count


def _up_to(turns: tuple[Message, ...], count: int) -> tuple[Message, ...]:
    """The conversation up to and including its `count`-th answer."""
    at = [index for index, turn in enumerate(turns) if turn.role == "assistant"]
    return turns[: at[count - 1] + 1]
