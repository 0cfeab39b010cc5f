"""`pairsmith decontaminate`: benchmark items in plain files of training rows."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from pairsmith.engine import open_engine
from pairsmith.errors import UsageError
from pairsmith.formats.benchmarks import find_benchmarks, read_benchmark
from pairsmith.formats.opening import sha256_of
from pairsmith.formats.rows import BadRow, Row
from pairsmith.formats.shard_writing import NOWHERE, Route
from pairsmith.formats.shards import Piece, read_piece
from pairsmith.formats.text_fields import row_texts
from pairsmith.measures.contamination import ContaminationIndex, Hit, build_index, find_all
from pairsmith.pipeline.plain_files import (
    FINDINGS,
    Findings,
    Inputs,
    Request,
    open_inputs,
    output_folder,
    save_route,
    write_all,
)
from pairsmith.records import Benchmark

__all__ = ["Mode", "decontaminate", "read_benchmarks"]

Mode = Literal["drop", "flag", "report"]

_CHARACTERS_AT_A_TIME = 2_000_000
_SUSPICIOUS_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class _Scan:
    """What a task needs: the items to look for, and the fields of each file."""

    index: ContaminationIndex
    fields: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class _Scanned:
    """What became of a piece: hits by line, bad rows, lines, rows, rows without any text."""

    hits: tuple[tuple[int, Hit], ...]
    bad: tuple[BadRow, ...]
    lines: int
    rows: int
    empty: int


def read_benchmarks(paths: Sequence[Path]) -> list[Benchmark]:
    """The benchmarks in files and folders, each under another name.

    Raises:
        InputError: if one cannot be read.
        UsageError: if a folder holds none.
    """
    found: list[Benchmark] = []
    names: Counter[str] = Counter()
    for path in paths:
        files = find_benchmarks(path) if path.is_dir() else [path]
        if not files:
            raise UsageError(f"{path}: no benchmark files in this folder")
        for file in files:
            plain = read_benchmark(file)
            names[plain.name] += 1
            again = names[plain.name]
            found.append(plain if again == 1 else read_benchmark(file, f"{plain.name}-{again}"))
    return found


def decontaminate(
    request: Request, benchmarks: Sequence[Benchmark], *, mode: Mode = "drop", ngram: int = 5, coverage: float = 0.4
) -> dict[str, Any]:
    """Look for the items of `benchmarks` in all texts of the rows; the report, which is also written.

    `drop` leaves contaminated rows out, `flag` adds a field `contamination` to every row, `report` writes no rows.

    Raises:
        InputError, UsageError: before anything is written.
    """
    inputs = open_inputs(request.files, request.field_names)
    index = build_index([(each.name, each.items) for each in benchmarks], ngram=ngram, coverage=coverage)
    pieces = inputs.pieces()
    total = len(pieces) + (len(inputs.shards) if mode != "report" else 0)
    with output_folder(request, inputs) as stage, open_engine(request.engine, request.workers) as mapper:
        findings, tally = Findings(stage), Counter[str]()
        found: dict[str, dict[int, dict[str, Any]]] = {shard.name: {} for shard in inputs.shards}
        left_out: dict[str, list[int]] = {shard.name: [] for shard in inputs.shards}
        results = mapper(_scan_piece, _Scan(index, inputs.fields), pieces)
        for done, (piece, result) in enumerate(zip(pieces, results, strict=True), start=1):
            name = piece.shard.name
            left_out[name] += findings.add_bad(name, result.bad)
            for line, hit in result.hits:
                at = findings.lines[name] + line
                action = {"drop": "dropped", "flag": "flagged", "report": "reported"}[mode]
                findings.add(name, at, action, "contaminated", asdict(hit))
                found[name][at] = _note(hit) if mode == "flag" else {}
                tally.update({f"benchmark {hit.benchmark}": 1, f"field {hit.field}": 1, f"method {hit.method}": 1})
            findings.lines[name] += result.lines
            tally.update(rows=result.rows, empty=result.empty, unreadable=len(result.bad))
            request.notify(done, total)
        written = 0
        if mode != "report":
            for number, shard in enumerate(inputs.shards):
                save_route(stage / ".spill", number, _route(mode, found[shard.name], left_out[shard.name]))
            for counts in write_all(mapper, inputs, stage, [""]):
                written += sum(counts)
        request.notify(total, total)
        contaminated = findings.counts["contaminated"]
        return findings.write_report(
            {
                "command": "decontaminate",
                "mode": mode,
                "ngram": ngram,
                "coverage": coverage,
                "inputs": inputs.describe(),
                "benchmarks": _described(benchmarks, index, tally),
                "rows": {
                    "read": tally["rows"],
                    "contaminated": contaminated,
                    "written": written,
                    "unreadable": tally["unreadable"],
                    "without_text": tally["empty"],
                },
                "score": 1 - contaminated / tally["rows"] if tally["rows"] else None,
                "by_field": _counts(tally, "field "),
                "by_method": _counts(tally, "method "),
                "warnings": _warnings(inputs, benchmarks, tally, contaminated),
            }
        )


def _scan_piece(scan: _Scan, piece: Piece) -> _Scanned:
    fields = scan.fields[piece.shard.name]
    hits: list[tuple[int, Hit]] = []
    bad: list[BadRow] = []
    batch: list[tuple[int, dict[str, str]]] = []
    size = rows = empty = lines = 0
    for row in read_piece(piece, list(fields.values())):
        if isinstance(row, BadRow):
            bad.append(row)
        elif isinstance(row, Row):
            texts = row_texts(row.values, fields)
            rows += 1
            empty += not any(texts.values())
            batch.append((row.line, texts))
            size += sum(map(len, texts.values()))
            if size >= _CHARACTERS_AT_A_TIME:
                hits += _hits(scan.index, batch)
                batch, size = [], 0
        else:
            lines = row
    hits += _hits(scan.index, batch)
    return _Scanned(tuple(hits), tuple(bad), lines, rows, empty)


def _hits(index: ContaminationIndex, batch: Sequence[tuple[int, dict[str, str]]]) -> list[tuple[int, Hit]]:
    found = find_all(index, [texts for _, texts in batch])
    return [(line, hit) for (line, _), hit in zip(batch, found, strict=True) if hit is not None]


def _note(hit: Hit) -> dict[str, Any]:
    return {name: getattr(hit, name) for name in ("benchmark", "item", "field", "method", "score", "span")}


def _route(mode: Mode, found: Mapping[int, Mapping[str, Any]], left_out: Sequence[int]) -> Route:
    lines = sorted({*left_out, *(found if mode == "drop" else ())})
    targets = np.full(len(lines), NOWHERE, dtype=np.int16)
    flagged = found if mode == "flag" else {}
    return Route(np.array(lines, dtype=np.int64), targets, notes=flagged, noted=mode == "flag")


def _described(benchmarks: Sequence[Benchmark], index: ContaminationIndex, tally: Counter[str]) -> list[dict[str, Any]]:
    return [
        {
            **summary,
            "sha256": benchmark.sha256,
            "fields": list(benchmark.fields),
            "rows_contaminated": tally[f"benchmark {benchmark.name}"],
        }
        for benchmark, summary in zip(benchmarks, index.summary(), strict=True)
    ]


def _counts(tally: Counter[str], prefix: str) -> dict[str, int]:
    return {key.removeprefix(prefix): count for key, count in sorted(tally.items()) if key.startswith(prefix)}


def _warnings(inputs: Inputs, benchmarks: Sequence[Benchmark], tally: Counter[str], contaminated: int) -> list[str]:
    found = []
    digests = {benchmark.sha256: benchmark.name for benchmark in benchmarks}
    for shard in inputs.shards:
        name = digests.get(sha256_of(shard.path))
        if name:
            found.append(f"{shard.path} is the benchmark {name} itself, byte for byte")
    if contaminated > _SUSPICIOUS_SHARE * max(1, tally["rows"]):
        found.append(f"{contaminated:,} of {tally['rows']:,} rows repeat a benchmark; is it the training file itself?")
    if tally["empty"]:
        found.append(f"{tally['empty']:,} rows hold no text in the fields that were read")
    if tally["unreadable"]:
        found.append(f"{tally['unreadable']:,} rows cannot be read and are left out; {FINDINGS} names them")
    return found
