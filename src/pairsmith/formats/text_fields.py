"""Which fields of a row hold its texts, guessed from the first rows; and those texts as plain strings."""

from collections.abc import Mapping, Sequence
from typing import Any

from pairsmith.errors import InputError
from pairsmith.formats.chat import CHAT_FIELDS
from pairsmith.formats.conversations import ROLE_NAMES
from pairsmith.formats.fields import shared_start
from pairsmith.formats.preference import CHOSEN_FIELDS, REJECTED_FIELDS
from pairsmith.measures.contamination import PART_SEPARATOR

__all__ = ["choose_fields", "guess_fields", "prompt_text", "row_texts"]

_ROLES: Mapping[str, tuple[str, ...]] = {
    "prompt": ("prompt", "instruction", "question", "query", "problem", "context"),
    "messages": CHAT_FIELDS,
    "chosen": CHOSEN_FIELDS,
    "rejected": REJECTED_FIELDS,
    "response": ("response", "completion", "output", "answer", "solution"),
    "text": ("text", "content", "document"),
}
"""Names of the fields by what they hold, best first; case, spaces and hyphens do not matter."""

_MATERIAL = "input"  # beside an instruction: what it is about
_ASSISTANT = "\n\nAssistant:"

Fields = Mapping[str, str]


def guess_fields(rows: Sequence[Mapping[str, Any]], where: str) -> dict[str, str]:
    """What the fields of `rows` hold: role -> name, at most one field per role.

    Raises:
        InputError: if no field has a known name and a text in it; the message lists the fields.
    """
    names: dict[str, str] = {}
    for row in rows:
        for name, value in row.items():
            if _text(value):
                names.setdefault(_plain(name), name)
    found = {
        role: next(names[each] for each in known if each in names)
        for role, known in _ROLES.items()
        if any(each in names for each in known)
    }
    if "prompt" in found and _plain(found["prompt"]) == "instruction" and _MATERIAL in names:
        found["input"] = names[_MATERIAL]
    if found.keys() & {"chosen", "rejected", "messages", "prompt"}:
        found.pop("text", None)  # beside these it repeats them or is about them
    if "prompt" in found:
        found.pop("messages", None)  # beside a prompt: the same conversation once more, as in UltraFeedback
    if not found:
        seen = dict.fromkeys(name for row in rows for name in row)
        known_names = ", ".join(name for known in _ROLES.values() for name in known)
        raise InputError(
            f"{where}: no field with texts; the fields are {', '.join(map(repr, seen)) or 'none'}. Name the right "
            f"ones with --field NAME (known names: {known_names})"
        )
    return found


def choose_fields(rows: Sequence[Mapping[str, Any]], names: Sequence[str], where: str) -> dict[str, str]:
    """The fields that a person named, each as a role by itself.

    Raises:
        InputError: if one of them is in none of the rows.
    """
    seen = dict.fromkeys(name for row in rows for name in row)
    for name in names:
        if name not in seen:
            raise InputError(f"{where}: no field {name!r}; the fields are {', '.join(map(repr, seen)) or 'none'}")
    return {name: name for name in names}


def row_texts(values: Mapping[str, Any], fields: Fields) -> dict[str, str]:
    """The text of each role; the turns of a conversation are separated by `PART_SEPARATOR`. "" if there is none."""
    return {role: _text(values.get(name)) for role, name in fields.items()}


def prompt_text(values: Mapping[str, Any], fields: Fields) -> str:
    """What was asked, turns separated by a blank line; "" if there is none.

    That is the prompt (without system turns, which whole datasets share); else the conversation before its last
    answer; else what chosen and rejected begin with in common; else all texts of the row.
    """
    if "prompt" in fields:
        parts = [_asked(values.get(fields["prompt"])), _text(values.get(fields.get("input", "")))]
        return "\n\n".join(filter(None, parts)).replace(PART_SEPARATOR, "\n\n")
    if "messages" in fields:
        return _asked(_before_answer(values.get(fields["messages"]))).replace(PART_SEPARATOR, "\n\n")
    if "chosen" in fields and "rejected" in fields:
        return _shared(values.get(fields["chosen"]), values.get(fields["rejected"])).replace(PART_SEPARATOR, "\n\n")
    return "\n\n".join(filter(None, row_texts(values, fields).values())).replace(PART_SEPARATOR, "\n\n")


def _shared(chosen: Any, rejected: Any) -> str:
    """The prompt of transcripts that hold it twice."""
    if isinstance(chosen, list) and isinstance(rejected, list):
        return _asked(_before_answer(chosen))
    one, other = _text(chosen), _text(rejected)
    start = one[: shared_start(one, other)]
    return start[: start.rfind(_ASSISTANT)] if _ASSISTANT in start else start


def _before_answer(turns: Any) -> Any:
    if isinstance(turns, list) and len(turns) > 1 and _role(turns[-1]) == "assistant":
        return turns[:-1]
    return turns


def _asked(value: Any) -> str:
    """The texts of a prompt but those of the system; those too, if there are no others."""
    if isinstance(value, list):
        return _text([turn for turn in value if _role(turn) != "system"]) or _text(value)
    return _text(value)


def _role(turn: Any) -> str:
    if not isinstance(turn, Mapping):
        return ""
    name = str(next((turn[key] for key in ("role", "from", "speaker") if key in turn), "")).strip().lower()
    return ROLE_NAMES.get(name, name)


def _text(value: Any) -> str:
    """A text, the content of a message, or those of a list of either."""
    if isinstance(value, str):
        return value
    if isinstance(value, Mapping):
        return next((_text(value[key]) for key in ("content", "value", "text") if value.get(key)), "")
    if isinstance(value, list):
        return PART_SEPARATOR.join(text for each in value if (text := _text(each)))
    return ""


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")
