"""Rows of JSON Lines, of a JSON array, and of a JSON object that holds one list of rows; all but the last streamed."""

import json
import re
from collections.abc import Iterator
from typing import Any

from pairsmith.errors import InputError
from pairsmith.formats.lines import HEAD_BYTES, MAX_LINE_BYTES, iter_lines, line_end
from pairsmith.formats.opening import ByteSource
from pairsmith.formats.rows import BadRow, ReadTally, Row
from pairsmith.formats.strict_json import JsonProblem, parse_row, parse_value

__all__ = ["read_json"]

MAX_DOCUMENT_BYTES = 256 * 2**20
CONTAINER_KEYS = ("data", "rows", "items", "examples", "records", "entries", "results", "questions", "prompts")

_OUTSIDE = re.compile(rb'["\[\]{},]')
_INSIDE = re.compile(rb'["\\]')


def read_json(source: ByteSource, tally: ReadTally) -> Iterator[Row | BadRow]:
    """The rows of a JSON file, whatever its suffix says about how they are laid out.

    Raises:
        InputError: for pretty-printed JSON that is not one list of rows.
    """
    end = line_end(source)
    head = source.peek(HEAD_BYTES)
    if head.lstrip().startswith(b"{") and end not in head:
        head = source.peek(MAX_LINE_BYTES)  # one long line: a first row, or all rows in one object
    whole = len(head) < HEAD_BYTES or HEAD_BYTES < len(head) < MAX_LINE_BYTES
    first_line, newline, after = head.lstrip().partition(end)
    parsed = _try(first_line) if newline or whole else None
    more = bool(after.strip()) or not whole
    if head.lstrip().startswith(b"[") and not (isinstance(parsed, list) and more):
        return _array(source, tally)
    if isinstance(parsed, dict) and not more and _container_key(parsed):
        return _rows_of(parsed, str(source.path))
    if parsed is None and head.lstrip().startswith(b"{") and _spans_lines(head):
        return _document(source)
    return _lines(source, tally)


def _lines(source: ByteSource, tally: ReadTally) -> Iterator[Row | BadRow]:
    end = line_end(source)
    for line in iter_lines(source, end):
        if line.data is None:
            yield BadRow(line.number, "", "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes")
            continue
        if not line.data.strip():
            tally.blank += 1
            continue
        if line.data.endswith(b"\r") or end == b"\r":
            tally.notes["carriage_returns"] += 1
        if not line.ended:
            tally.notes["no_final_newline"] += 1
        yield parse_row(line.data, line.number, torn=not line.ended)


def _array(source: ByteSource, tally: ReadTally) -> Iterator[Row | BadRow]:
    number = 0
    for number, (data, complete) in enumerate(_elements(source), start=1):
        if data is None:
            yield BadRow(number, "", "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes in one item")
        elif not complete and not data.strip():
            tally.notes["unclosed_array"] += 1
        else:
            yield parse_row(data, number, torn=not complete)
    if (rest := source.peek(HEAD_BYTES).strip())[:1]:
        yield BadRow(number + 1, "", "invalid_json", f"text after the end of the array: {rest[:40]!r}")


def _elements(source: ByteSource) -> Iterator[tuple[bytes | None, bool]]:
    """Bytes of each element of the array, and whether it was complete; bytes are `None` past the cap on lines."""
    source.read(source.peek(HEAD_BYTES).index(b"[") + 1)
    held, held_bytes = [b""], 0
    depth, in_string, skip, seen_any = 0, False, 0, False
    while chunk := source.read():
        start, at = 0, skip
        while found := (_INSIDE if in_string else _OUTSIDE).search(chunk, at):
            mark, at = found.group(), found.end()
            if in_string:
                in_string = mark != b'"'
                at += mark == b"\\"  # the escaped character never counts
            elif mark == b'"':
                in_string = True
            elif mark in b"[{":
                depth += 1
            elif depth and mark in b"]}":
                depth -= 1
            elif depth == 0:
                held_bytes += found.start() - start
                data = None if held_bytes > MAX_LINE_BYTES else b"".join([*held, chunk[start : found.start()]])
                closing = mark != b","
                if data is None or data.strip() or not closing or seen_any:
                    yield data, True
                if closing:
                    source.push_back(chunk[at:])
                    return
                held, held_bytes, start, seen_any = [b""], 0, at, True
        skip = max(0, at - len(chunk))
        held_bytes += len(chunk) - start
        held = [b""] if held_bytes > MAX_LINE_BYTES else [*held, chunk[start:]]
    yield (None if held_bytes > MAX_LINE_BYTES else b"".join(held)), False


def _document(source: ByteSource) -> Iterator[Row | BadRow]:
    parts: list[bytes] = []
    size = 0
    while chunk := source.read():
        parts.append(chunk)
        size += len(chunk)
        if size > MAX_DOCUMENT_BYTES:
            raise InputError(f"{source.path}: one JSON document of over {MAX_DOCUMENT_BYTES:,} bytes; {_REMEDY}")
    try:
        value = parse_value(b"".join(parts))
    except JsonProblem as problem:
        if problem.reason == "several_objects":
            raise InputError(f"{source.path}: pretty-printed JSON objects one after the other; {_REMEDY}") from None
        raise InputError(f"{source.path}: not valid JSON ({problem.detail}); {_REMEDY}") from None
    return _rows_of(value, str(source.path))


_REMEDY = "give one object per line, as `jq -c . FILE` or, for a list in it, `jq -c '.KEY[]' FILE` does"


def _rows_of(document: dict[str, Any], name: str) -> Iterator[Row | BadRow]:
    key = _container_key(document)
    if key is None:
        raise InputError(
            f"{name}: pretty-printed JSON, and no list of rows under one of {', '.join(CONTAINER_KEYS)}; {_REMEDY}"
        )
    for number, item in enumerate(document[key], start=1):
        if isinstance(item, dict):
            yield Row(number, item)
        else:
            yield BadRow(number, key, "not_an_object", f"found {type(item).__name__}")


def _container_key(document: dict[str, Any]) -> str | None:
    """The one key that holds a list of rows, if there is exactly one."""
    keys = [
        key
        for key in CONTAINER_KEYS
        if isinstance(items := document.get(key), list) and any(isinstance(item, dict) for item in items)
    ]
    return keys[0] if len(keys) == 1 else None


def _try(data: bytes) -> Any:
    try:
        return parse_value(data)
    except JsonProblem:
        return None


def _spans_lines(head: bytes) -> bool:
    """Whether the first object goes on past the first line."""
    text = head.decode("utf-8", errors="replace").lstrip()
    if text.partition("\n")[0].strip() == "{":
        return True
    try:
        _, end = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return "\n" in text[:end]
