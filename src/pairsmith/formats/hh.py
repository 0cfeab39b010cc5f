"""Format `hh`: Anthropic's HH-RLHF, two transcripts of which the last answer differs."""

import functools
import itertools
import re
from collections.abc import Iterator

from pairsmith.formats.fields import (
    RowProblem,
    optional_text,
    parse_each,
    prompt_of,
    required,
    row_warnings,
    shared_start,
    text_of,
)
from pairsmith.formats.pairing import Ballots, labelled_pair, refuse_equal
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import Candidate, Message, Role

__all__ = ["is_transcript", "parse_hh"]

ANSWER_MARK = "\n\nAssistant:"
_TURN = re.compile(r"(?:^|\n\n)(Human|Assistant):")


def parse_hh(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One pair and one vote of the source per row."""
    return parse_each(rows, functools.partial(_pair, context=context, ballots=Ballots()))


def is_transcript(text: object) -> bool:
    """Whether a text is written as an HH-RLHF transcript."""
    return isinstance(text, str) and text.lstrip().startswith("Human:") and ANSWER_MARK in text


def _pair(row: Row, context: SourceContext, ballots: Ballots) -> Parsed:
    chosen_all, rejected_all = required(row.values, "chosen"), required(row.values, "rejected")
    if chosen_all == rejected_all:
        raise RowProblem("identical_answers", "rejected", "the same as chosen")
    shared = shared_start(chosen_all, rejected_all)
    split = chosen_all.rfind(ANSWER_MARK, 0, shared)
    if split < 0:
        raise RowProblem("no_common_turn", "rejected", "chosen and rejected share no 'Assistant:' turn")
    answer_at = split + len(ANSWER_MARK)
    chosen_text, rejected_text = (side[answer_at:].removeprefix(" ") for side in (chosen_all, rejected_all))
    refuse_equal(text_of(chosen_text, "chosen"), text_of(rejected_text, "rejected"))
    turns = _turns(chosen_all[:split])
    prompt = prompt_of(turns, row.values, context)
    marked = any(_TURN.search(text) for text in (chosen_text, rejected_text))
    warnings = [*row_warnings(row.values), *(["embedded_marker"] if marked else [])]
    if any(one.role == next_one.role for one, next_one in itertools.pairwise(turns)):
        warnings.append("role_order")
    return labelled_pair(
        row.line,
        prompt,
        Candidate.imported(prompt.id, chosen_text),
        Candidate.imported(prompt.id, rejected_text),
        ballots,
        optional_text(row.values, "annotator"),
        context.name,
        context.annotator_kind,
        warnings=tuple(warnings),
    )


def _turns(transcript: str) -> tuple[Message, ...]:
    """The turns of a transcript; ones without text are left out."""
    before, *parts = _TURN.split(transcript)
    if before.strip():
        raise RowProblem("wrong_role_order", "chosen", "the transcript does not begin with 'Human:'")
    roles: list[Role] = ["user" if name == "Human" else "assistant" for name in parts[::2]]
    turns = [
        Message(role, text.removeprefix(" ")) for role, text in zip(roles, parts[1::2], strict=True) if text.strip()
    ]
    if not turns or turns[-1].role != "user":
        raise RowProblem("no_user_turn", "chosen", "no 'Human:' turn before the answers")
    return tuple(turns)
