"""Reading evaluation sets, whatever their makers named the field that holds the question."""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pairsmith.errors import InputError
from pairsmith.formats.files import read_rows
from pairsmith.formats.opening import sha256_of
from pairsmith.formats.rows import BadRow
from pairsmith.measures.contamination import PART_SEPARATOR
from pairsmith.records import Benchmark

__all__ = ["find_benchmarks", "read_benchmark"]

ITEM_FIELDS = (
    "question",
    "prompt",
    "problem",
    "instruction",
    "query",
    "turns",
    "messages",
    "input",
    "ctx",
    "goal",
    "sentence",
    "question_stem",
    "stem",
    "text",
    "premise",
    "context",
    "passage",
    "content",
)
"""Names of the field with the question, best first; case, spaces, hyphens and underscores do not matter."""

# Fields that belong to the item besides the one with the question: before it, or after it.
_BEFORE = {"question": ("body", "passage", "context", "article", "story")}
_AFTER = {"instruction": ("input",)}
_ONE_SENTENCE = frozenset({"body"})  # SVAMP: its question makes no sense without the words before it

_DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".csv", ".tsv", ".parquet")
_PACKED_SUFFIXES = (".gz", ".gzip", ".zst", ".zstd")


def read_benchmark(path: Path, name: str = "") -> Benchmark:
    """Read the items of an evaluation set: one text per row, in the order of the rows.

    Args:
        path: JSON Lines, a JSON array, a JSON object with one list, CSV, TSV or Parquet; packed or not.
        name: name in reports; by default the file name without its endings.

    Returns:
        The benchmark. `fields` says which fields the items were read from. Turns, and a passage and its question,
        are separated by U+001E. A row without a question has the item "".

    Raises:
        InputError: if the file cannot be read, a row of it cannot be read (its item would go unnoticed), or no field
            looks like a question.
        MissingExtra: for Parquet or zstd without pyarrow.
    """
    items: list[str] = []
    used: Counter[str] = Counter()
    seen: dict[str, None] = {}
    for row in read_rows(path):
        if isinstance(row, BadRow):
            raise InputError(
                f"{path}:{row.line}: {row.reason} ({row.detail}); a benchmark must be readable to its last row, "
                "or its items would pass unnoticed: repair or delete this row"
            )
        seen.update(dict.fromkeys(row.values))
        text, fields = _item(row.values)
        items.append(text)
        used.update(fields)
    if not used:
        raise InputError(
            f"{path}: no field with the questions; the fields are {', '.join(map(repr, seen))}. Rename the right one "
            f"to 'question' (known names: {', '.join(ITEM_FIELDS)})"
        )
    return Benchmark(name or _stem(path), sha256_of(path), tuple(items), tuple(used))


def find_benchmarks(folder: Path) -> list[Path]:
    """All data files in `folder` and below it, sorted; hidden ones aside. None if there is no such folder."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file()
        and _unpacked_name(path).endswith(_DATA_SUFFIXES)
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def _item(values: Mapping[str, Any]) -> tuple[str, tuple[str, ...]]:
    """The text of one item and the fields it came from; "" and no fields if there is none."""
    names = {_plain(name): name for name in reversed(list(values))}
    for field in ITEM_FIELDS:
        question = _text(values[names[field]]) if field in names else ""
        if not question:
            continue
        used = [names[field]]
        for companion in _BEFORE.get(field, ()):
            if companion in names and (more := _text(values[names[companion]])):
                question = more + (" " if companion in _ONE_SENTENCE else PART_SEPARATOR) + question
                used.insert(0, names[companion])
        for companion in _AFTER.get(field, ()):
            if companion in names and (more := _text(values[names[companion]])):
                question += "\n" + more
                used.append(names[companion])
        return question, tuple(used)
    return "", ()


def _text(value: Any) -> str:
    """The text in a field: a string, a list of turns or messages, or an object with a question in it (ARC)."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, Mapping):
        if "role" in value and value["role"] not in ("user", "human"):
            return ""
        return _item(value)[0]
    if isinstance(value, list):
        return PART_SEPARATOR.join(text for each in value if (text := _text(each)))
    return ""


def _plain(name: str) -> str:
    return name.strip().lower().replace(" ", "_").replace("-", "_")


def _unpacked_name(path: Path) -> str:
    name = path.name
    for suffix in _PACKED_SUFFIXES:
        name = name.removesuffix(suffix)
    return name


def _stem(path: Path) -> str:
    name = _unpacked_name(path)
    return name[: name.rfind(".")] if "." in name[1:] else name
