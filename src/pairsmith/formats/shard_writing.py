"""Writing shards: the rows of one go to the files they are routed to, in their order, as they stand."""

import gzip
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.errors import MissingExtra
from pairsmith.formats.lines import iter_lines, line_end
from pairsmith.formats.opening import open_bytes
from pairsmith.formats.shards import BOM, Shard

__all__ = ["NOTE_FIELD", "NOWHERE", "Route", "open_packed", "write_shard"]

NOWHERE = -1
NOTE_FIELD = "contamination"
_PARQUET_ROWS = 4096
_OF_THE_SCHEMA = (b"huggingface", b"pandas")  # metadata that lists all columns, which is wrong with one more


@dataclass(frozen=True, slots=True)
class Route:
    """Where the rows of a shard go: line numbers (ascending) with the number of a target or `NOWHERE`.

    Lines that are not listed go to target `default`. `notes`: what is added to a row, by line.
    """

    lines: NDArray[np.int64]
    targets: NDArray[np.int16]
    default: int = 0
    notes: Mapping[int, Mapping[str, Any]] = field(default_factory=dict)
    noted: bool = False


def write_shard(shard: Shard, targets: Sequence[Path], route: Route) -> list[int]:
    """Write the rows of `shard` to `targets`, each packed as the shard is; how many rows each got.

    With `route.noted`, rows get one more field, `contamination`: their note, or null. All other bytes of a JSON
    row, and all columns of a Parquet file, stay as they are. Blank lines are left out.
    """
    for target in targets:
        target.parent.mkdir(parents=True, exist_ok=True)
    write = _write_parquet if shard.kind == "parquet" else _write_jsonl
    return write(shard, targets, route)


def _write_jsonl(shard: Shard, targets: Sequence[Path], route: Route) -> list[int]:
    counts = [0] * len(targets)
    with ExitStack() as stack:
        source = stack.enter_context(open_bytes(shard.path))
        files = [stack.enter_context(open_packed(target)) for target in targets]
        if source.peek(len(BOM)) == BOM:
            source.read(len(BOM))
        at = 0
        for line in iter_lines(source, line_end(source)):
            target = route.default
            if at < len(route.lines) and route.lines[at] == line.number:
                target = int(route.targets[at])
                at += 1
            if target == NOWHERE or line.data is None or not line.data.strip():
                continue
            data = _with_note(line.data, route.notes.get(line.number)) if route.noted else line.data
            files[target].write(data + b"\n")
            counts[target] += 1
    return counts


def _with_note(data: bytes, note: Mapping[str, Any] | None) -> bytes:
    """The row with one more field at its end, the other bytes untouched."""
    if f'"{NOTE_FIELD}"'.encode() in data and NOTE_FIELD in (row := json.loads(data)):
        return json.dumps({**row, NOTE_FIELD: note}, ensure_ascii=False).encode()
    body = data.rstrip()[:-1].rstrip()
    comma = b", " if body.strip() != b"{" else b""
    return body + comma + f'"{NOTE_FIELD}": {json.dumps(note, ensure_ascii=False)}}}'.encode()


def _write_parquet(shard: Shard, targets: Sequence[Path], route: Route) -> list[int]:
    import pyarrow
    from pyarrow import parquet

    counts = [0] * len(targets)
    with ExitStack() as stack:
        file = stack.enter_context(parquet.ParquetFile(shard.path))
        schema = _noted_schema(file.schema_arrow) if route.noted else file.schema_arrow
        groups = file.metadata.num_row_groups
        packing = file.metadata.row_group(0).column(0).compression.lower() if groups else "snappy"
        packing = "none" if packing == "uncompressed" else packing
        writers = [stack.enter_context(parquet.ParquetWriter(each, schema, compression=packing)) for each in targets]
        begin = 1
        for batch in file.iter_batches(batch_size=_PARQUET_ROWS):
            end = begin + batch.num_rows
            chosen = np.full(batch.num_rows, route.default, dtype=np.int16)
            low, high = np.searchsorted(route.lines, [begin, end])
            chosen[route.lines[low:high] - begin] = route.targets[low:high]
            if route.noted:
                notes = [_as_struct(route.notes.get(line)) for line in range(begin, end)]
                kept = [name for name in batch.schema.names if name != NOTE_FIELD]
                columns = [batch.column(name) for name in kept] + [pyarrow.array(notes, schema.field(NOTE_FIELD).type)]
                batch = pyarrow.RecordBatch.from_arrays(columns, schema=schema)
            for number, writer in enumerate(writers):
                rows = batch.filter(pyarrow.array(chosen == number))
                if rows.num_rows:
                    writer.write_batch(rows)
                counts[number] += rows.num_rows
            begin = end
    return counts


def _noted_schema(schema: Any) -> Any:
    import pyarrow

    note = pyarrow.struct(
        [
            ("benchmark", pyarrow.string()),
            ("item", pyarrow.int64()),
            ("field", pyarrow.string()),
            ("method", pyarrow.string()),
            ("score", pyarrow.float64()),
            ("span", pyarrow.string()),
        ]
    )
    metadata = {key: value for key, value in (schema.metadata or {}).items() if key not in _OF_THE_SCHEMA}
    fields = [each for each in schema if each.name != NOTE_FIELD]
    return pyarrow.schema([*fields, pyarrow.field(NOTE_FIELD, note)], metadata or None)


def _as_struct(note: Mapping[str, Any] | None) -> dict[str, Any] | None:
    names = ("benchmark", "item", "field", "method", "score", "span")
    return None if note is None else {name: note[name] for name in names}


@contextmanager
def open_packed(path: Path) -> Iterator[Any]:
    """A new file to write bytes to, packed if its name says so; the same bytes make the same file."""
    name = path.name.lower()
    if name.endswith((".zst", ".zstd")):
        try:
            import pyarrow
        except ImportError:
            raise MissingExtra(f"{path}: writing zstd needs pyarrow; run `pip install 'pairsmith[arrow]'`") from None
        with pyarrow.CompressedOutputStream(pyarrow.OSFile(str(path), "wb"), "zstd") as packed:
            yield packed
    elif name.endswith((".gz", ".gzip")):
        with path.open("wb") as below, gzip.GzipFile("", "wb", compresslevel=6, fileobj=below, mtime=0) as packed:
            yield packed
    else:
        with path.open("wb", buffering=1 << 20) as file:
            yield file
