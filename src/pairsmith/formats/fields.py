"""Taking fields out of rows: every way a field can be wrong has its own reason."""

import re
import unicodedata
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from pairsmith.formats.rows import BadRow, Parsed, Row, SourceContext
from pairsmith.records import Label, Message, Prompt

__all__ = [
    "RowProblem",
    "first_of",
    "label_of",
    "normal_form",
    "number_of",
    "only_one_of",
    "optional_text",
    "parse_each",
    "prompt_of",
    "required",
    "row_warnings",
    "shared_start",
    "text_of",
]

SHOWN_CHARACTERS = 80

_INVISIBLE_LETTERS = "\u115f\u1160\u2800\u3164\uffa0"  # letters by category, blank on every screen
_INVISIBLE_CATEGORIES = ("Cc", "Cf", "Zl", "Zp", "Zs")


class RowProblem(Exception):
    """Why a row cannot be used; raised inside parsers and turned into a `BadRow` by `parse_each`."""

    def __init__(self, reason: str, field: str, detail: str) -> None:
        super().__init__(f"{field}: {reason}: {detail}")
        self.reason = reason
        self.field = field
        self.detail = detail


def parse_each(rows: Iterator[Row | BadRow], parse: Callable[[Row], Parsed]) -> Iterator[Parsed | BadRow]:
    """Apply `parse` to every good row, its field names in lower case with underscores; bad rows pass through."""
    for row in rows:
        if isinstance(row, BadRow):
            yield row
            continue
        try:
            yield parse(Row(row.line, _plain_names(row.values)))
        except RowProblem as problem:
            yield BadRow(row.line, problem.field, problem.reason, problem.detail)


def _plain_names(values: Mapping[str, Any]) -> Mapping[str, Any]:
    names = {name: re.sub(r"[\s-]+", "_", name.strip().lower()) for name in values}
    if all(name == plain for name, plain in names.items()):
        return values
    found: dict[str, Any] = {}
    for name, plain in names.items():
        if plain in found and plain in _TOLD_APART:
            raise RowProblem("alias_collision", plain, f"{name!r} and another spelling of it are both there")
        found.setdefault(plain, values[name])
    return {**found, _RENAMED: True}


_RENAMED = "\0renamed"  # cannot be a field: rows with NUL are refused while reading
_TOLD_APART = ("prompt", "instruction", "chosen", "rejected", "messages", "text", "winner", "label")


def row_warnings(values: Mapping[str, Any]) -> tuple[str, ...]:
    """Warnings about the names and the id of a row."""
    found = ["renamed_field"] if _RENAMED in values else []
    identity = values.get("id", 0)
    if isinstance(identity, bool) or not isinstance(identity, str | int) or identity == "":
        found.append("unusable_id")
    return tuple(found)


def first_of(values: Mapping[str, Any], names: tuple[str, ...]) -> str | None:
    """The first of `names` that is there and neither null nor empty, else the first that is there at all."""
    there = [name for name in names if name in values]
    return next((name for name in there if values[name] not in (None, "", [])), there[0] if there else None)


def only_one_of(values: Mapping[str, Any], names: tuple[str, ...]) -> str:
    """The one of `names` that is there.

    Raises:
        RowProblem: if none or several are.
    """
    there = [name for name in names if name in values]
    if not there:
        raise RowProblem("missing_field", names[0], f"none of {', '.join(names)}")
    if len(there) > 1:
        raise RowProblem("alias_collision", there[0], f"{' and '.join(there)} mean the same; remove one")
    return there[0]


def required(values: Mapping[str, Any], *names: str) -> str:
    """The text under the first of `names` that is there; see `text_of`."""
    name = first_of(values, names)
    if name is None:
        raise RowProblem("missing_field", names[0], f"none of {', '.join(names)}" if names[1:] else "not there")
    return text_of(values[name], name)


def text_of(value: Any, field: str) -> str:
    """`value` if it is a text with something to see in it.

    Raises:
        RowProblem: if it is null, not a text, empty, or blank.
    """
    if value is None:
        raise RowProblem("null_value", field, "null")
    if not isinstance(value, str):
        raise RowProblem("wrong_type", field, f"expected text, found {type(value).__name__}: {_shown(value)}")
    if not value:
        raise RowProblem("empty_text", field, "empty")
    if not _visible(value):
        raise RowProblem("blank_text", field, f"{len(value)} characters, none of which can be seen")
    return value


def optional_text(values: Mapping[str, Any], *names: str) -> str:
    """The text or number under the first of `names`; empty if there is none.

    Raises:
        RowProblem: if it is anything else.
    """
    name = first_of(values, names)
    value = "" if name is None else values[name]
    if isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    if not isinstance(value, str | None):
        raise RowProblem("wrong_type", name or names[0], f"expected text, found {type(value).__name__}")
    return (value or "").strip()


def number_of(value: Any, field: str) -> float:
    """`value` as a number. Raises `RowProblem` if it is none."""
    if isinstance(value, str):
        try:
            value = float(value)
        except ValueError:
            raise RowProblem("wrong_type", field, f"expected a number, found the text {_shown(value)}") from None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise RowProblem("wrong_type", field, f"expected a number, found {type(value).__name__}")
    if not -1e300 < value < 1e300:  # also catches NaN, which compares false
        raise RowProblem("not_a_number", field, str(value))
    return float(value)


def label_of(value: Any, field: str, labels: Mapping[str, Label]) -> Label:
    """The label that `value` names, white space and case aside. Raises `RowProblem` if it names none."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    word = text_of(value, field).strip().lower()
    if word not in labels:
        raise RowProblem("unknown_label", field, f"{_shown(value)} is none of {', '.join(labels)}")
    return labels[word]


def prompt_of(messages: tuple[Message, ...], values: Mapping[str, Any], context: SourceContext) -> Prompt:
    """A prompt with the attributes that the row, or else the configuration of its source, gives it."""
    return Prompt.of(
        messages,
        category=optional_text(values, "category", "domain", "topic") or context.category,
        difficulty=optional_text(values, "difficulty"),
        form=optional_text(values, "form"),
        language=optional_text(values, "language", "lang") or context.language,
        source=context.name,
        licence=context.licence or optional_text(values, "licence", "license"),
    )


def normal_form(text: str) -> str:
    """`text` without differences of case, spacing, compatibility forms and invisible characters."""
    folded = text.lower() if text.isascii() else unicodedata.normalize("NFKC", text).casefold()
    if not folded.isascii():
        folded = "".join(each for each in folded if unicodedata.category(each) != "Cf")
    return " ".join(folded.split())


def shared_start(one: str, other: str) -> int:
    """How many first characters two texts share."""
    low, high = 0, min(len(one), len(other))
    while low < high:  # comparing slices is far faster than comparing characters one by one
        middle = (low + high + 1) // 2
        if one[low:middle] == other[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


def _visible(text: str) -> bool:
    return any(not each.isspace() and ((each.isascii() and each.isprintable()) or _has_shape(each)) for each in text)


def _has_shape(character: str) -> bool:
    return character not in _INVISIBLE_LETTERS and unicodedata.category(character) not in _INVISIBLE_CATEGORIES


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
