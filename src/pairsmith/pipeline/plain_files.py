"""Commands on plain files: what they read, where they write, and an output folder that is there whole or not at all."""

import hashlib
import json
import os
import shutil
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pairsmith.builds.files import sync_folder
from pairsmith.engine import EngineKind, Mapper
from pairsmith.errors import UsageError
from pairsmith.formats.benchmarks import find_benchmarks
from pairsmith.formats.rows import BadRow
from pairsmith.formats.shard_writing import Route, write_shard
from pairsmith.formats.shards import Piece, Shard, first_rows, open_shard, pieces_of
from pairsmith.formats.text_fields import choose_fields, guess_fields

__all__ = [
    "FINDINGS",
    "INDEX",
    "MANIFEST",
    "REPORT",
    "Findings",
    "Inputs",
    "Request",
    "open_inputs",
    "output_folder",
    "save_route",
    "write_all",
]

FINDINGS, REPORT, MANIFEST = "findings.jsonl", "report.json", "manifest.json"
INDEX = "index"
"""Folder of what a split remembers of its rows."""

_RESERVED = (FINDINGS, REPORT, MANIFEST)
_DATA_SUFFIXES = (".jsonl", ".ndjson", ".json", ".parquet", ".gz", ".zst", ".zstd", ".gzip", ".csv", ".tsv")

Notify = Callable[[int, int], None]


def _silent(_done: int, _total: int) -> None:
    return


@dataclass(frozen=True, slots=True)
class Request:
    """What every command on plain files takes.

    Attributes:
        files: files or folders of them.
        output: folder to write; None to write nothing.
        force: replace an output folder of an earlier run.
        field_names: columns to read; () to guess them.
        engine: serial, processes or ray.
        workers: of the engine.
        notify: called with (done, total) units of work.
    """

    files: tuple[Path, ...]
    output: Path
    force: bool = False
    field_names: tuple[str, ...] = ()
    engine: EngineKind = "processes"
    workers: int = 1
    notify: Notify = _silent


@dataclass(frozen=True, slots=True)
class Inputs:
    """The input files. By the name of the file: the fields that hold texts (role -> column), and all columns seen."""

    shards: tuple[Shard, ...]
    fields: Mapping[str, Mapping[str, str]]
    columns: Mapping[str, frozenset[str]] = field(default_factory=dict)

    def pieces(self) -> list[Piece]:
        """All pieces of all files, in order."""
        return [piece for shard in self.shards for piece in pieces_of(shard)]

    def roles(self) -> tuple[str, ...]:
        """All roles of all files."""
        return tuple(dict.fromkeys(role for fields in self.fields.values() for role in fields))

    def describe(self) -> list[dict[str, Any]]:
        """For the report."""
        return [
            {"file": str(shard.path), "name": shard.name, "bytes": shard.size, "fields": dict(self.fields[shard.name])}
            for shard in self.shards
        ]


def open_inputs(files: Sequence[Path], field_names: Sequence[str] = ()) -> Inputs:
    """Look at the first rows of each file.

    Raises:
        InputError: if a file cannot be used; see also `open_shard` and `guess_fields`.
        UsageError: if a folder holds no data, or a file is named like one of the output's own.
    """
    paths = [path for each in files for path in _expanded(each)]
    shards = tuple(open_shard(path, name) for path, name in zip(paths, _names(paths), strict=True))
    fields: dict[str, Mapping[str, str]] = {}
    columns: dict[str, frozenset[str]] = {}
    for shard in shards:
        rows, where = first_rows(shard), str(shard.path)
        fields[shard.name] = choose_fields(rows, field_names, where) if field_names else guess_fields(rows, where)
        columns[shard.name] = frozenset(name for row in rows for name in row)
    return Inputs(shards, fields, columns)


def _expanded(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    own = (path / MANIFEST).is_file()  # an output of ours: what stands beside the rows is no input
    found = [
        each
        for each in find_benchmarks(path)
        if each.name not in _RESERVED and not (own and each.relative_to(path).parts[0] == INDEX)
    ]
    if not found:
        raise UsageError(f"{path}: no data files in this folder")
    return found


def _names(paths: Sequence[Path]) -> list[str]:
    """What each file is called in the output: its name, or where that is taken, its path below the common folder."""
    whole = [Path(os.path.abspath(path)) for path in paths]  # noqa: PTH100 - `resolve` would follow links
    if len({path.name for path in whole}) < len(whole):
        common = Path(os.path.commonpath([path.parent for path in whole]))
        names = [path.relative_to(common).as_posix() for path in whole]
    else:
        names = [path.name for path in whole]
    twice = next((name for name, count in Counter(names).items() if count > 1), None)
    if twice:
        raise UsageError(f"{twice}: this file is given twice")
    taken = next((name for name in names if name in _RESERVED), None)
    if taken:
        raise UsageError(f"{taken}: the output has a file of this name; rename the input")
    return names


@contextmanager
def output_folder(request: Request, inputs: Inputs) -> Iterator[Path]:
    """A hidden folder beside the output that takes its place when the block ends well, and is gone if it does not.

    The block fills it; intermediate files go to its subfolder `.spill`, which is deleted. The manifest (sha256 of
    every file) is written last.

    Raises:
        UsageError: if the output is there already, or is one of the inputs.
    """
    output = request.output
    _check_output(output, request.force, inputs)
    output.parent.mkdir(parents=True, exist_ok=True)
    stage = output.parent / f".{output.name}.partial-{uuid.uuid4().hex[:8]}"
    (stage / ".spill").mkdir(parents=True)
    try:
        yield stage
        shutil.rmtree(stage / ".spill")
        _write_manifest(stage)
        if output.exists():
            old = stage.with_name(f"{stage.name}-old")
            output.rename(old)
            stage.rename(output)
            shutil.rmtree(old)
        else:
            stage.rename(output)
        sync_folder(output.parent)
    finally:
        shutil.rmtree(stage, ignore_errors=True)


def _check_output(output: Path, force: bool, inputs: Inputs) -> None:
    if output.name.lower().endswith(_DATA_SUFFIXES):
        raise UsageError(f"{output}: -o names a folder, not a file; the files in it keep their names")
    if not output.exists():
        return
    inside = next((s.path for s in inputs.shards if s.path.resolve().is_relative_to(output.resolve())), None)
    if inside:
        raise UsageError(f"{output}: holds the input {inside}; write to another folder")
    if output.is_dir() and not any(output.iterdir()):
        return
    if not force:
        raise UsageError(f"{output}: is there already; name another folder, or replace it with --force")
    if not (output / MANIFEST).is_file():
        raise UsageError(
            f"{output}: was not written by Pairsmith (it has no {MANIFEST}), so --force will not replace it"
        )


def _write_manifest(stage: Path) -> None:
    files: dict[str, dict[str, Any]] = {}
    for path in sorted(each for each in stage.rglob("*") if each.is_file()):
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
            os.fsync(file.fileno())
        files[path.relative_to(stage).as_posix()] = {"bytes": path.stat().st_size, "sha256": digest}
    (stage / MANIFEST).write_text(json.dumps({"files": files}, indent=1) + "\n", encoding="utf-8")


@dataclass(slots=True)
class Findings:
    """Writes `findings.jsonl`: one line for every row that something was found about.

    Attributes:
        counts: findings by reason.
        lines: lines of each file read so far.
    """

    stage: Path
    counts: Counter[str] = field(default_factory=Counter)
    lines: Counter[str] = field(default_factory=Counter)

    def add(self, name: str, line: int, action: str, reason: str, evidence: Mapping[str, Any]) -> None:
        """`line` counts from 1 in the file `name`."""
        self.counts[reason] += 1
        found = {"file": name, "line": line, "action": action, "reason": reason, **evidence}
        with (self.stage / FINDINGS).open("a", encoding="utf-8") as file:
            file.write(json.dumps(found, ensure_ascii=False) + "\n")

    def add_bad(self, name: str, rows: Sequence[BadRow]) -> list[int]:
        """Rows of the current piece of `name` that cannot be read; their lines in the file."""
        begin = self.lines[name]
        for row in rows:
            self.add(name, begin + row.line, "left out", row.reason, {"field": row.field, "detail": row.detail})
        return [begin + row.line for row in rows]

    def write_report(self, report: Mapping[str, Any]) -> dict[str, Any]:
        """Write `report.json`; the report with the counts of the findings."""
        (self.stage / FINDINGS).touch()
        whole = {**report, "findings": dict(sorted(self.counts.items()))}
        text = json.dumps(whole, indent=1, ensure_ascii=False, allow_nan=False)
        (self.stage / REPORT).write_text(text + "\n", encoding="utf-8")
        return whole


def save_route(spill: Path, number: int, route: Route) -> None:
    """Keep where the rows of a shard go until they are written."""
    np.save(spill / f"route-{number}-lines.npy", route.lines)
    np.save(spill / f"route-{number}-targets.npy", route.targets)
    notes = {"default": route.default, "noted": route.noted, "notes": {str(k): v for k, v in route.notes.items()}}
    (spill / f"route-{number}.json").write_text(json.dumps(notes), encoding="utf-8")


def write_all(mapper: Mapper, inputs: Inputs, stage: Path, targets: Sequence[str]) -> list[list[int]]:
    """Write all shards by their routes, below each of `targets` (folders in `stage`); rows per shard and target."""
    items = [(number, shard) for number, shard in enumerate(inputs.shards)]
    return list(mapper(_write_one, (str(stage), tuple(targets)), items))


def _write_one(shared: tuple[str, tuple[str, ...]], item: tuple[int, Shard]) -> list[int]:
    stage, (number, shard) = Path(shared[0]), item
    spill = stage / ".spill"
    notes = json.loads((spill / f"route-{number}.json").read_text(encoding="utf-8"))
    route = Route(
        np.load(spill / f"route-{number}-lines.npy", mmap_mode=None),
        np.load(spill / f"route-{number}-targets.npy", mmap_mode=None),
        notes["default"],
        {int(line): note for line, note in notes["notes"].items()},
        notes["noted"],
    )
    attempt = uuid.uuid4().hex[:8]  # another attempt of this task may still be writing
    folder = spill / f"attempt-{attempt}"
    written = [folder / str(number) / shard.name for number in range(len(shared[1]))]
    counts = write_shard(shard, written, route)
    for path, target, count in zip(written, shared[1], counts, strict=True):
        if not count:
            continue  # many readers stumble over files without rows
        final = stage / target / shard.name
        final.parent.mkdir(parents=True, exist_ok=True)
        path.replace(final)
    return counts
