"""Small makers of files and rows for the tests of formats."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pairsmith.formats.files import read_rows
from pairsmith.formats.parsers import PARSERS
from pairsmith.formats.rows import BadRow, Parsed, ReadTally, Row, SourceContext

CONTEXT = SourceContext("a-source")


def write_jsonl(path: Path, rows: Sequence[Any]) -> Path:
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read(path: Path, **options: Any) -> tuple[list[Row], list[BadRow], ReadTally]:
    tally = ReadTally()
    items = list(read_rows(path, tally=tally, **options))
    good = [item for item in items if isinstance(item, Row)]
    bad = [item for item in items if isinstance(item, BadRow)]
    assert tally.rows == len(items) == len(good) + len(bad)
    assert tally.bad == len(bad)
    return good, bad, tally


def parse(name: str, *rows: dict[str, Any], context: SourceContext = CONTEXT) -> list[Parsed | BadRow]:
    items = list(PARSERS[name](iter([Row(line, values) for line, values in enumerate(rows, start=1)]), context))
    assert len(items) == len(rows)
    return items


def good(name: str, row: dict[str, Any], context: SourceContext = CONTEXT) -> Parsed:
    (item,) = parse(name, row, context=context)
    assert isinstance(item, Parsed), item
    return item


def bad(name: str, row: dict[str, Any]) -> tuple[str, str]:
    (item,) = parse(name, row)
    assert isinstance(item, BadRow), item
    return item.reason, item.field


def turns(*texts: str) -> list[dict[str, str]]:
    return [{"role": "assistant" if index % 2 else "user", "content": text} for index, text in enumerate(texts)]
