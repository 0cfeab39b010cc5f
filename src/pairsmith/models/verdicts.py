"""Reading a judge's answer strictly: exactly one verdict, or none. A guess here would be a wrong label for good."""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, cast, get_args

from pairsmith.errors import ModelError

__all__ = [
    "CHOICES",
    "FIVE_LEVELS",
    "Choice",
    "Rating",
    "Verdict",
    "parse_marked",
    "parse_ratings",
    "parse_score_pair",
    "parse_verdict",
    "rating_schema",
    "storable",
    "verdict_schema",
]

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
_SCORE_PAIR = re.compile(r"(\d+(?:\.\d+)?)[ ,]+(\d+(?:\.\d+)?)")
_REASONING = re.compile(r"\A\s*<think(?:ing)?>.*</think(?:ing)?>", re.DOTALL)
_FENCED = re.compile(r"\A```(?:json)?[ \t]*\n(.*)\n?```\Z", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Verdict:
    """One verdict in the order shown; `criteria` holds the verdict on each criterion."""

    choice: Choice
    criteria: Mapping[str, Choice] = field(default_factory=dict)
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Rating:
    """The scores of one response on each criterion, whole numbers on the declared scale."""

    scores: Mapping[str, int]
    rationale: str = ""

    @property
    def mean(self) -> float:
        """The mean over the criteria."""
        return sum(self.scores.values()) / len(self.scores)


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


def rating_schema(criteria: Sequence[str], scale: tuple[int, int]) -> dict[str, Any]:
    """The JSON schema of a rating. Reasons come before the scores, so that these can follow from them."""
    score = {"type": "integer", "minimum": scale[0], "maximum": scale[1]}
    properties: dict[str, Any] = {"rationale": {"type": "string"}, **dict.fromkeys(criteria, score)}
    return {
        "type": "object",
        "properties": properties,
        "required": list(properties),
        "additionalProperties": False,
    }


def parse_ratings(text: str, criteria: Sequence[str], scale: tuple[int, int]) -> Rating:
    """The scores in a rater's answer, which must be one JSON object and nothing else.

    Scores are JSON integers on the scale. Text is never searched for digits: that is how "10" was read as "1" in
    UltraFeedback and the worst responses became the best.

    Raises:
        ModelError: with what is wrong, in words a rater can act on.
    """
    values = _only_object(text)
    known = {"rationale", *criteria}
    unknown = sorted(set(values) - known)
    if unknown:
        raise ModelError(f"unknown field {unknown[0][:_SHOWN]!r}; the fields are {', '.join(sorted(known))}")
    return Rating(
        {criterion: _whole_number(values, criterion, scale) for criterion in criteria},
        _text(values.get("rationale", "")),
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


def parse_score_pair(text: str) -> tuple[float, float]:
    """Two scores alone on the first line, for judges whose prompt asks for that (Vicuna's reviews: `8 9.5`).

    Raises:
        ModelError: if the first line holds anything else; a number further down is no score.
    """
    line = text.strip().partition("\n")[0].strip()
    found = _SCORE_PAIR.fullmatch(line)
    if found is None:
        raise ModelError(f"expected two scores on the first line, found {line[:_SHOWN]!r}")
    return float(found[1]), float(found[2])


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


def _whole_number(values: Mapping[str, Any], name: str, scale: tuple[int, int]) -> int:
    if name not in values:
        raise ModelError(f"field {name!r} is missing")
    value = values[name]
    if type(value) is not int:
        raise ModelError(f"field {name!r} is {str(value)[:_SHOWN]!r}, not a whole number without quotes")
    if not scale[0] <= value <= scale[1]:
        raise ModelError(f"field {name!r} is {value}, outside the scale {scale[0]} to {scale[1]}")
    return value


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ModelError("field 'rationale' is not a text")
    return storable(value)
