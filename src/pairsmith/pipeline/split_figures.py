"""The proof of a split: rows per part and stratum, groups of near rows, and what would spoil it."""

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.errors import UsageError
from pairsmith.measures.parts import Placing, group_warnings
from pairsmith.pipeline.plain_files import Inputs
from pairsmith.pipeline.runs import Run, load

__all__ = ["split_figures", "strata_of", "stratum_names"]

_SHOWN_STRATA = 200
_MIN_ROWS_FOR_DEVIATION = 50


def stratum_names(inputs: Inputs, wanted: Sequence[str] | None, usual: Sequence[str]) -> tuple[str, ...]:
    """The columns to stratify by: those wanted, or the usual ones that every file has.

    Raises:
        UsageError: if a wanted one is missing in a file.
    """
    if wanted is None:
        return tuple(name for name in usual if all(name in inputs.columns[shard.name] for shard in inputs.shards))
    for name in wanted:
        for shard in inputs.shards:
            if name not in inputs.columns[shard.name]:
                raise UsageError(f"{shard.path}: has no column {name!r} to stratify by in its first rows")
    return tuple(wanted)


def strata_of(run: Run) -> list[tuple[str, ...]]:
    """The stratum of each row of a run."""
    names = [tuple(each) for each in json.loads((Path(run.folder) / "strata.json").read_text(encoding="utf-8"))]
    return [names[number] for number in load(Path(run.folder) / "strata.npy").tolist()]


def split_figures(
    runs: Sequence[Run],
    parts: NDArray[np.int16],
    placing: Placing,
    asked: Mapping[str, Any],
    *,
    since: int,
    leaks: int,
) -> dict[str, Any]:
    """Figures over all rows, those before number `since` (split earlier) included.

    Returns:
        rows_in_parts, shares, max_share_error, strata (the largest; shares and how far they are from those asked
        for), max_deviation (over strata of at least 50 rows), groups, largest_group, leaks, warnings.
    """
    names, targets = list(asked["parts"]), list(asked["parts"].values())
    totals = np.bincount(parts[parts >= 0], minlength=len(names))
    whole = max(1, int(totals.sum()))
    strata = _strata(runs, parts, len(names))
    rows = [_row(stratum, counts, names, targets) for stratum, counts in strata.items()]
    rows.sort(key=lambda each: (-each["rows"], each["stratum"]))
    judged = [each["deviation"] for each in rows if each["rows"] >= _MIN_ROWS_FOR_DEVIATION]
    sizes = Counter(placing.root(row) for row in placing.groups if parts[row] >= 0)
    largest = 1 + max(sizes.values(), default=0)
    return {
        "rows_in_parts": dict(zip(names, totals.tolist(), strict=True)),
        "shares": {name: int(count) / whole for name, count in zip(names, totals, strict=True)},
        "max_share_error": float(np.abs(totals / whole - targets).max()),
        "strata": rows[:_SHOWN_STRATA],
        "strata_in_all": len(rows),
        "max_deviation": max(judged, default=None),
        "groups": int(totals.sum()) - sum(sizes.values()),
        "largest_group": largest,
        "leaks": leaks,
        "warnings": _warnings(rows, dict(zip(names, totals.tolist(), strict=True)), largest, whole, len(parts) - since),
    }


def _strata(runs: Sequence[Run], parts: NDArray[np.int16], count: int) -> dict[tuple[str, ...], list[int]]:
    found: dict[tuple[str, ...], list[int]] = {}
    for run in runs:
        for stratum, part in zip(strata_of(run), parts[run.first : run.first + run.rows].tolist(), strict=True):
            if part >= 0:
                found.setdefault(stratum, [0] * count)[part] += 1
    return found


def _row(
    stratum: Sequence[str], counts: Sequence[int], names: Sequence[str], targets: Sequence[float]
) -> dict[str, Any]:
    total = sum(counts)
    deviation = max(abs(count / total - target) for count, target in zip(counts, targets, strict=True))
    by_part = dict(zip(names, counts, strict=True))
    return {"stratum": list(stratum), "rows": total, "parts": by_part, "deviation": deviation}


def _warnings(
    strata: Sequence[Mapping[str, Any]], totals: Mapping[str, int], largest: int, whole: int, new: int
) -> list[str]:
    found = [f"the part {name} has no rows; there are too few for its share" for name, n in totals.items() if not n]
    found += group_warnings(largest, [each["rows"] for each in strata], len(totals), "rows")
    if len(strata) * 2 > whole and whole > len(totals) * 10 and new:
        found.append("most strata have one row; stratify by fewer columns (--stratify)")
    return found
