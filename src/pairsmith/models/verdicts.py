"""Reading a judge's answer strictly: exactly one verdict, or none. A guess here would be a wrong label for good."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from pairsmith.errors import ModelError

__all__ = ["CHOICES", "FIVE_LEVELS", "Choice", "Verdict", "parse_marked", "parse_verdict", "storable", "verdict_schema"]

Choice = Literal["first", "second", "tie", "both_bad"]
"""What a judge may say about two responses it sees one after the other."""

CHOICES: tuple[Choice, ...] = get_args(Choice)

FIVE_LEVELS: Final[Mapping[str, Choice]] = {
    "[[A>>B]]": "first",
    "[[A>B]]": "first",
    "[[A=B]]": "tie",
    "[[B>A]]": "second",
    "[[B>>A]]": "second",
}
"""The marks of the Arena-Hard judge prompt, for `parse_marked`."""

MAX_VERDICT_CHARACTERS = 50_000
_SHOWN = 120
_REASONING = re.compile(r"\A\s*<think(?:ing)?>.*</think(?:ing)?>", re.DOTALL)
_FENCED = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n?```\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict in the order shown; `criteria` holds the verdict on each criterion."""

    choice: Choice
    criteria: Mapping[str, Choice] = field(default_factory=dict)
    rationale: str = ""


def verdict_schema(criteria: Sequence[str]) -> dict[str, Any]:
    """The JSON schema of a verdict. Reasons come before the verdict, so that it can follow from them."""
    side = {"type": "string", "enum": list(CHOICES)}
    properties: dict[str, Any] = {"rationale": {"type": "string"}}
    properties.update(dict.fromkeys(criteria, side))
    properties["verdict"] = side
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse_verdict(text: str, criteria: Sequence[str] = ()) -> Verdict:
    """The verdict in a judge's answer, which must be one JSON object and nothing else.

    A block of reasoning in front (`<think>...</think>`) and a code fence around the object are taken off. The words
    must be exact: no numbers, no synonyms, no verdict found inside prose, where it could be a quotation.

    Raises:
        ModelError: with what is wrong, in words a judge can act on.
    """
    values = _only_object(text)
    known = {"rationale", "verdict", *criteria}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ModelError(f"unknown field {unknown[0][:_SHOWN]!r}; the fields are {', '.join(sorted(known))}")
    return Verdict(
        choice=_choice(values, "verdict"),
        criteria={criterion: _choice(values, criterion) for criterion in criteria},
        rationale=_text(values.get("rationale", "")),
    )


def parse_marked(text: str, marks: Mapping[str, Choice] = FIVE_LEVELS) -> Choice:
    """The choice whose mark stands in a free text, for judges whose prompt asks for marks such as `[[A>B]]`.

    A mark that ends in a letter or digit must stand alone: `1` is not found in `10` or `1.5`.

    Raises:
        ModelError: if no mark stands there, or several different ones, even of the same meaning.
    """
    found = [mark for mark in marks if re.search(_alone(mark), text)]
    if len(found) != 1:
        raise ModelError(f"expected exactly one of {', '.join(marks)}, found {', '.join(found) or 'none'}")
    return marks[found[0]]


def storable(text: str) -> str:
    """The text without what a database refuses: NUL, and lone surrogates, which JSON escapes can smuggle in."""
    return text.encode("utf-8", "replace").decode("utf-8").replace("\x00", "")


def _alone(mark: str) -> str:
    before = r"(?<!\w)(?<!\d[.,])" if mark[:1].isalnum() else ""
    after = r"(?!\w)(?![.,]\d)" if mark[-1:].isalnum() else ""
    return before + re.escape(mark) + after


def _only_object(text: str) -> dict[str, Any]:
    if len(text) > MAX_VERDICT_CHARACTERS:
        raise ModelError(f"the answer has {len(text)} characters; a verdict never needs {MAX_VERDICT_CHARACTERS}")
    bare = _REASONING.sub("", text).strip()
    fenced = _FENCED.match(bare)
    bare = fenced.group(1).strip() if fenced else bare
    try:
        values = json.loads(bare, object_pairs_hook=_no_repeats)
    except (json.JSONDecodeError, RecursionError):
        raise ModelError(f"not one JSON object and nothing else: {bare[:_SHOWN]!r}") from None
    if not isinstance(values, dict):
        raise ModelError(f"not a JSON object: {bare[:_SHOWN]!r}")
    return values


def _no_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ModelError("a field is given twice")
    return values


def _choice(values: Mapping[str, Any], name: str) -> Choice:
    if name not in values:
        raise ModelError(f"field {name!r} is missing")
    value = values[name]
    if value not in CHOICES:
        raise ModelError(f"field {name!r} is {str(value)[:_SHOWN]!r}; it must be one of {', '.join(CHOICES)}")
    return cast(Choice, value)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ModelError("field 'rationale' is not a text")
    return storable(value)
