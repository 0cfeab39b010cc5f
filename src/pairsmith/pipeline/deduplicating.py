"""`pairsmith dedup`: near-duplicate rows of plain files."""

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np

from pairsmith.engine import Mapper, open_engine
from pairsmith.formats.shard_writing import NOWHERE, Route
from pairsmith.measures.keeping import repeats
from pairsmith.pipeline.near_rows import Join, near_pairs, partitions_for
from pairsmith.pipeline.plain_files import Findings, Inputs, Request, open_inputs, output_folder, save_route, write_all
from pairsmith.pipeline.signing import Locator, SignedRows, Signing, sign_rows

__all__ = ["deduplicate"]


def deduplicate(request: Request, *, threshold: float = 0.8) -> dict[str, Any]:
    """Leave out rows near an earlier row that stays; the report, which is also written.

    Rows are near if each of their fields with texts is: the same prompt with other answers is another row, and so is
    one whose chosen and rejected answer changed places.

    Raises:
        InputError, UsageError: before anything is written.
    """
    inputs = open_inputs(request.files, request.field_names)
    with output_folder(request, inputs) as stage, open_engine(request.engine, request.workers) as mapper:
        findings = Findings(stage)
        spill = stage / ".spill"
        signing = Signing(str(spill / "runs"), threshold, inputs.fields, inputs.roles())
        signed = sign_rows(mapper, signing, inputs, findings)
        request.notify(1, 3)
        join = Join(str(spill), signed.runs, threshold, partitions_for(signed.runs.each))
        found = list(near_pairs(mapper, join))
        pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *(each for each, _ in found)])
        scores = np.concatenate([np.zeros(0), *(each for _, each in found)])
        gone = repeats(pairs, scores, threshold, lambda one, other: _similarity(join, one, other))
        request.notify(2, 3)
        written = _write(request, inputs, signed, gone, findings, stage, mapper)
        groups = Counter(kept for kept, _ in gone.values())
        return findings.write_report(
            {
                "command": "dedup",
                "similarity": threshold,
                "compared": list(signing.roles),
                "inputs": inputs.describe(),
                "rows": {
                    "read": signed.tally["rows"],
                    "near_duplicates": len(gone),
                    "written": written,
                    "unreadable": signed.tally["unreadable"],
                    "without_text": signed.tally["empty"],
                },
                "near_pairs": len(pairs),
                "groups": len(groups),
                "largest_group": 1 + max(groups.values()) if groups else min(1, signed.tally["rows"]),
                "warnings": _warnings(signed),
            }
        )


def _similarity(join: Join, one: int, other: int) -> float:
    return float(join.runs.similarities(np.array([[one, other]]))[0])


def _write(
    request: Request,
    inputs: Inputs,
    signed: SignedRows,
    gone: dict[int, tuple[int, float]],
    findings: Findings,
    stage: Path,
    mapper: Mapper,
) -> int:
    """Write the findings and the rows that stay; how many these are."""
    lines: dict[str, list[int]] = {name: list(left) for name, left in signed.left_out.items()}
    where = Locator(signed.runs.each, signed.places)
    for row, (kept, score) in gone.items():
        name, line = where.of(row)
        kept_name, kept_line = where.of(kept)
        evidence = {"kept": {"file": kept_name, "line": kept_line}, "similarity": score}
        findings.add(name, line, "dropped", "near_duplicate", evidence)
        lines[name].append(line)
    for number, shard in enumerate(inputs.shards):
        out = np.array(sorted(lines[shard.name]), dtype=np.int64)
        save_route(stage / ".spill", number, Route(out, np.full(len(out), NOWHERE, dtype=np.int16)))
    written = sum(sum(counts) for counts in write_all(mapper, inputs, stage, [""]))
    request.notify(3, 3)
    return written


def _warnings(signed: SignedRows) -> list[str]:
    found = []
    if signed.tally["empty"]:
        found.append(f"{signed.tally['empty']:,} rows hold no text in the fields that were read; they stay")
    if signed.tally["unreadable"]:
        found.append(f"{signed.tally['unreadable']:,} rows cannot be read and are left out; findings.jsonl names them")
    return found
