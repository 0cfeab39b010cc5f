"""Stage 7: the rows as they are written, and the check that reads them back.

Columns that trainers know (`prompt`, `chosen`, `rejected`) all have one type: lists of messages or plain strings. No
other column is called `messages`, `completion` or the like: TRL takes such a column for the conversation.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal

from pairsmith.config import ExportConfig
from pairsmith.measures.text import squash
from pairsmith.records import Dropped, Message, Outcome, PreferencePair

__all__ = ["EXPORT_REASONS", "check_jsonl", "export", "to_jsonl"]

EXPORT_REASONS: Mapping[str, str] = MappingProxyType(
    {
        "empty_field": "the prompt or a response is empty",
        "not_utf8": "a text holds half of a surrogate pair, which no UTF-8 file can hold",
        "nul_character": "a text holds a NUL character, which readers in other languages take for the end of the text",
        "not_a_number": "a figure of the pair is infinite or not a number, which is not JSON",
        "multi_turn_in_standard_shape": "the pair has several turns or a system prompt, which `export.shape: standard` "
        "cannot express; use `conversational`",
    }
)

_TEXT_FIELDS = ("prompt", "chosen", "rejected")
_COPIED = (
    "prompt_id",
    "chosen_id",
    "rejected_id",
    "comparison_id",
    "gap",
    "gap_kind",
    "agreement",
    "level",
    "category",
    "difficulty",
    "source",
    "licence",
    "chosen_model",
    "rejected_model",
    "part",
    "domain",
    "contamination",
)
_VOTES = ("chosen", "rejected", "tie", "both_bad", "unsure")

Shape = Literal["conversational", "standard"]


def export(cfg: ExportConfig, pairs: Sequence[PreferencePair]) -> Outcome[Mapping[str, Any]]:
    """One row per pair, sorted by pair id; pairs that cannot be written as valid rows are dropped with a reason.

    Returns:
        Rows with `prompt`, `chosen`, `rejected` (lists of `{"role", "content"}`, or strings), `pair_id`, the ids of
        the facts behind it, gap, agreement, votes, level and origin. `metrics["format"]`: rows, valid, errors
        (what `check_jsonl` says of the rows; empty if they are valid), shape.
    """
    kept: list[Mapping[str, Any]] = []
    dropped: list[Dropped] = []
    for pair in sorted(pairs, key=lambda each: each.id):
        problem = _problem(cfg.shape, pair)
        if problem:
            reason, where = problem
            dropped.append(Dropped(pair.id, "export", reason, {"field": where}))
        else:
            kept.append(_row(cfg.shape, pair))
    errors = check_jsonl(to_jsonl(kept))
    invalid = len({error.split(":")[0] for error in errors})
    figures = {"rows": len(kept), "valid": len(kept) - invalid, "errors": errors[:20], "shape": cfg.shape}
    return Outcome(tuple(kept), tuple(dropped), {"format": figures})


def to_jsonl(rows: Sequence[Mapping[str, Any]]) -> bytes:
    r"""The rows as JSON Lines: UTF-8, one line each, every line ended by "\n".

    Raises:
        ValueError: for NaN and infinities, and for lone surrogates.
    """
    lines = [json.dumps(row, ensure_ascii=False, allow_nan=False) + "\n" for row in rows]
    return "".join(lines).encode("utf-8")


def check_jsonl(data: bytes) -> list[str]:
    """Problems of a written file, each as `line N: field: what`; none if a trainer can read it.

    Every line must be UTF-8 and a JSON object without NaN, with `prompt`, `chosen` and `rejected` of one type (the
    same on all lines), none of them empty; the file must end with a line end.
    """
    if not data:
        return []
    # at b"\n" only: U+2028 and U+0085 are line ends for str.splitlines, but not in JSON Lines
    lines = data.removesuffix(b"\n").split(b"\n")
    problems = [] if data.endswith(b"\n") else [f"line {len(lines)}: end: the last line is not ended"]
    shapes: set[Shape] = set()
    for number, line in enumerate(lines, start=1):
        problems += [f"line {number}: {problem}" for problem in _line_problems(line, shapes)]
        if len(shapes) > 1:
            problems.append(f"line {number}: prompt: strings and lists of messages are mixed in one file")
            shapes.pop()
    return problems


def _problem(shape: Shape, pair: PreferencePair) -> tuple[str, str] | None:
    """Reason code and field of what keeps a pair from being written; None if nothing does."""
    for name in _TEXT_FIELDS:
        messages: tuple[Message, ...] = getattr(pair, name)
        if not messages or not all(squash(message.content) for message in messages):
            return "empty_field", name
    if shape == "standard" and not (len(pair.prompt) == len(pair.chosen) == len(pair.rejected) == 1):
        return "multi_turn_in_standard_shape", "prompt" if len(pair.prompt) > 1 else "chosen"
    return _unwritable(_row(shape, pair))


def _unwritable(value: Any, where: str = "") -> tuple[str, str] | None:
    """The first text or number in `value` that JSON in UTF-8 cannot hold."""
    if isinstance(value, str):
        if "\0" in value:
            return "nul_character", where
        return None if _is_utf8(value) else ("not_utf8", where)
    if isinstance(value, float) and not math.isfinite(value):
        return "not_a_number", where
    parts = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list) else ()
    found = (_unwritable(part, where or str(name)) for name, part in parts)
    return next(filter(None, found), None)


def _is_utf8(text: str) -> bool:
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _row(shape: Shape, pair: PreferencePair) -> dict[str, Any]:
    if shape == "standard":
        texts: dict[str, Any] = {name: getattr(pair, name)[0].content for name in _TEXT_FIELDS}
    else:
        texts = {name: [{"role": m.role, "content": m.content} for m in getattr(pair, name)] for name in _TEXT_FIELDS}
    return {
        **texts,
        "pair_id": pair.id,
        **{name: getattr(pair, name) for name in _COPIED},
        # the same keys in every row: table readers take the columns from the first rows they see
        "votes": {label: pair.votes.get(label, 0) for label in sorted({*_VOTES, *pair.votes})},
    }


def _line_problems(line: bytes, shapes: set[Shape]) -> list[str]:
    try:
        row = json.loads(line.decode("utf-8"), parse_constant=_refuse_constant)
    except UnicodeDecodeError as error:
        return [f"encoding: byte 0x{line[error.start]:02x} at offset {error.start} is not UTF-8"]
    except (ValueError, RecursionError) as error:
        return [f"json: {error}"]
    if not isinstance(row, dict):
        return ["json: the line is not an object"]
    missing = [f"{name}: is missing" for name in _TEXT_FIELDS if name not in row]
    if missing:
        return missing
    kinds = {_kind(row[name]) for name in _TEXT_FIELDS}
    if len(kinds) > 1:
        return ["prompt: prompt, chosen and rejected must all be strings or all be lists of messages"]
    kind = kinds.pop()
    if kind is None:
        return ["prompt: must be a string or a list of messages with `role` and `content`"]
    shapes.add(kind)
    return [f"{name}: {problem}" for name in _TEXT_FIELDS if (problem := _CHECKS[kind](row[name]))]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _kind(value: Any) -> Shape | None:
    if isinstance(value, str):
        return "standard"
    is_messages = isinstance(value, list) and all(
        isinstance(each, dict) and isinstance(each.get("role"), str) and isinstance(each.get("content"), str)
        for each in value
    )
    return "conversational" if is_messages else None


def _text_problem(value: str) -> str:
    if not squash(value):
        return "is empty"
    return "" if _is_utf8(value) else "holds half of a surrogate pair"


def _messages_problem(value: list[dict[str, str]]) -> str:
    if not value:
        return "has no messages"
    return next(filter(None, (_text_problem(each["content"]) for each in value)), "")


_CHECKS: Mapping[Shape, Callable[[Any], str]] = MappingProxyType(
    {"standard": _text_problem, "conversational": _messages_problem}
)
