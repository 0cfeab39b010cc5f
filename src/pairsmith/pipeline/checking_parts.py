"""`pairsmith split --check`: read the parts as written and look for near prompts across them, by an exact method."""

import hashlib
import json
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pairsmith.engine import EngineKind, open_engine
from pairsmith.errors import GateFailed, UsageError
from pairsmith.formats.benchmarks import find_benchmarks
from pairsmith.formats.shards import open_shard
from pairsmith.pipeline.near_rows import Join, parted_near_pairs
from pairsmith.pipeline.plain_files import MANIFEST, REPORT, Findings, Inputs
from pairsmith.pipeline.signing import Locator, Signing, sign_rows

__all__ = ["check_parts"]

_SHOWN = 20


def check_parts(folders: Sequence[Path], *, engine: EngineKind = "serial", workers: int = 1) -> dict[str, Any]:
    """Compare every row of every part with every row of the others; nothing of the split's own work is used.

    Args:
        folders: outputs of `pairsmith split` that belong together (a split, and those made `--after` it).
        engine: how it is executed.
        workers: of the engine.

    Returns:
        parts (rows of each), similarity, near_pairs (count) and examples.

    Raises:
        UsageError: if a folder holds no split, they do not belong together, or a file is not what was written.
        GateFailed: if near rows lie in different parts; the message shows some.
    """
    reports = [_report(folder) for folder in folders]
    for report, folder in zip(reports, folders, strict=True):
        if any(report[key] != reports[0][key] for key in ("parts", "similarity", "seed")):
            raise UsageError(f"{folder}: was split otherwise than {folders[0]}; check them one by one")
        _check_manifest(folder)
    names = list(reports[0]["parts"])
    inputs, part_of = _written(folders, reports, names)
    threshold = float(reports[0]["similarity"])
    with tempfile.TemporaryDirectory(prefix="pairsmith-check-") as spill, open_engine(engine, workers) as mapper:
        signing = Signing(str(Path(spill) / "runs"), threshold, inputs.fields)
        signed = sign_rows(mapper, signing, inputs, Findings(Path(spill)))
        sides = [
            np.full(run.rows, part_of[place.name]) for run, place in zip(signed.runs.each, signed.places, strict=True)
        ]
        parts = np.concatenate([np.zeros(0, dtype=np.int16), *sides]).astype(np.int16)
        pairs, scores = parted_near_pairs(mapper, Join(spill, signed.runs, threshold, 1), parts, signed.counts)
        where = Locator(signed.runs.each, signed.places)
        examples = [
            {"one": _shown(where.of(one)), "other": _shown(where.of(other)), "similarity": score}
            for (one, other), score in zip(pairs[:_SHOWN].tolist(), scores[:_SHOWN].tolist(), strict=True)
        ]
    rows = np.bincount(parts, minlength=len(names)).tolist()
    result = {
        "parts": dict(zip(names, rows, strict=True)),
        "similarity": threshold,
        "near_pairs": len(pairs),
        "examples": examples,
    }
    if len(pairs):
        shown = "\n".join(
            f"{each['one']} and {each['other']}: similarity {each['similarity']:.2f}" for each in examples
        )
        raise GateFailed(f"{len(pairs):,} pairs of near prompts lie in different parts:\n{shown}")
    return result


def _report(folder: Path) -> dict[str, Any]:
    try:
        report: dict[str, Any] = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{folder / REPORT}: is not there; --check takes the output folders of `pairsmith split`"
        ) from None
    if report.get("command") != "split":
        raise UsageError(f"{folder}: was written by `pairsmith {report.get('command')}`; there are no parts to check")
    return report


def _check_manifest(folder: Path) -> None:
    files = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["files"]
    for name, written in files.items():
        path = folder / name
        if not path.is_file():
            raise UsageError(f"{path}: is missing; {MANIFEST} names it")
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != written["sha256"]:
                raise UsageError(f"{path}: was changed after it was written")


def _written(
    folders: Sequence[Path], reports: Sequence[Mapping[str, Any]], names: Sequence[str]
) -> tuple[Inputs, dict[str, int]]:
    """The files of all parts, and the part of each by its name."""
    shards, fields, part_of = [], {}, {}
    for folder, report in zip(folders, reports, strict=True):
        of_input = {each["name"]: each["fields"] for each in report["inputs"]}
        for number, part in enumerate(names):
            for path in find_benchmarks(folder / part):
                name = str(path)
                shards.append(open_shard(path, name))
                fields[name] = of_input[path.relative_to(folder / part).as_posix()]
                part_of[name] = number
    return Inputs(tuple(shards), fields), part_of


def _shown(place: tuple[str, int]) -> str:
    return f"{place[0]}:{place[1]}"
