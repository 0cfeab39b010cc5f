"""JSON as the standard has it: what Python's reader lets pass or turns into something else is refused with a reason."""

import json
import math
import re
from typing import Any, NoReturn

from pairsmith.formats.rows import BadRow, Row

__all__ = ["JsonProblem", "parse_row", "parse_value"]

MAX_KEYS = 256
MAX_DEPTH = 64
MAX_DIGITS = 1000
SHOWN_CHARACTERS = 80

# possessive, so that a long string without an end costs one pass and no memory
_STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKET = re.compile(rb"[\[\]{}]")


class JsonProblem(ValueError):
    """Why bytes are not acceptable JSON: a reason code, what was seen, and the key it stands under."""

    def __init__(self, reason: str, detail: str, field: str = "") -> None:
        super().__init__(detail)
        self.reason = reason
        self.detail = detail
        self.field = field


def parse_row(data: bytes, line: int, *, torn: bool = False) -> Row | BadRow:
    """One object from its bytes. `torn`: the bytes have no line end, so broken JSON means a file cut off."""
    try:
        value = parse_value(data)
    except JsonProblem as problem:
        reason = "torn_last_line" if torn and problem.reason == "invalid_json" else problem.reason
        return BadRow(line, problem.field, reason, problem.detail)
    if not isinstance(value, dict):
        return BadRow(line, "", "not_an_object", f"found {_json_type(value)}: {_shown(data)}")
    return Row(line, value)


def parse_value(data: bytes) -> Any:
    """The value of one JSON text.

    Raises:
        JsonProblem: if it is not strict JSON, or exceeds the limits on keys, depth and digits.
    """
    if (at := data.find(b"\0")) >= 0:
        raise JsonProblem("nul_character", f"NUL at byte {at}")
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise JsonProblem("invalid_utf8", f"byte 0x{data[error.start]:02x} at offset {error.start}") from None
    if data.count(b"[") + data.count(b"{") > MAX_DEPTH and _is_too_deep(data):
        raise JsonProblem("nested_too_deep", f"more than {MAX_DEPTH} levels")
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise _explain(error) from None
    if b"\\u" in data:  # only escapes can smuggle in what UTF-8 itself cannot hold
        _check_strings(value, "")
    return value


def _explain(error: json.JSONDecodeError) -> JsonProblem:
    text, at = error.doc, error.pos
    if error.msg.startswith("Invalid control character"):
        return JsonProblem("control_character", f"U+{ord(text[at]):04X} at column {at + 1}")
    if error.msg == "Extra data" and text[at] in "{[":
        return JsonProblem("several_objects", f"another object starts at column {at + 1}; give each its own line")
    hint = ""
    if text[at : at + 1] == "'":
        hint = " (single quotes are not JSON)"
    elif text[at : at + 2] in ("//", "/*"):
        hint = " (comments are not JSON)"
    elif text[at : at + 1] in ("}", "]") and text[:at].rstrip().endswith(","):
        hint = " (a trailing comma is not JSON)"
    return JsonProblem("invalid_json", f"{error.msg} at column {at + 1}{hint}")


def _is_too_deep(data: bytes) -> bool:
    depth = 0
    for bracket in _BRACKET.finditer(_STRING.sub(b"", data)):
        depth += 1 if bracket.group() in b"[{" else -1
        if depth > MAX_DEPTH:
            return True
    return False


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_KEYS:
        raise JsonProblem("too_many_keys", f"{len(pairs)} keys")
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise JsonProblem("duplicate_key", f"{twice!r} is given {keys.count(twice)} times", twice)
    return found


def _float(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise JsonProblem("number_out_of_range", f"{digits[:SHOWN_CHARACTERS]} is too large")
    return value


def _int(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise JsonProblem("number_out_of_range", f"an integer of {len(digits)} digits")
    return int(digits)


def _constant(name: str) -> NoReturn:
    raise JsonProblem("not_a_number", f"{name} is not JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_float=_float, parse_int=_int, parse_constant=_constant)


def _check_strings(value: Any, field: str) -> None:
    if isinstance(value, str):
        if "\0" in value:
            raise JsonProblem("nul_character", f"NUL at character {value.index(chr(0))}", field)
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            half = f"U+{ord(value[error.start]):04X}"
            raise JsonProblem("lone_surrogate", f"{half} at character {error.start}", field) from None
    elif isinstance(value, list):
        for item in value:
            _check_strings(item, field)
    elif isinstance(value, dict):
        for key, item in value.items():
            _check_strings(key, field)
            _check_strings(item, field or key)


def _json_type(value: Any) -> str:
    names = {type(None): "null", bool: "a boolean", int: "a number", float: "a number", str: "a text", list: "a list"}
    return names[type(value)]


def _shown(data: bytes) -> str:
    text = data.decode("utf-8").strip()
    return text if len(text) <= SHOWN_CHARACTERS else text[:SHOWN_CHARACTERS] + "…"
