"""Format `chat`: logs of conversations (OpenAI `messages`, ShareGPT `conversations`)."""

import functools
from collections.abc import Iterator

from pairsmith.formats.advice import advise_answer, advise_prompt
from pairsmith.formats.conversations import before_tools, check_order, messages_of, split_answer
from pairsmith.formats.fields import RowProblem, first_of, optional_text, parse_each, prompt_of, row_warnings
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import Candidate

__all__ = ["CHAT_FIELDS", "parse_chat"]

CHAT_FIELDS = ("messages", "conversations", "conversation", "traj", "dialogue")


def parse_chat(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """Everything before the last assistant turn is the prompt, that turn an imported candidate.

    A conversation that uses tools ends, for us, with the last answer in words before the first of them.
    """
    return parse_each(rows, functools.partial(_conversation, context=context))


def _conversation(row: Row, context: SourceContext) -> Parsed:
    values = row.values
    field = first_of(values, CHAT_FIELDS)
    if field is None:
        raise RowProblem("missing_field", "messages", f"none of {', '.join(CHAT_FIELDS)}")
    kept, cut = before_tools(values[field])
    noted = (*row_warnings(values), *(("cut_before_tools",) if cut else ()))
    turns = messages_of(kept, field)
    check_order(turns, field)
    if turns[-1].role == "user":
        prompt = prompt_of(turns, values, context)
        return Parsed(row.line, prompt, warnings=(*noted, "no_answer", *advise_prompt(turns)))
    before, answer = split_answer(turns, field)
    prompt = prompt_of(before, values, context)
    candidate = Candidate.imported(
        prompt.id,
        answer,
        model=optional_text(values, "model", "model_name"),
        finish_reason="" if cut else optional_text(values, "finish_reason"),
        unpaired=True,
    )
    warnings = dict.fromkeys((*noted, *advise_prompt(before), *advise_answer(candidate)))
    return Parsed(row.line, prompt, (candidate,), warnings=tuple(warnings))
