"""How each kind of check is decided: one function a kind, response and arguments in, score in [0, 1] and detail out.

A score of 1 means passed; less is partial credit. Arguments have been validated, and the response is neither empty
nor looping: `checks.run_check` sees to both.
"""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from pairsmith.measures.json_schema import schema_result
from pairsmith.measures.languages import language_shares

__all__ = [
    "bullets",
    "choice",
    "contains_all",
    "contains_none",
    "ends_with",
    "exact",
    "json_schema",
    "language",
    "lowercase",
    "max_sentences",
    "max_words",
    "min_sentences",
    "min_words",
    "no_commas",
    "number",
    "paragraphs",
    "starts_with",
    "uppercase",
    "valid_json",
]

Arguments = Mapping[str, Any]
Decision = tuple[float, str]

_NUMBER = re.compile(r"(?<!\w)(?<!\d\.)[-+]?(?:\d{1,3}(?:,\d{3})++|\d++)(?:\.\d++)?(?:[eE][-+]?\d{1,3})?")
_EXACT_EDGES = " \t\r\n.,;:!?\"'`*_()[]"


def _fold(text: str) -> str:
    return unicodedata.normalize("NFKC", text).replace("’", "'").replace("−", "-").casefold()


def _answer_form(text: str) -> str:
    words = " ".join(_fold(text).split()).strip(_EXACT_EDGES)
    return re.sub(r"^(?:the|an?) ", "", words)


def _final(response: str, args: Arguments) -> str | None:
    """What stands after the last marker (`####` in GSM8K), up to the end of its line; all of it if no marker is set."""
    if "after" not in args:
        return response
    _, found, rest = response.rpartition(args["after"])
    return rest.strip().split("\n")[0] if found else None


def exact(response: str, args: Arguments) -> Decision:
    """The whole response, or its final answer, is the answer, but for case, edges and a leading article."""
    final = _final(response, args)
    if final is None:
        return 0.0, f"no {args['after']!r}"
    accepted = {_answer_form(answer) for answer in [args["answer"], *args.get("accept", [])]}
    return float(_answer_form(final) in accepted), f"expected {args['answer']!r}"


def number(response: str, args: Arguments) -> Decision:
    """The last number of the response, or the first of its final answer, is the answer, within the tolerance."""
    final = _final(response, args)
    if final is None:
        return 0.0, f"no {args['after']!r}"
    found = [float(text.replace(",", "")) for text in _NUMBER.findall(_fold(final))]
    found = found[:1] if "after" in args else found
    if not found:
        return 0.0, "no number"
    allowed = max(float(args.get("tolerance", 0.0)), 1e-9 * abs(args["answer"]))
    return float(
        abs(found[-1] - args["answer"]) <= allowed
    ), f"{'answer' if 'after' in args else 'last number'} {found[-1]:g}, expected {args['answer']:g}"


def choice(response: str, args: Arguments) -> Decision:
    """Exactly one of the options is named, and it is the answer if one is given."""
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


def _found(response: str, args: Arguments) -> list[str]:
    text, edge = _fold(response), args.get("whole", True)
    left, right = (r"(?<!\w)", r"(?!\w)") if edge else ("", "")
    return [word for word in args["words"] if re.search(f"{left}{re.escape(_fold(word.strip()))}{right}", text)]


def contains_all(response: str, args: Arguments) -> Decision:
    """Every word occurs; the score is the share that does."""
    found = _found(response, args)
    missing = [word for word in args["words"] if word not in found]
    return len(found) / len(args["words"]), f"missing {missing}" if missing else "all words found"


def contains_none(response: str, args: Arguments) -> Decision:
    """No word occurs; the score is the share that does not."""
    found = _found(response, args)
    return 1.0 - len(found) / len(args["words"]), f"found {found}" if found else "no forbidden word"


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


def _at_most(count: int, limit: int, what: str) -> Decision:
    return min(1.0, limit / max(count, 1)), f"{count} {what}, at most {limit}"


def _at_least(count: int, limit: int, what: str) -> Decision:
    return min(1.0, count / limit), f"{count} {what}, at least {limit}"


def _exactly(count: int, wanted: int, what: str) -> Decision:
    return min(count, wanted) / max(count, wanted), f"{count} {what}, exactly {wanted}"


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _json_value(response: str) -> tuple[Any, str]:
    """The JSON value that a response is, alone or in one code fence, and why it is none."""
    text = response.strip()
    if text.startswith("```") and text.endswith("```") and "\n" in text:
        text = text[text.index("\n") : -3]
    try:
        return json.loads(text, parse_constant=_refuse_constant), ""
    except (ValueError, RecursionError) as error:
        return None, f"not JSON: {str(error)[:80]}"


def json_schema(response: str, args: Arguments) -> Decision:
    """The response is JSON that fits the schema; the score is the share of the schema's demands that it meets."""
    value, problem = _json_value(response)
    if problem:
        return 0.0, problem
    demands, problems = schema_result(value, args["schema"])
    if not problems:
        return 1.0, "fits the schema"
    return 1.0 - len(problems) / max(demands, len(problems)), "; ".join(problems[:3])


def language(response: str, args: Arguments) -> Decision:
    """More of the response is in the language than in any other; the score is otherwise its share."""
    shares = language_shares(response)
    seen = next(iter(shares), "none")
    score = 1.0 if seen == args["code"] else min(shares.get(args["code"], 0.0), 0.99)
    return score, f"language {seen}, expected {args['code']}"


def valid_json(response: str, args: Arguments) -> Decision:
    """The response is JSON, alone or in one code fence, and an object with the keys if keys are given."""
    value, problem = _json_value(response)
    if problem:
        return 0.0, problem
    keys = args.get("keys", ())
    if keys and not isinstance(value, dict):
        return 0.5, f"JSON, but {type(value).__name__} instead of an object"
    missing = [key for key in keys if key not in value]
    return 1.0 - 0.5 * len(missing) / max(len(keys), 1), f"missing keys {missing}" if missing else "valid JSON"


def starts_with(response: str, args: Arguments) -> Decision:
    """The response begins with the text, in any case."""
    return float(_fold(response).strip().startswith(_fold(args["text"]).strip())), f"start {response.strip()[:40]!r}"


def ends_with(response: str, args: Arguments) -> Decision:
    """The response ends with the text, in any case."""
    text, end = _fold(response).strip(), _fold(args["text"]).strip()
    if args.get("ignore_punctuation", False):
        text, end = text.rstrip(_EXACT_EDGES), end.rstrip(_EXACT_EDGES) or end
    return float(text.endswith(end) or text.strip('"').endswith(end)), f"end {response.strip()[-40:]!r}"


def max_words(response: str, args: Arguments) -> Decision:
    """At most `n` words."""
    return _at_most(_words(response), args["n"], "words")


def min_words(response: str, args: Arguments) -> Decision:
    """At least `n` words."""
    return _at_least(_words(response), args["n"], "words")


def max_sentences(response: str, args: Arguments) -> Decision:
    """At most `n` sentences."""
    return _at_most(_sentences(response), args["n"], "sentences")


def min_sentences(response: str, args: Arguments) -> Decision:
    """At least `n` sentences."""
    return _at_least(_sentences(response), args["n"], "sentences")


def bullets(response: str, args: Arguments) -> Decision:
    """Exactly `n` lines that begin with `-`, `*` or `•`."""
    return _exactly(len(_BULLET.findall(response)), args["n"], "bullets")


def paragraphs(response: str, args: Arguments) -> Decision:
    """Exactly `n` paragraphs, parted by blank lines or by the separator."""
    return _exactly(_paragraphs(response, args.get("separator", "")), args["n"], "paragraphs")


def lowercase(response: str, _args: Arguments) -> Decision:
    """Letters, and none of them a capital."""
    return float(response.islower()), "only small letters are allowed"


def uppercase(response: str, _args: Arguments) -> Decision:
    """Letters, and all of them capitals."""
    return float(response.isupper()), "only capital letters are allowed"


def no_commas(response: str, _args: Arguments) -> Decision:
    """No comma."""
    return float("," not in response), f"{response.count(',')} commas"
