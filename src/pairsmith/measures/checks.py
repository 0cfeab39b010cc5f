"""The verifier's checks: whether one response keeps one stated constraint, decided by rules anyone can repeat.

A check is a kind and its arguments, kept with the prompt: `{"kind": "max_words", "args": {"n": 40}}`. What each kind
takes and when it passes is in `docs/reference/checks.md`. There is no `regex` kind on purpose: a pattern from a data
file could hang the run.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

from pairsmith.measures import check_rules as rules
from pairsmith.measures.json_schema import check_schema
from pairsmith.measures.languages import LANGUAGES

__all__ = ["CHECKS", "CheckKind", "CheckResult", "degenerate", "response_score", "run_check", "validate_check"]

ArgumentType = Literal["text", "texts", "count", "number", "flag", "schema", "language"]
Decide = Callable[[str, Mapping[str, Any]], tuple[float, str]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The verdict of one check: `score` in [0, 1] gives partial credit and is 1 exactly when the check passed."""

    passed: bool
    score: float
    detail: str


@dataclass(frozen=True, slots=True)
class CheckKind:
    """How one kind of check is decided, and which arguments it takes.

    Kinds that run code have no `decide`: only the verifier can, in its sandbox.
    """

    decide: Decide | None
    required: Mapping[str, ArgumentType]
    optional: Mapping[str, ArgumentType]


def run_check(kind: str, args: Mapping[str, Any], response: str) -> CheckResult:
    """Decide one check. An empty response, or one that repeats itself over and over, passes nothing.

    Raises:
        ValueError: unknown kind, or arguments it cannot work with; the message names the kind.

    >>> run_check("max_words", {"n": 3}, "one two three four")
    CheckResult(passed=False, score=0.75, detail='4 words, at most 3')
    """
    validate_check(kind, args)
    decide = CHECKS[kind].decide
    if decide is None:
        raise ValueError(f"check {kind!r} runs code; only the verifier can decide it")
    reason = degenerate(response)
    if reason:
        return CheckResult(False, 0.0, reason)
    score, detail = decide(response, args)
    return CheckResult(score >= 1.0, score, detail)


def validate_check(kind: str, args: Mapping[str, Any]) -> None:
    """Make sure that `run_check` can run this check on any response.

    Raises:
        ValueError: unknown kind, missing or unknown argument, or a value of the wrong type; the message names the kind.
    """
    if kind not in CHECKS:
        raise ValueError(f"unknown check {kind!r}; known: {', '.join(CHECKS)}")
    known = {**CHECKS[kind].required, **CHECKS[kind].optional}
    missing = sorted(set(CHECKS[kind].required) - set(args))
    unknown = sorted(set(args) - set(known))
    if missing or unknown:
        problem = f"needs {missing[0]!r}" if missing else f"takes no {unknown[0]!r}"
        raise ValueError(f"check {kind!r} {problem}; arguments: {', '.join(known) or 'none'}")
    for name, value in args.items():
        if not _IS_OF_TYPE[known[name]](value):
            raise ValueError(f"check {kind!r}: {name} = {value!r} is not {_MEANING[known[name]]}")
    if kind == "json_schema":
        try:
            check_schema(args["schema"])
        except ValueError as error:
            raise ValueError(f"check 'json_schema': {error}") from error
    if kind == "choice" and args.get("answer", args["options"][0]) not in args["options"]:
        raise ValueError(f"check 'choice': answer {args['answer']!r} is not one of its options {args['options']!r}")


def response_score(results: Sequence[CheckResult]) -> float:
    """Mean score in [0, 1] of the checks of one response, which is the share passed plus partial credit.

    Raises:
        ValueError: without results there is nothing to average.
    """
    if not results:
        raise ValueError("a response without checks has no score")
    return math.fsum(result.score for result in results) / len(results)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list | tuple) and len(value) > 0 and all(isinstance(v, str) and v.strip() for v in value)


_IS_OF_TYPE: Mapping[ArgumentType, Callable[[Any], bool]] = MappingProxyType(
    {
        "text": lambda value: isinstance(value, str) and bool(value.strip()),
        "texts": _is_texts,
        "count": lambda value: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
        "number": lambda value: (
            isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= 1e300 and value == value
        ),
        "flag": lambda value: isinstance(value, bool),
        "schema": lambda value: isinstance(value, Mapping),
        "language": lambda value: value in LANGUAGES,
    }
)
_MEANING: Mapping[ArgumentType, str] = MappingProxyType(
    {
        "text": "a text with something in it",
        "texts": "a list of at least one text",
        "count": "a whole number of at least 1",
        "number": "a finite number",
        "flag": "true or false",
        "schema": "a JSON schema",
        "language": f"one of {', '.join(LANGUAGES)}",
    }
)

_CONTENT = re.compile(r"[^\W_]|[^\x00-\x7f]")
_REPEATS, _LOOP_CHARS, _LONGEST_UNIT = 4, 60, 600
_NGRAM, _NGRAM_WORDS, _DISTINCT_SHARE = 4, 80, 0.25


def degenerate(response: str) -> str:
    """`"empty"`, `"looping"`, or `""` for a response worth checking.

    Looping: the end is one unit (1 to 600 characters; digits and punctuation ignored, so that numbered repetition
    counts) at least four times in a row over at least 60 characters; or fewer than a quarter of all four-word
    sequences are distinct in a response of 80 words or more.
    """
    if not _CONTENT.search(response):
        return "empty"
    words = re.findall(r"[^\W\d_]+", response.casefold())
    tail = " ".join(words[-2 * _LONGEST_UNIT :])[-_REPEATS * _LONGEST_UNIT :]
    # Whatever repeats up to the end holds the last characters twice; most texts end here.
    may_loop = tail[-(_LOOP_CHARS // _REPEATS) :] in tail[:-1]
    for unit in range(1, len(tail) // _REPEATS + 1) if may_loop else ():
        length = max(_REPEATS * unit, _LOOP_CHARS)
        if len(tail) >= length and tail[-length:-unit] == tail[len(tail) - length + unit :]:
            return "looping"
    sequences = [tuple(words[at : at + _NGRAM]) for at in range(len(words) - _NGRAM + 1)]
    if len(words) >= _NGRAM_WORDS and len(set(sequences)) < _DISTINCT_SHARE * len(sequences):
        return "looping"
    return ""


def _kind(decide: Decide | None, optional: Mapping[str, ArgumentType], **required: ArgumentType) -> CheckKind:
    return CheckKind(decide, MappingProxyType(required), MappingProxyType(dict(optional)))


CHECKS: Mapping[str, CheckKind] = MappingProxyType(
    {
        "exact": _kind(rules.exact, {"accept": "texts", "after": "text"}, answer="text"),
        "number": _kind(rules.number, {"tolerance": "number", "after": "text"}, answer="number"),
        "choice": _kind(rules.choice, {"answer": "text"}, options="texts"),
        "contains_all": _kind(rules.contains_all, {"whole": "flag"}, words="texts"),
        "contains_none": _kind(rules.contains_none, {"whole": "flag"}, words="texts"),
        "max_words": _kind(rules.max_words, {}, n="count"),
        "min_words": _kind(rules.min_words, {}, n="count"),
        "max_sentences": _kind(rules.max_sentences, {}, n="count"),
        "min_sentences": _kind(rules.min_sentences, {}, n="count"),
        "bullets": _kind(rules.bullets, {}, n="count"),
        "paragraphs": _kind(rules.paragraphs, {"separator": "text"}, n="count"),
        "lowercase": _kind(rules.lowercase, {}),
        "uppercase": _kind(rules.uppercase, {}),
        "language": _kind(rules.language, {}, code="language"),
        "json_schema": _kind(rules.json_schema, {}, schema="schema"),
        "unit_tests": _kind(None, {"setup": "text", "seconds": "count", "memory_mib": "count"}, tests="texts"),
        "json": _kind(rules.valid_json, {"keys": "texts"}),
        "starts_with": _kind(rules.starts_with, {}, text="text"),
        "ends_with": _kind(rules.ends_with, {"ignore_punctuation": "flag"}, text="text"),
        "no_commas": _kind(rules.no_commas, {}),
    }
)
"""Every kind of check by name; immutable."""
