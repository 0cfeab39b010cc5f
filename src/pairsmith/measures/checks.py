"""The verifier's checks: whether one response keeps one stated constraint, decided by rules anyone can repeat.

A check is a kind and its arguments, kept with the prompt: `{"kind": "max_words", "args": {"n": 40}}`. What each kind
takes and when it passes is in `docs/reference/checks.md`. There is no `regex` kind on purpose: a pattern from a data
file could hang the run.
"""

import json
import math
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal

__all__ = ["CHECKS", "CheckKind", "CheckResult", "degenerate", "response_score", "run_check", "validate_check"]

ArgumentType = Literal["text", "texts", "count", "number", "flag"]
Decide = Callable[[str, Mapping[str, Any]], tuple[float, str]]


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The verdict of one check: `score` in [0, 1] gives partial credit and is 1 exactly when the check passed."""

    passed: bool
    score: float
    detail: str


@dataclass(frozen=True, slots=True)
class CheckKind:
    """How one kind of check is decided, and which arguments it takes."""

    decide: Decide
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
    reason = degenerate(response)
    if reason:
        return CheckResult(False, 0.0, reason)
    score, detail = CHECKS[kind].decide(response, args)
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
    }
)
_MEANING: Mapping[ArgumentType, str] = MappingProxyType(
    {
        "text": "a text with something in it",
        "texts": "a list of at least one text",
        "count": "a whole number of at least 1",
        "number": "a finite number",
        "flag": "true or false",
    }
)

# --- what no check lets pass -----------------------------------------------------------------------------------------

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
    for unit in range(1, len(tail) // _REPEATS + 1):
        length = max(_REPEATS * unit, _LOOP_CHARS)
        if len(tail) >= length and tail[-length:-unit] == tail[len(tail) - length + unit :]:
            return "looping"
    sequences = [tuple(words[at : at + _NGRAM]) for at in range(len(words) - _NGRAM + 1)]
    if len(words) >= _NGRAM_WORDS and len(set(sequences)) < _DISTINCT_SHARE * len(sequences):
        return "looping"
    return ""


# --- answers -----------------------------------------------------------------------------------------------------------

_NUMBER = re.compile(r"(?<!\w)(?<!\d\.)[-+]?(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?(?:[eE][-+]?\d{1,3})?")
_EXACT_EDGES = " \t\r\n.,;:!?\"'`*_()[]"


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'").replace("−", "-").casefold()


def _answer_form(text: str) -> str:
    words = " ".join(_fold(text).split()).strip(_EXACT_EDGES)
    return re.sub(r"^(?:the|an?) ", "", words)


def _exact(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    accepted = {_answer_form(answer) for answer in [args["answer"], *args.get("accept", [])]}
    return float(_answer_form(response) in accepted), f"expected {args['answer']!r}"


def _number(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    found = [float(text.replace(",", "")) for text in _NUMBER.findall(_fold(response))]
    if not found:
        return 0.0, "no number"
    allowed = max(float(args.get("tolerance", 0.0)), 1e-9 * abs(args["answer"]))
    return float(abs(found[-1] - args["answer"]) <= allowed), f"last number {found[-1]:g}, expected {args['answer']:g}"


def _choice(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    options: Sequence[str] = args["options"]
    rest, named = response, []
    # Longest first, and taken out of the text, so that "not suitable" does not also name "suitable".
    for option in sorted(options, key=len, reverse=True):
        if len(option) == 1 and option.isalpha():
            # One letter must be a capital of its own, and in "A good point" it is an article.
            article = r"|\s(?!is\b|was\b|because\b)[a-z]" if option in "Aa" else ""
            pattern = re.compile(rf"(?<![\w'’]){re.escape(option.upper())}(?![\w'’]{article})")
        else:
            pattern = re.compile(rf"(?<!\w){re.escape(option)}(?!\w)", re.IGNORECASE)
        if pattern.search(rest):
            named.append(option)
            rest = pattern.sub(" ", rest)
    wanted = args.get("answer", named[0] if named else "")
    return float(named == [wanted]), f"named {named or 'none'}" + (f", expected {wanted!r}" if wanted else "")


# --- words -------------------------------------------------------------------------------------------------------------


def _found(response: str, args: Mapping[str, Any]) -> list[str]:
    text, edge = _fold(response), args.get("whole", True)
    left, right = (r"(?<!\w)", r"(?!\w)") if edge else ("", "")
    return [word for word in args["words"] if re.search(f"{left}{re.escape(_fold(word.strip()))}{right}", text)]


def _contains_all(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    found = _found(response, args)
    missing = [word for word in args["words"] if word not in found]
    return len(found) / len(args["words"]), f"missing {missing}" if missing else "all words found"


def _contains_none(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    found = _found(response, args)
    return 1.0 - len(found) / len(args["words"]), f"found {found}" if found else "no forbidden word"


# --- counts ------------------------------------------------------------------------------------------------------------

_SENTENCE_END = re.compile(r"(?<=[.!?])[\"”’')\]*]{0,4}\s+|(?<=[。！？])")
_ABBREVIATION = re.compile(r"(?:^|[\s(])(?:mr|mrs|ms|dr|prof|st|vs|etc|no|inc|ltd|jr|sr|[a-z]|e\.g|i\.e|u\.s)\.$", re.I)
_BULLET = re.compile(r"^[ \t]*(?:\*(?!\*)|-(?!--)|•)[ \t]*\S", re.MULTILINE)


def _sentences(text: str) -> int:
    count = 0
    for piece in _SENTENCE_END.split(text.strip()):
        # A piece that ends in "Dr." goes on in the next one.
        count += bool(re.search(r"\w", piece)) and not _ABBREVIATION.search(piece[-8:])
    return max(count, 1)


def _words(text: str) -> int:
    return len(re.findall(r"\w+", text))


def _paragraphs(text: str, separator: str) -> int:
    pieces = re.split(r"\n[ \t]*\n" if separator == "" else re.escape(separator), text)
    return sum(1 for piece in pieces if piece.strip())


def _at_most(count: int, limit: int, what: str) -> tuple[float, str]:
    return min(1.0, limit / max(count, 1)), f"{count} {what}, at most {limit}"


def _at_least(count: int, limit: int, what: str) -> tuple[float, str]:
    return min(1.0, count / limit), f"{count} {what}, at least {limit}"


def _exactly(count: int, wanted: int, what: str) -> tuple[float, str]:
    return min(count, wanted) / max(count, wanted), f"{count} {what}, exactly {wanted}"


# --- form --------------------------------------------------------------------------------------------------------------


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _json(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    text = response.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3]
    try:
        value = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        return 0.0, f"not JSON: {str(error)[:80]}"
    keys = args.get("keys", ())
    if keys and not isinstance(value, dict):
        return 0.5, f"JSON, but {type(value).__name__} instead of an object"
    missing = [key for key in keys if key not in value]
    return 1.0 - 0.5 * len(missing) / max(len(keys), 1), f"missing keys {missing}" if missing else "valid JSON"


def _starts_with(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    return float(_fold(response).strip().startswith(_fold(args["text"]).strip())), f"start {response.strip()[:40]!r}"


def _ends_with(response: str, args: Mapping[str, Any]) -> tuple[float, str]:
    text, end = _fold(response).strip(), _fold(args["text"]).strip()
    if args.get("ignore_punctuation", False):
        text, end = text.rstrip(_EXACT_EDGES), end.rstrip(_EXACT_EDGES)
    return float(text.endswith(end) or text.strip('"').endswith(end)), f"end {response.strip()[-40:]!r}"


def _kind(decide: Decide, optional: Mapping[str, ArgumentType], **required: ArgumentType) -> CheckKind:
    return CheckKind(decide, MappingProxyType(required), MappingProxyType(dict(optional)))


CHECKS: Mapping[str, CheckKind] = MappingProxyType(
    {
        "exact": _kind(_exact, {"accept": "texts"}, answer="text"),
        "number": _kind(_number, {"tolerance": "number"}, answer="number"),
        "choice": _kind(_choice, {"answer": "text"}, options="texts"),
        "contains_all": _kind(_contains_all, {"whole": "flag"}, words="texts"),
        "contains_none": _kind(_contains_none, {"whole": "flag"}, words="texts"),
        "max_words": _kind(lambda text, args: _at_most(_words(text), args["n"], "words"), {}, n="count"),
        "min_words": _kind(lambda text, args: _at_least(_words(text), args["n"], "words"), {}, n="count"),
        "max_sentences": _kind(lambda text, args: _at_most(_sentences(text), args["n"], "sentences"), {}, n="count"),
        "min_sentences": _kind(lambda text, args: _at_least(_sentences(text), args["n"], "sentences"), {}, n="count"),
        "bullets": _kind(lambda text, args: _exactly(len(_BULLET.findall(text)), args["n"], "bullets"), {}, n="count"),
        "paragraphs": _kind(
            lambda text, args: _exactly(_paragraphs(text, args.get("separator", "")), args["n"], "paragraphs"),
            {"separator": "text"},
            n="count",
        ),
        "lowercase": _kind(lambda text, args: (float(text.islower()), "capital letters are not allowed"), {}),
        "uppercase": _kind(lambda text, args: (float(text.isupper()), "small letters are not allowed"), {}),
        "json": _kind(_json, {"keys": "texts"}),
        "starts_with": _kind(_starts_with, {}, text="text"),
        "ends_with": _kind(_ends_with, {"ignore_punctuation": "flag"}, text="text"),
        "no_commas": _kind(lambda text, args: (float("," not in text), f"{text.count(',')} commas"), {}),
    }
)
"""Every kind of check by name; immutable."""
