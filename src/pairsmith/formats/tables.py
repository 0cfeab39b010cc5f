"""Rows of tables: CSV, tab-separated values, Parquet."""

import csv
import datetime
import decimal
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

from pairsmith.errors import InputError, MissingExtra
from pairsmith.formats.lines import MAX_LINE_BYTES, iter_lines, line_end
from pairsmith.formats.opening import ByteSource
from pairsmith.formats.rows import BadRow, ReadTally, Row

__all__ = ["parquet_row", "read_csv", "read_parquet"]

PARQUET_BATCH_ROWS = 1000


class _TextLines:
    """Decoded lines for the CSV reader; remembers where it stands and which lines were too long."""

    def __init__(self, source: ByteSource, tally: ReadTally) -> None:
        self.line = 0
        self.too_long: list[int] = []
        self._lines = iter_lines(source, line_end(source))
        self._tally = tally

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.line = line.number
            if line.data is None:
                self.too_long.append(line.number)
                continue
            if line.data.endswith(b"\r"):
                self._tally.notes["carriage_returns"] += 1
            if not line.ended:
                self._tally.notes["no_final_newline"] += 1
            # bytes that are not UTF-8 become lone surrogates, which are found again once the columns are known
            yield line.data.decode("utf-8", errors="surrogateescape") + "\n"


def read_csv(source: ByteSource, tally: ReadTally) -> Iterator[Row | BadRow]:
    """Rows under the names of the header. Separator: tab if the header holds one, else semicolon or comma.

    Quotes mean nothing in tab-separated files (IANA's definition); elsewhere they follow RFC 4180.

    Raises:
        InputError: if the header names a column twice or not at all.
    """
    lines = _TextLines(source, tally)
    feed = iter(lines)
    header = next(feed, "")
    delimiter = "\t" if "\t" in header else ";" if ";" in header and "," not in header else ","
    quoting: Literal[0, 3] = csv.QUOTE_NONE if delimiter == "\t" else csv.QUOTE_MINIMAL
    csv.field_size_limit(MAX_LINE_BYTES)  # the module's own limit of 128 KiB is shorter than real answers
    columns = _columns(next(csv.reader([header], delimiter=delimiter, quoting=quoting), []), source.path)
    reader = csv.reader(feed, delimiter=delimiter, quoting=quoting, strict=True)
    while True:
        first_line = lines.line + 1
        try:
            cells = next(reader, None)
        except csv.Error as error:
            yield BadRow(first_line, "", "invalid_csv", f"{error} (lines {first_line} to {lines.line})")
            continue
        while lines.too_long:
            yield BadRow(lines.too_long.pop(0), "", "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes")
        if cells is None:
            return
        if not cells or (len(cells) == 1 and not cells[0].strip() and len(columns) > 1):
            tally.blank += 1
            continue
        yield _csv_row(first_line, columns, cells)


def _columns(names: Sequence[str], path: Path) -> list[str]:
    columns = [name.strip() for name in names]
    twice = next((name for name in columns if name and columns.count(name) > 1), None)
    if twice:
        raise InputError(f"{path}:1: the column {twice!r} is there twice; rename one")
    if not any(columns):
        raise InputError(f"{path}:1: the first line must name the columns")
    return columns


def _csv_row(line: int, columns: Sequence[str], cells: Sequence[str]) -> Row | BadRow:
    if len(cells) != len(columns):
        reason = "too_few_columns" if len(cells) < len(columns) else "too_many_columns"
        return BadRow(line, "", reason, f"{len(cells)} columns, the header has {len(columns)}")
    values = {name: cell for name, cell in zip(columns, cells, strict=True) if name}
    for name, cell in values.items():
        if "\0" in cell:
            return BadRow(line, name, "nul_character", f"NUL at character {cell.index(chr(0))}")
        try:
            cell.encode("utf-8")
        except UnicodeEncodeError as error:
            byte = ord(cell[error.start]) - 0xDC00
            return BadRow(line, name, "invalid_utf8", f"byte 0x{byte:02x} at character {error.start} of the cell")
    return Row(line, values)


def read_parquet(path: Path) -> Iterator[Row | BadRow]:
    """Rows of a Parquet file, read in batches.

    Raises:
        InputError: if the file is damaged.
        MissingExtra: without pyarrow.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(
            f"{path}: reading Parquet needs pyarrow; run `pip install 'pairsmith[arrow]'`, or save it as JSON Lines"
        ) from None
    number = 0
    try:
        with pyarrow.parquet.ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_BATCH_ROWS):
                for values in batch.to_pylist():
                    number += 1
                    yield parquet_row(number, values)
    except (pyarrow.ArrowException, OSError) as error:
        first_line = str(error).partition("\n")[0]
        raise InputError(f"{path}: damaged Parquet file after row {number} ({first_line}); copy it again") from None


def parquet_row(number: int, values: Mapping[str, Any]) -> Row | BadRow:
    """The row with this number, its cells as JSON values."""
    for name, value in values.items():
        if isinstance(value, str) and "\0" in value:
            return BadRow(number, name, "nul_character", f"NUL at character {value.index(chr(0))}")
    try:
        return Row(number, {name: _plain(value) for name, value in values.items()})
    except OverflowError as error:
        return BadRow(number, "", "not_a_number", str(error))


def _plain(value: Any) -> Any:
    """A cell as a JSON value. NaN is how tables say that nothing is there; raises `OverflowError` for infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        if math.isinf(value):
            raise OverflowError("Infinity is not JSON")
        return None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, datetime.date | datetime.time | datetime.timedelta | decimal.Decimal):
        return str(value)
    if isinstance(value, bytes):
        return f"<{len(value)} bytes>"
    return value
