"""Formats `prompts` and `text`: what is to be asked, with no labels.

Read: plain prompt files, self-instruct tasks, Vicuna and Arena-Hard questions, OpenAssistant messages and trees.
"""

import dataclasses
import functools
from collections.abc import Iterator, Mapping
from typing import Any

from pairsmith.formats.advice import advise_answer, advise_prompt
from pairsmith.formats.conversations import check_order, messages_of
from pairsmith.formats.fields import (
    RowProblem,
    first_of,
    optional_text,
    parse_each,
    prompt_of,
    required,
    row_warnings,
    text_of,
)
from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import Candidate, Check, Message

__all__ = ["PROMPT_FIELDS", "parse_prompts", "with_input"]

PROMPT_FIELDS = ("prompt", "instruction", "question", "query", "text")


def parse_prompts(rows: Iterator[Row | BadRow], context: SourceContext) -> Iterator[Parsed | BadRow]:
    """One prompt per row; OpenAssistant rows bring the replies as candidates."""
    return parse_each(rows, functools.partial(_prompt, context=context))


def with_input(instruction: str, extra: str) -> str:
    """An instruction and the material it is about, as one text."""
    return f"{instruction.rstrip()}\n\n{extra}" if extra else instruction


def _prompt(row: Row, context: SourceContext) -> Parsed:
    values = row.values
    node = _oasst_node(values)
    if node is not None:
        return _oasst(row, node, context)
    messages, warnings = _messages(values)
    prompt = prompt_of(messages, values, context)
    checks = _checks(values.get("checks"))
    if checks:
        prompt = dataclasses.replace(prompt, checks=checks)
    return Parsed(row.line, prompt, warnings=(*row_warnings(values), *warnings, *advise_prompt(messages)))


def _messages(values: Mapping[str, Any]) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    name = first_of(values, ("messages", "turns", *PROMPT_FIELDS))
    if name is None:
        raise RowProblem("missing_field", "prompt", f"none of {', '.join((*PROMPT_FIELDS, 'messages', 'turns'))}")
    value = values[name]
    if name == "turns":
        return _first_turn(value)
    if name == "messages" or (name == "prompt" and isinstance(value, list)):
        messages = messages_of(value, name)
        check_order(messages, name)
        if messages[-1].role != "user":
            raise RowProblem("not_a_prompt", name, "ends with an answer; give the source the format `chat`")
        return messages, ()
    return (Message("user", with_input(text_of(value, name), _input(values))),), ()


def _first_turn(value: Any) -> tuple[tuple[Message, ...], tuple[str, ...]]:
    if not isinstance(value, list) or not value:
        raise RowProblem("empty_messages" if value == [] else "wrong_type", "turns", "expected a list of user turns")
    first = value[0]
    text = text_of(first.get("content") if isinstance(first, dict) else first, "turns[0]")
    return (Message("user", text),), ("later_turns_ignored",) if len(value) > 1 else ()


def _input(values: Mapping[str, Any]) -> str:
    """The `input` beside an instruction; self-instruct keeps it in the first of its instances."""
    if "input" in values:
        return optional_text(values, "input")
    instances = values.get("instances")
    if isinstance(instances, list) and instances and isinstance(instances[0], dict):
        return optional_text(instances[0], "input")
    return ""


def _checks(value: Any) -> tuple[Check, ...]:
    if value in (None, "", []):
        return ()
    if not isinstance(value, list):
        raise RowProblem("invalid_checks", "checks", f"expected a list, found {type(value).__name__}")
    for index, item in enumerate(value):
        good = isinstance(item, dict) and isinstance(item.get("kind"), str) and item["kind"]
        if not good or not isinstance(item.get("args", {}), dict) or set(item) - {"kind", "args"}:
            raise RowProblem("invalid_checks", f"checks[{index}]", 'expected {"kind": text, "args": object}')
    return tuple(Check(item["kind"], item.get("args", {})) for item in value)


def _oasst_node(values: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """The first message of an OpenAssistant row, which is a tree or a message with its replies."""
    if isinstance(tree := values.get("prompt"), dict):
        return tree
    return values if "text" in values and values.get("role") in ("prompter", "assistant") else None


def _oasst(row: Row, node: Mapping[str, Any], context: SourceContext) -> Parsed:
    parent = node.get("parent_id") or node.get("parent_message_id")
    if node.get("role") == "assistant" or parent:
        raise RowProblem("not_a_prompt", "role", "an answer" if node.get("role") == "assistant" else "a later turn")
    messages = (Message("user", required(node, "text")),)
    prompt = prompt_of(messages, {"lang": node.get("lang"), **row.values}, context)
    replies = node.get("replies")
    candidates = tuple(
        Candidate.imported(
            prompt.id, text_of(reply.get("text"), "replies"), model=optional_text(reply, "model_name"), unpaired=True
        )
        for reply in (replies if isinstance(replies, list) else [])
        if isinstance(reply, dict) and reply.get("role") == "assistant" and not reply.get("deleted")
    )
    unique = tuple({candidate.id: candidate for candidate in candidates}.values())
    warnings = dict.fromkeys([*advise_prompt(messages), *(code for each in unique for code in advise_answer(each))])
    return Parsed(row.line, prompt, unique, warnings=tuple(warnings))
