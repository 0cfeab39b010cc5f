"""What a split of plain files leaves behind, so that rows can be added without reading the old ones again.

`index/` in the output: `index.json` (what the split was asked for, counts, where the rows of each run stand), `runs/`
(features and band keys of all rows so far), and arrays over all rows: `assigned` and `parts` (their part, -1 for
none; before and after the exact search for near rows), `groups` (shape (2, n): rows and an earlier row of their
group), `counts` of features.
"""

import json
import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.errors import UsageError
from pairsmith.measures.parts import Placing
from pairsmith.pipeline.plain_files import INDEX
from pairsmith.pipeline.runs import Run, Runs
from pairsmith.pipeline.signing import Place

__all__ = ["Before", "adopt_runs", "link_runs", "nothing_before", "read_index", "write_index"]

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Before:
    """The rows that were split before: their runs, where they stand, and where they went."""

    runs: tuple[Run, ...]
    places: tuple[Place, ...]
    placing: Placing
    parts: NDArray[np.int16]
    counts: NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many there are."""
        return len(self.parts)


def nothing_before(shares: Sequence[float]) -> Before:
    """The state before the first row."""
    none = np.zeros(0, dtype=np.int16)
    return Before((), (), Placing(shares), none, np.zeros((2, 1 << 16), dtype=np.int64))


def read_index(folder: Path, asked: Mapping[str, Any]) -> Before:
    """What an earlier split into `folder` left.

    Raises:
        UsageError: if it holds no index, or that split was asked for something else.
    """
    path = folder / INDEX / "index.json"
    try:
        index = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UsageError(
            f"{path}: is not there; --after names the output folder of an earlier `pairsmith split`"
        ) from None
    if index["version"] != _VERSION:
        raise UsageError(f"{path}: was written by another version of Pairsmith; split all files anew")
    for key, value in asked.items():
        if index["asked"][key] != value:
            given, before = json.dumps(value), json.dumps(index["asked"][key])
            raise UsageError(f"{folder}: was split with {key} {before}, not {given}; rows would move. Give the same")
    runs: list[Run] = []
    for number, each in enumerate(index["runs"]):
        first = runs[-1].first + runs[-1].rows if runs else 0
        runs.append(Run(str(folder / INDEX / "runs" / f"{number:06}"), first, each["rows"], each["keys"]))
    arrays = {name: np.load(folder / INDEX / f"{name}.npy") for name in ("assigned", "parts", "groups", "counts")}
    placing = Placing(
        list(asked["parts"].values()),
        arrays["assigned"].tolist(),
        {tuple(stratum): counts for stratum, counts in index["strata"]},
        dict(zip(*arrays["groups"].tolist(), strict=True)),
    )
    places = tuple(Place(each["file"], each["offset"]) for each in index["runs"])
    return Before(tuple(runs), places, placing, arrays["parts"], arrays["counts"])


def link_runs(before: Before, stage: Path) -> tuple[Run, ...]:
    """The old runs in the new index: the same files under another name where the disk allows it, else copies."""
    linked = []
    for number, run in enumerate(before.runs):
        target = stage / INDEX / "runs" / f"{number:06}"
        shutil.copytree(run.folder, target, copy_function=_link)
        linked.append(replace(run, folder=str(target)))
    return tuple(linked)


def _link(source: str, target: str) -> str:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
    return target


def adopt_runs(runs: Runs, known: int, stage: Path) -> Runs:
    """Move the runs from number `known` on into the index."""
    adopted = list(runs.each[:known])
    (stage / INDEX / "runs").mkdir(parents=True, exist_ok=True)
    for number, run in enumerate(runs.each[known:], start=known):
        target = stage / INDEX / "runs" / f"{number:06}"
        Path(run.folder).rename(target)
        adopted.append(replace(run, folder=str(target)))
    return Runs(tuple(adopted), runs.fields)


def write_index(
    stage: Path,
    asked: Mapping[str, Any],
    runs: Runs,
    places: Sequence[Place],
    placing: Placing,
    parts: NDArray[np.int16],
    counts: NDArray[np.int64],
) -> None:
    """Write what `read_index` reads."""
    folder = stage / INDEX
    np.save(folder / "assigned.npy", np.array(placing.parts, dtype=np.int16))
    np.save(folder / "parts.npy", parts)
    np.save(folder / "groups.npy", np.array([list(placing.groups), list(placing.groups.values())], dtype=np.int64))
    np.save(folder / "counts.npy", counts)
    index = {
        "version": _VERSION,
        "asked": dict(asked),
        "strata": [[list(stratum), numbers] for stratum, numbers in placing.counts.items()],
        "runs": [
            {"rows": run.rows, "keys": run.keys, "file": place.name, "offset": place.offset}
            for run, place in zip(runs.each, places, strict=True)
        ],
    }
    (folder / "index.json").write_text(json.dumps(index, ensure_ascii=False) + "\n", encoding="utf-8")
