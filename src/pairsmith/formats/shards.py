"""Files of rows as shards: cut into pieces that can be read apart from each other, in a memory that does not grow."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path
from typing import Any, Literal

from pairsmith.errors import InputError, MissingExtra
from pairsmith.formats.files import detect_kind
from pairsmith.formats.lines import HEAD_BYTES, MAX_LINE_BYTES, iter_lines, line_end
from pairsmith.formats.opening import ByteSource, open_bytes
from pairsmith.formats.rows import BadRow, Row
from pairsmith.formats.strict_json import parse_row
from pairsmith.formats.tables import parquet_row

__all__ = ["BOM", "PIECE_BYTES", "Piece", "Shard", "first_rows", "open_shard", "pieces_of", "read_piece"]

PIECE_BYTES = 32 * 2**20
BOM = b"\xef\xbb\xbf"
_PARQUET_ROWS = 1024
_ROWS_TO_GUESS_FROM = 20


@dataclass(frozen=True, slots=True)
class Shard:
    """One input file. `packed`: compressed, so that it can only be read from its beginning."""

    path: Path
    name: str
    kind: Literal["jsonl", "parquet"]
    packed: bool
    size: int


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a shard: bytes start to stop of JSON Lines (all of it if packed), or row groups of Parquet."""

    shard: Shard
    start: int
    stop: int


def open_shard(path: Path, name: str) -> Shard:
    """What kind of file `path` is; `name` is what it will be called in the output.

    Raises:
        InputError: if it is neither JSON Lines nor Parquet, or cannot be read.
        MissingExtra: for Parquet or zstd without pyarrow.
    """
    with open_bytes(path) as source:
        head = source.peek(HEAD_BYTES).removeprefix(BOM)
        packed = source.packed
    kind = detect_kind(path, head)
    if kind == "parquet":
        _parquet(path).close()
        return Shard(path, name, "parquet", packed=False, size=path.stat().st_size)
    if kind != "json" or head.lstrip().startswith(b"["):
        what = "a JSON array" if kind == "json" else f"a {kind.upper()} file"
        how = "`jq -c '.[]' FILE`" if kind == "json" else "any table tool"
        raise InputError(f"{path}: is {what}; give JSON Lines (one object per line) or Parquet: convert it with {how}")
    return Shard(path, name, "jsonl", packed=packed, size=path.stat().st_size)


def pieces_of(shard: Shard, piece_bytes: int = PIECE_BYTES) -> list[Piece]:
    """The pieces of a shard, in order; they depend on the file alone."""
    if shard.kind == "parquet":
        with _parquet(shard.path) as file:
            groups = file.num_row_groups
        return [Piece(shard, group, group + 1) for group in range(groups)]
    if shard.packed or shard.size <= piece_bytes:
        return [Piece(shard, 0, shard.size)]
    bounds = [0]
    with shard.path.open("rb") as file:
        for nominal in range(piece_bytes, shard.size, piece_bytes):
            if nominal <= bounds[-1]:
                continue  # one line was longer than a piece
            file.seek(nominal - 1)
            _skip_line(file)
            bounds.append(min(file.tell(), shard.size))
    bounds = sorted({*bounds, shard.size})
    return [Piece(shard, start, stop) for start, stop in pairwise(bounds)]


def _skip_line(file: Any) -> None:
    while (part := file.readline(HEAD_BYTES)) and not part.endswith(b"\n"):
        pass


def read_piece(piece: Piece, columns: Sequence[str] | None = None) -> Iterator[Row | BadRow | int]:
    """The rows of a piece, and last how many lines (of Parquet: rows) it has, blank ones included.

    Args:
        piece: where to read; the lines of its rows count from 1 at its beginning.
        columns: of Parquet, read these alone; those a file lacks are left out.

    Raises:
        InputError: if the file is damaged.
    """
    return _read_parquet(piece, columns) if piece.shard.kind == "parquet" else _read_jsonl(piece)


def first_rows(shard: Shard) -> list[dict[str, Any]]:
    """The good ones among the first rows, all their fields.

    Raises:
        InputError: if none is good.
    """
    rows: list[dict[str, Any]] = []
    problem: BadRow | None = None
    for piece in pieces_of(shard)[:1]:
        for row in islice(read_piece(piece), _ROWS_TO_GUESS_FROM):
            if isinstance(row, Row):
                rows.append(dict(row.values))
            elif isinstance(row, BadRow):
                problem = problem or row
    if not rows:
        why = f"{problem.reason} ({problem.detail})" if problem else "there are none"
        raise InputError(f"{shard.path}: none of the first rows can be read: {why}; is it one JSON object per line?")
    return rows


def _read_jsonl(piece: Piece) -> Iterator[Row | BadRow | int]:
    path = piece.shard.path
    if piece.shard.packed:
        with open_bytes(path) as source:
            yield from _rows(source)
    else:
        with path.open("rb") as file:
            file.seek(piece.start)
            yield from _rows(ByteSource(path, _Limited(file, piece.stop - piece.start).read, None))


def _rows(source: ByteSource) -> Iterator[Row | BadRow | int]:
    last = 0
    if source.peek(len(BOM)) == BOM:
        source.read(len(BOM))
    for line in iter_lines(source, line_end(source)):
        last = line.number
        if line.data is None:
            yield BadRow(line.number, "", "line_too_long", f"more than {MAX_LINE_BYTES:,} bytes")
        elif line.data.strip():
            yield parse_row(line.data, line.number, torn=not line.ended)
    yield last


class _Limited:
    """A file that ends after so many bytes."""

    def __init__(self, file: Any, left: int) -> None:
        self._file = file
        self._left = left

    def read(self, size: int) -> bytes:
        data: bytes = self._file.read(min(size, self._left))
        self._left -= len(data)
        return data


def _read_parquet(piece: Piece, columns: Sequence[str] | None) -> Iterator[Row | BadRow | int]:
    import pyarrow

    number = 0
    try:
        with _parquet(piece.shard.path) as file:
            wanted = None if columns is None else [name for name in columns if name in file.schema_arrow.names]
            groups = range(piece.start, piece.stop)
            if wanted == []:
                number = sum(file.metadata.row_group(group).num_rows for group in groups)
                yield from (Row(line, {}) for line in range(1, number + 1))
                groups = range(0)
            for batch in file.iter_batches(batch_size=_PARQUET_ROWS, row_groups=list(groups), columns=wanted):
                for values in batch.to_pylist():
                    number += 1
                    yield parquet_row(number, values)
    except (pyarrow.ArrowException, OSError) as error:
        why = str(error).partition("\n")[0]
        raise InputError(f"{piece.shard.path}: damaged Parquet file ({why}); copy it again") from None
    yield number


def _parquet(path: Path) -> Any:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise MissingExtra(f"{path}: reading Parquet needs pyarrow; run `pip install 'pairsmith[arrow]'`") from None
    try:
        return pyarrow.parquet.ParquetFile(path)
    except (pyarrow.ArrowException, OSError) as error:
        why = str(error).partition("\n")[0]
        raise InputError(f"{path}: damaged Parquet file ({why}); copy it again") from None
