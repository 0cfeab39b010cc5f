"""What is remembered of rows to find near ones: arrays on disk, a few thousand rows to a folder, read in parts.

A folder ("run") holds rows in order. Arrays: `lines` (line of each row in its piece), `draws` (float in [0, 1) drawn
from its text), `strata` (number of its stratum in strata.json); `keys` and `owners` (bands of all rows, sorted); and,
for each compared field f, `grams-f`, `grams-f-starts`, `bags-f`, `bags-f-starts`, and `digests-f` of the text.
"""

import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.joining import similarities
from pairsmith.measures.shingles import Sets

__all__ = ["Run", "Runs", "key_range", "load", "save_run", "write_array"]

_SMALL_BYTES = 1 << 16  # a file this small is read at once

_I64 = NDArray[np.int64]
_U64 = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Run:
    """One folder of rows. `first`: the number of its first row among all; `keys`: how many bands it has."""

    folder: str
    first: int
    rows: int
    keys: int


@dataclass(frozen=True, slots=True)
class Runs:
    """Folders of rows in order, with so many compared fields each."""

    each: tuple[Run, ...]
    fields: int

    @property
    def rows(self) -> int:
        """Rows in all of them."""
        return self.each[-1].first + self.each[-1].rows if self.each else 0

    def gather(self, rows: _I64, field: int) -> tuple[Sets, Sets]:
        """Features (3-grams, words of short texts) of the rows with these ascending numbers, in one field."""
        firsts = np.array([run.first for run in self.each])
        owners = np.searchsorted(firsts, rows, side="right") - 1
        parts: dict[str, list[Sets]] = {"grams": [], "bags": []}
        for number in np.unique(owners).tolist():
            run = self.each[number]
            places = rows[owners == number] - run.first
            for kind, found in parts.items():
                found.append(_select(Path(run.folder), f"{kind}-{field}", places))
        return _joined(parts["grams"]), _joined(parts["bags"])

    def similarities(self, pairs: _I64, *, compiled: bool = False) -> NDArray[np.float64]:
        """The similarity of each pair of rows: the smallest over the fields. Without words, only the same is near."""
        rows = np.unique(pairs)
        local = np.searchsorted(rows, pairs)
        result = np.ones(len(pairs))
        for field in range(self.fields):
            grams, bags = self.gather(rows, field)
            found = similarities(grams, bags, local, compiled=compiled)
            if self.fields > 1:
                wordless, digests = np.diff(grams.starts) == 0, self._digests(rows, field)
                same = digests[local[:, 0]] == digests[local[:, 1]]
                found[wordless[local].all(axis=1) & same] = 1.0
            result = np.minimum(result, found)
        return result

    def _digests(self, rows: _I64, field: int) -> _U64:
        firsts = np.array([run.first for run in self.each])
        owners = np.searchsorted(firsts, rows, side="right") - 1
        found = np.zeros(len(rows), dtype=np.uint64)
        for number in np.unique(owners).tolist():
            run = self.each[number]
            here = owners == number
            found[here] = load(Path(run.folder) / f"digests-{field}.npy")[rows[here] - run.first]
        return found


def save_run(folder: Path, arrays: Mapping[str, NDArray[Any]], strata: Sequence[Sequence[str]]) -> None:
    """Write a run; written whole or not at all, and the same when it is written again."""
    temporary = folder.with_name(f".{folder.name}.{np.random.default_rng().integers(1 << 62):x}")
    temporary.mkdir(parents=True)
    for name, array in arrays.items():
        np.save(temporary / f"{name}.npy", array)
    (temporary / "strata.json").write_text(json.dumps(list(strata)), encoding="utf-8")
    try:
        temporary.rename(folder)
    except OSError:
        shutil.rmtree(temporary)
        if not folder.is_dir():
            raise  # not because another attempt of the same task was faster


def write_array(path: Path, array: NDArray[Any]) -> None:
    """Write an array so that a reader sees all of it or none."""
    temporary = path.with_name(f".{path.stem}.{np.random.default_rng().integers(1 << 62):x}.npy")
    np.save(temporary, array)
    temporary.rename(path)


def load(path: Path) -> NDArray[Any]:
    """An array of a run; of a large one, only what is looked at is read."""
    small = path.stat().st_size < _SMALL_BYTES
    array: NDArray[Any] = np.load(path, mmap_mode=None if small else "r", allow_pickle=False)
    return array


def key_range(partition: int, partitions: int) -> tuple[int, int]:
    """The first key of a part of all 64-bit keys, and the first after it."""
    return (partition << 64) // partitions, ((partition + 1) << 64) // partitions


def _select(folder: Path, name: str, places: _I64) -> Sets:
    starts = load(folder / f"{name}-starts.npy")
    hashes = load(folder / f"{name}.npy")
    begins, sizes = starts[places], starts[places + 1] - starts[places]
    new = np.concatenate([np.zeros(1, dtype=np.int64), np.cumsum(sizes)])
    at = np.repeat(begins - new[:-1], sizes) + np.arange(int(new[-1]))
    return Sets(np.asarray(hashes[at], dtype=np.uint64), new)


def _joined(parts: Sequence[Sets]) -> Sets:
    if not parts:
        return Sets(np.zeros(0, dtype=np.uint64), np.zeros(1, dtype=np.int64))
    offsets = np.cumsum([0, *(int(part.starts[-1]) for part in parts[:-1])])
    starts = [parts[0].starts[:1], *(part.starts[1:] + offset for part, offset in zip(parts, offsets, strict=True))]
    return Sets(np.concatenate([part.hashes for part in parts]), np.concatenate(starts))
