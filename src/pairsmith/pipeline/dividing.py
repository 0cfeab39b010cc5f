"""`pairsmith split FILE...`: parts of plain files that share no near prompts, and keep their rows under growth."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.engine import Mapper, open_engine
from pairsmith.errors import UsageError
from pairsmith.formats.shard_writing import NOWHERE, Route
from pairsmith.measures.parts import QUARANTINED, Placing, quarantine_missed
from pairsmith.pipeline.near_rows import Join, near_pairs, parted_near_pairs, partitions_for
from pairsmith.pipeline.plain_files import (
    INDEX,
    Findings,
    Inputs,
    Request,
    open_inputs,
    output_folder,
    save_route,
    write_all,
)
from pairsmith.pipeline.runs import Runs, load
from pairsmith.pipeline.signing import Locator, SignedRows, Signing, sign_rows
from pairsmith.pipeline.split_figures import split_figures, strata_of, stratum_names
from pairsmith.pipeline.split_index import Before, adopt_runs, link_runs, nothing_before, read_index, write_index

__all__ = ["STRATA", "divide", "read_parts"]

STRATA = ("category", "difficulty", "source")
"""Columns that are kept in balance where the files have them."""

_SUM_TOLERANCE = 1e-6
_FORBIDDEN = frozenset("/\\\0")
_STEPS = 4

_I64 = NDArray[np.int64]


def read_parts(text: str) -> dict[str, float]:
    """Parts and their shares, from "train=0.8,validation=0.2".

    >>> read_parts("train=0.8,validation=0.2")
    {'train': 0.8, 'validation': 0.2}

    Raises:
        UsageError: if that is not what it says, a share is not above 0, or they do not add up to 1.
    """
    parts: dict[str, float] = {}
    for each in text.split(","):
        name, equals, share = (word.strip() for word in each.partition("="))
        try:
            value = float(share)
        except ValueError:
            equals = ""
        if not equals or not name:
            raise UsageError(f"--parts {text}: {each!r} is not NAME=SHARE, as in train=0.8,validation=0.2")
        if name in parts or name == INDEX or name.startswith(".") or _FORBIDDEN.intersection(name):
            raise UsageError(f"--parts {text}: {name!r} is given twice or cannot be the name of a folder")
        if not 0 < value <= 1:
            raise UsageError(f"--parts {text}: the share of {name} must be above 0 and at most 1, not {share}")
        parts[name] = value
    if abs(sum(parts.values()) - 1) > _SUM_TOLERANCE:
        raise UsageError(f"--parts {text}: the shares add up to {sum(parts.values()):g}, not 1")
    if len(parts) < 2:
        raise UsageError(f"--parts {text}: one part is no split; name at least two")
    return parts


def divide(
    request: Request,
    parts: Mapping[str, float],
    *,
    threshold: float = 0.8,
    stratify: Sequence[str] | None = None,
    seed: int = 0,
    after: Path | None = None,
) -> dict[str, Any]:
    """Split the rows by their prompts; the report, which is also written.

    Args:
        request: the files and where to write.
        parts: shares by name, in order, adding up to 1.
        threshold: smallest similarity of prompts that must not lie in different parts.
        stratify: columns in whose values the shares are kept; by default those of `STRATA` that are there.
        seed: another seed, another split.
        after: the output of an earlier split, whose rows came first; they are not read again and not moved.

    Raises:
        InputError, UsageError: before anything is written; also if there are fewer groups of near rows than parts.
    """
    if after and after.resolve() == request.output.resolve():
        raise UsageError(f"{after}: holds the rows split before; write the new ones to another folder")
    inputs = open_inputs(request.files, request.field_names)
    strata = stratum_names(inputs, stratify, STRATA)
    asked = {"parts": dict(parts), "similarity": threshold, "stratify": list(strata), "seed": seed}
    before = read_index(after, asked) if after else nothing_before(list(parts.values()))
    with output_folder(request, inputs) as stage, open_engine(request.engine, request.workers) as mapper:
        findings = Findings(stage)
        signing = Signing(str(stage / ".spill" / "runs"), threshold, inputs.fields, (), strata, seed)
        signed = sign_rows(mapper, signing, inputs, findings, link_runs(before, stage))
        runs = adopt_runs(signed.runs, len(before.runs), stage)
        places = (*before.places, *signed.places)
        request.notify(1, _STEPS)
        join = Join(str(stage / ".spill"), runs, threshold, partitions_for(runs.each), before.rows)
        placing = _place(mapper, join, before)
        request.notify(2, _STEPS)
        assigned = np.array(placing.parts, dtype=np.int16)
        final = np.concatenate([before.parts, assigned[before.rows :]])
        counts = before.counts + signed.counts
        crossing, _ = parted_near_pairs(mapper, join, assigned, counts)
        missed = quarantine_missed(final, crossing)
        request.notify(3, _STEPS)
        _refuse_too_few_groups(placing, final, list(parts))
        near = {**placing.near, **{row: [other] for row, other in missed.items()}}
        _note_quarantined(findings, Locator(runs.each, places), list(parts), final, near)
        figures = split_figures(runs.each, final, placing, asked, since=before.rows, leaks=_leaks(final, crossing))
        written = _write(mapper, inputs, stage, signed, runs, final, before, list(parts))
        write_index(stage, asked, runs, places, placing, final, counts)
        request.notify(_STEPS, _STEPS)
        return findings.write_report(
            {
                "command": "split",
                **asked,
                "after_rows": before.rows,
                "inputs": inputs.describe(),
                "rows": {
                    "read": signed.tally["rows"],
                    "quarantined": int(np.count_nonzero(final[before.rows :] == QUARANTINED)),
                    "written": dict(zip(parts, written, strict=True)),
                    "unreadable": signed.tally["unreadable"],
                    "without_text": signed.tally["empty"],
                },
                **figures,
            }
        )


def _place(mapper: Mapper, join: Join, before: Before) -> Placing:
    """Place the new rows, in order."""
    placing = before.placing
    found = iter(near_pairs(mapper, join))
    for run in join.runs.each:
        if run.first < join.since:
            continue
        pairs, _ = next(found)
        near: dict[int, list[int]] = {}
        for earlier, later in pairs.tolist():
            near.setdefault(later, []).append(earlier)
        draws = load(Path(run.folder) / "draws.npy").tolist()
        for row, (stratum, draw) in enumerate(zip(strata_of(run), draws, strict=True), start=run.first):
            placing.place(stratum, near.get(row, ()), draw)
    return placing


def _leaks(parts: NDArray[np.int16], crossing: _I64) -> int:
    """How many near pairs still lie in different parts."""
    sides = parts[crossing]
    return int(np.count_nonzero((sides >= 0).all(axis=1) & (sides[:, 0] != sides[:, 1])))


def _refuse_too_few_groups(placing: Placing, parts: NDArray[np.int16], names: Sequence[str]) -> None:
    groups = int(np.count_nonzero(parts >= 0)) - sum(parts[row] >= 0 for row in placing.groups)
    if groups < len(names):
        raise UsageError(
            f"all {len(parts):,} rows belong to {groups} group{'s' if groups != 1 else ''} of near prompts, which "
            f"cannot be divided into {len(names)} parts; add other prompts, or raise --similarity"
        )


def _note_quarantined(
    findings: Findings,
    where: Locator,
    names: Sequence[str],
    parts: NDArray[np.int16],
    near: Mapping[int, Sequence[int]],
) -> None:
    for row, others in sorted(near.items()):
        name, line = where.of(row)
        shown = []
        for other in others:
            file, at = where.of(other)
            part = names[parts[other]] if parts[other] >= 0 else None
            shown.append({"file": file, "line": at, "part": part})
        findings.add(name, line, "quarantined", "near_both_parts", {"near": shown})


def _write(
    mapper: Mapper,
    inputs: Inputs,
    stage: Path,
    signed: SignedRows,
    runs: Runs,
    parts: NDArray[np.int16],
    before: Before,
    names: Sequence[str],
) -> list[int]:
    """Write the rows of each part; how many those are."""
    new = list(zip(runs.each[len(before.runs) :], signed.places, strict=True))
    for number, shard in enumerate(inputs.shards):
        here = [(run, place) for run, place in new if place.name == shard.name]
        lines = [place.offset + load(Path(run.folder) / "lines.npy") for run, place in here]
        targets = [parts[run.first : run.first + run.rows] for run, _ in here]
        empty = np.zeros(0, dtype=np.int64)
        route = Route(np.concatenate([empty, *lines]), np.concatenate([empty, *targets]).astype(np.int16), NOWHERE)
        save_route(stage / ".spill", number, route)
    written = Counter[int]()
    for counts in write_all(mapper, inputs, stage, names):
        written.update(dict(enumerate(counts)))
    return [written[part] for part in range(len(names))]
