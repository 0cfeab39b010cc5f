"""Conversations in the ways others write them, turned into messages; and where two of them part."""

from collections.abc import Mapping, Sequence
from typing import Any

from pairsmith.formats.fields import RowProblem, text_of
from pairsmith.records import Message, Role

__all__ = ["ROLE_NAMES", "before_tools", "check_order", "messages_of", "part_ways", "split_answer"]

ROLE_NAMES: Mapping[str, Role] = {
    "system": "system",
    "developer": "system",
    "user": "user",
    "human": "user",
    "prompter": "user",
    "assistant": "assistant",
    "gpt": "assistant",
    "model": "assistant",
    "bot": "assistant",
    "chatgpt": "assistant",
}
_TOOL_ROLES = ("tool", "function", "function_call", "observation", "ipython")
_TOOL_KEYS = ("tool_calls", "function_call", "tool_call_id")


def messages_of(value: Any, field: str, *, empty_answers: bool = False) -> tuple[Message, ...]:
    """The messages in a list of `{role, content}` or `{from, value}` objects; empty system messages are left out.

    Args:
        value: what the row holds.
        field: its name, for error messages.
        empty_answers: accept assistant messages without text, as votes on real answers need.

    Raises:
        RowProblem: if it is not such a list, is empty, or holds anything but text.
    """
    if value is None:
        raise RowProblem("null_value", field, "null")
    if not isinstance(value, list):
        raise RowProblem("wrong_type", field, f"expected a list of messages, found {type(value).__name__}")
    if not value:
        raise RowProblem("empty_messages", field, "no messages")
    turns = [_message(item, f"{field}[{index}]", empty_answers) for index, item in enumerate(value)]
    return tuple(turn for turn in turns if turn is not None)


def before_tools(value: Any) -> tuple[Any, bool]:
    """The messages up to the last answer in words before the first use of a tool, and whether anything was cut.

    What follows a tool call rests on what the tool said, which no text model can know. Without such an answer, and for
    anything that is no list of messages, the value is returned as it is.
    """
    messages = value if isinstance(value, list) and all(isinstance(item, dict) for item in value) else []
    first = next((place for place, item in enumerate(messages) if _tool(item)), len(messages))
    answers = [place for place in range(first) if ROLE_NAMES.get(_role_name(messages[place])) == "assistant"]
    if first == len(messages) or not answers:
        return value, False
    return messages[: answers[-1] + 1], True


def _role_name(item: Mapping[str, Any]) -> str:
    return str(next((item[key] for key in ("role", "from", "speaker") if key in item), "")).strip().lower()


def _tool(item: Mapping[str, Any]) -> str:
    """How a message uses a tool; empty if it does not."""
    used = next((key for key in _TOOL_KEYS if item.get(key)), "")
    return used or (f"role {_role_name(item)!r}" if _role_name(item) in _TOOL_ROLES else "")


def _message(item: Any, field: str, empty_answers: bool) -> Message | None:
    if not isinstance(item, dict):
        raise RowProblem("wrong_type", field, f"expected a message with role and content, found {type(item).__name__}")
    role_name = _role_name(item)
    if tool := _tool(item):
        raise RowProblem("tool_calls", field, tool)
    role = ROLE_NAMES.get(role_name)
    if role is None:
        raise RowProblem("unknown_role", field, f"{role_name!r}" if role_name else "no role")
    content = next((item[key] for key in ("content", "value", "text") if key in item), None)
    if isinstance(content, list):
        raise RowProblem("content_parts", field, f"{len(content)} parts where text belongs")
    if content == "" and role == "system":
        return None
    if empty_answers and role == "assistant" and isinstance(content, str):
        return Message(role, content)
    return Message(role, text_of(content, f"{field}.content"))


def check_order(turns: Sequence[Message], field: str, first: Role = "user") -> None:
    """After an optional system message, user and assistant take turns, `first` coming first.

    Raises:
        RowProblem: where the order is broken; the message names the turn.
    """
    expected = first
    for index, turn in enumerate(turns):
        if turn.role == "system" and index == 0 and first == "user":
            continue
        if turn.role != expected:
            raise RowProblem("wrong_role_order", f"{field}[{index}]", f"{turn.role} where {expected} belongs")
        expected = "assistant" if expected == "user" else "user"
    if first == "user" and all(turn.role == "system" for turn in turns):
        raise RowProblem("no_user_turn", field, "only a system message" if turns else "no messages")


def split_answer(turns: tuple[Message, ...], field: str) -> tuple[tuple[Message, ...], str]:
    """The turns before the answer, and the answer.

    Raises:
        RowProblem: if the last message is not the assistant's.
    """
    if not turns or turns[-1].role != "assistant":
        role = turns[-1].role if turns else "nobody"
        raise RowProblem("ends_without_answer", field, f"the last message is by {role}")
    return turns[:-1], turns[-1].content


def part_ways(one: Sequence[Message], other: Sequence[Message], field: str) -> int:
    """How many first messages two conversations share; the shared part ends with a user turn.

    The last message of each is its answer and never shared.

    Raises:
        RowProblem: if they share no user turn.
    """
    shared = 0
    for left, right in zip(one[:-1], other[:-1], strict=False):
        if left != right:
            break
        shared += 1
    while shared and one[shared - 1].role != "user":
        shared -= 1
    if not shared:
        raise RowProblem("prompt_mismatch", field, "the two conversations do not begin with the same user turn")
    return shared
