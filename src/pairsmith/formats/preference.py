"""Format `preference`: chosen and rejected, in every shape TRL, OpenAI, OpenRLHF, distilabel and LLaMA-Factory use."""

import functools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pairsmith.formats.conversations import check_order, messages_of, part_ways, split_answer
from pairsmith.formats.fields import (
    RowProblem,
    first_of,
    number_of,
    only_one_of,
    optional_text,
    parse_each,
    prompt_of,
    row_warnings,
    shared_start,
    text_of,
)
from pairsmith.formats.pairing import Ballots, labelled_pair, refuse_equal
from pairsmith.formats.prompts import with_input
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.formats.signals import SCORE_PAIRS
from pairsmith.records import Candidate, Message, Score

__all__ = ["CHOSEN_FIELDS", "REJECTED_FIELDS", "parse_preference"]

CHOSEN_FIELDS = ("chosen", "chosen_response", "preferred_output", "preferred")
REJECTED_FIELDS = ("rejected", "rejected_response", "non_preferred_output", "dispreferred")
PROMPT_FIELDS = ("prompt", "instruction", "question", "query", "context", "conversations", "input", "messages")

Turns = tuple[Message, ...]


@dataclass(frozen=True, slots=True)
class _Sides:
    """A row taken apart: the shared turns, and all turns of each side after them."""

    prompt: Turns
    chosen: Turns
    rejected: Turns
    warnings: tuple[str, ...] = ()


def parse_preference(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One pair and one vote per row. The vote is that of the source, or of the row's `annotator` if it names one."""
    return parse_each(rows, functools.partial(_pair, context=context, ballots=Ballots()))


def _pair(row: Row, context: SourceContext, ballots: Ballots) -> Parsed:
    values = row.values
    chosen_field, rejected_field = only_one_of(values, CHOSEN_FIELDS), only_one_of(values, REJECTED_FIELDS)
    sides = _sides(values, chosen_field, rejected_field)
    before_chosen, chosen_text = split_answer(sides.chosen, chosen_field)
    before_rejected, rejected_text = split_answer(sides.rejected, rejected_field)
    if before_chosen == before_rejected:
        refuse_equal(chosen_text, rejected_text, rejected_field)
    prompt = prompt_of(sides.prompt, values, context)
    model = optional_text(values, "model")
    chosen = Candidate.imported(
        prompt.id, chosen_text, model=optional_text(values, "chosen_model") or model, context=before_chosen
    )
    rejected = Candidate.imported(
        prompt.id, rejected_text, model=optional_text(values, "rejected_model") or model, context=before_rejected
    )
    scores, about_scores = _scores(values, chosen, rejected, context)
    return labelled_pair(
        row.line,
        prompt,
        chosen,
        rejected,
        ballots,
        optional_text(values, "annotator"),
        context.name,
        context.annotator_kind,
        scores=scores,
        warnings=(*row_warnings(values), *sides.warnings, *about_scores),
    )


def _sides(values: Mapping[str, Any], chosen_field: str, rejected_field: str) -> _Sides:
    prompt = _prompt(values)
    chosen, rejected = (_completion(values[field], field) for field in (chosen_field, rejected_field))
    if isinstance(chosen, str) != isinstance(rejected, str):
        raise RowProblem("mixed_types", rejected_field, "chosen and rejected must both be text or both be messages")
    if isinstance(chosen, str) or isinstance(rejected, str):
        return _texts(prompt, str(chosen), str(rejected))
    return _conversations(prompt, chosen, rejected, chosen_field)


def _completion(value: Any, field: str) -> str | Turns:
    if isinstance(value, dict):  # LLaMA-Factory writes the one answer of a side as an object
        value = [value]
    return messages_of(value, field) if isinstance(value, list) else text_of(value, field)


def _prompt(values: Mapping[str, Any]) -> str | Turns | None:
    field = first_of(values, PROMPT_FIELDS)
    if field is None:
        return None
    value = values[field]
    if isinstance(value, dict):  # OpenAI: input.messages
        field, value = f"{field}.messages", value.get("messages")
    if isinstance(value, list):
        turns = messages_of(value, field)
        check_order(turns, field)
        return turns
    text = text_of(value, field)
    return with_input(text, optional_text(values, "input")) if field == "instruction" else text


def _texts(prompt: str | Turns | None, chosen: str, rejected: str) -> _Sides:
    if prompt is None:
        cut = _shared_text(chosen, rejected)
        if not chosen[:cut].strip():
            raise RowProblem("missing_field", "prompt", "no prompt, and chosen and rejected share no beginning")
        prompt, chosen, rejected = chosen[:cut].strip(), chosen[cut:], rejected[cut:]
        text_of(chosen, "chosen")
        text_of(rejected, "rejected")
        return _Sides((Message("user", prompt),), _answer(chosen), _answer(rejected), ("implicit_prompt",))
    turns = (Message("user", prompt),) if isinstance(prompt, str) else _ending_with_user(prompt)
    return _Sides(turns, _answer(chosen), _answer(rejected))


def _shared_text(chosen: str, rejected: str) -> int:
    """Where the implicit prompt of two texts ends: after the last whole line they share, else the last whole word.

    A cut anywhere else would move the words that both answers begin with into the prompt, letter by letter.
    """
    shared = shared_start(chosen, rejected)
    line = chosen.rfind("\n", 0, shared) + 1
    return line if chosen[:line].strip() else chosen.rfind(" ", 0, shared) + 1


def _answer(text: str) -> Turns:
    return (Message("assistant", text),)


def _ending_with_user(prompt: Turns) -> Turns:
    if prompt[-1].role != "user":
        raise RowProblem("wrong_role_order", "prompt", "ends with an assistant turn; the answers would follow it")
    return prompt


def _conversations(prompt: str | Turns | None, chosen: Turns, rejected: Turns, field: str) -> _Sides:
    repeated: tuple[str, ...] = ()
    if prompt is None or chosen[0].role != "assistant":
        check_order(chosen, field)
        check_order(rejected, "rejected")
        split_answer(chosen, field)
        split_answer(rejected, "rejected")
        shared = part_ways(chosen, rejected, field)
        if prompt is not None and not _same_prompt(prompt, chosen[:shared]):
            raise RowProblem("prompt_mismatch", field, "the messages before the answer are not those of the prompt")
        repeated = ("implicit_prompt",) if prompt is None else ("prompt_repeated",)
        return _Sides(chosen[:shared], chosen[shared:], rejected[shared:], repeated)
    check_order(chosen, field, "assistant")
    check_order(rejected, "rejected", "assistant")
    turns = (Message("user", prompt),) if isinstance(prompt, str) else _ending_with_user(prompt)
    return _Sides(turns, chosen, rejected)


def _same_prompt(prompt: str | Turns, shared: Turns) -> bool:
    if isinstance(prompt, str):  # distilabel gives the last user turn, sometimes the first
        return prompt.strip() in (turn.content.strip() for turn in shared if turn.role == "user")
    return prompt == shared[: len(prompt)]


def _scores(
    values: Mapping[str, Any], chosen: Candidate, rejected: Candidate, context: SourceContext
) -> tuple[tuple[Score, ...], tuple[str, ...]]:
    of_chosen, of_rejected = zip(*SCORE_PAIRS, strict=True)
    fields = first_of(values, of_chosen), first_of(values, of_rejected)
    present = [field for field in fields if field is not None and values[field] not in (None, "")]
    if not present:
        return (), ()
    numbers = {field: number_of(values[field], field) for field in present}
    found: list[Score] = []
    warnings: list[str] = []
    scale = _scale(values.get("scale"))
    scorer = optional_text(values, "scorer") or context.name
    for field, candidate in zip(fields, (chosen, rejected), strict=True):
        if scale is None or field is None or field not in numbers:
            continue
        if not scale[0] <= numbers[field] <= scale[1]:
            raise RowProblem("score_out_of_scale", field, f"{numbers[field]} is not within {list(scale)}")
        found.append(Score.of(candidate.id, scorer, numbers[field], scale))
    if scale is None:
        warnings.append("score_without_scale")
    if len(present) == 2 and numbers[present[0]] < numbers[present[1]]:
        warnings.append("scores_contradict_label")
    return tuple(found), tuple(warnings)


def _scale(value: Any) -> tuple[float, float] | None:
    if value in (None, ""):
        return None
    if not isinstance(value, list) or len(value) != 2:
        raise RowProblem("wrong_type", "scale", "expected [lowest, highest]")
    low, high = number_of(value[0], "scale[0]"), number_of(value[1], "scale[1]")
    if low >= high:
        raise RowProblem("wrong_type", "scale", f"expected [lowest, highest], found {[low, high]}")
    return low, high
