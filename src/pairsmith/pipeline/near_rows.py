"""Near rows among runs: two passes of tasks that exchange sorted arrays through files.

1. `_match_keys`: for each range of keys, the pairs of rows that meet under one (of all runs, this range is read).
2. `_verify_rows`: for each run, the pairs whose later row is in it are compared.

`parted_near_pairs` finds every near pair across parts, in the same manner, by an exact method.

Each task depends on its arguments alone and writes whole files, so it can be run again anywhere; only its range or run
is in memory. What the driver holds grows with the near pairs, not with the rows.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pairsmith.engine import Mapper
from pairsmith.measures.compiled import has_numba
from pairsmith.measures.joining import parted_pairs, prefix_records, star_pairs, unique_pairs
from pairsmith.pipeline.runs import Run, Runs, key_range, load, write_array

__all__ = ["Join", "near_pairs", "parted_near_pairs", "partitions_for"]

_KEYS_PER_RANGE = 1_000_000
_PAIRS_AT_A_TIME = 20_000
_MIN_PAIRS_FOR_NUMBA = 5_000

_I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Join:
    """What the passes over runs need to know. Only pairs whose later row is not before `since` are of interest."""

    folder: str
    runs: Runs
    threshold: float
    partitions: int
    since: int = 0


def partitions_for(runs: Sequence[Run]) -> int:
    """So many ranges of keys that one fits into memory."""
    return 1 + sum(run.keys for run in runs) // _KEYS_PER_RANGE


def near_pairs(mapper: Mapper, join: Join) -> Iterator[tuple[_I64, NDArray[np.float64]]]:
    """Near pairs of rows and their similarities, by the later row: passes 2 and 3."""
    list(mapper(_match_keys, join, range(join.partitions)))
    later = [number for number, run in enumerate(join.runs.each) if run.first + run.rows > join.since]
    yield from mapper(_verify_rows, join, later)


def _match_keys(join: Join, partition: int) -> int:
    """Write the pairs that meet under a key of this range; how many they are."""
    keys, rows = _read_keys([Path(run.folder) for run in join.runs.each], ("keys", "owners"), partition, join)
    pairs = star_pairs(keys, rows)
    pairs = pairs[pairs[:, 1] >= join.since]
    write_array(Path(join.folder) / f"pairs-{partition:06}.npy", np.ascontiguousarray(pairs.T))
    return len(pairs)


def _read_keys(
    folders: Sequence[Path], names: tuple[str, str], partition: int, join: Join
) -> tuple[NDArray[np.uint64], _I64]:
    """The keys in this range of all runs, whose folders are given, and the numbers of their rows; sorted."""
    low, high = key_range(partition, join.partitions)
    keys, rows = [np.zeros(0, dtype=np.uint64)], [np.zeros(0, dtype=np.int64)]
    for folder, run in zip(folders, join.runs.each, strict=True):
        held = load(folder / f"{names[0]}.npy")
        start = int(np.searchsorted(held, np.uint64(low)))
        stop = len(held) if high == 1 << 64 else int(np.searchsorted(held, np.uint64(high)))
        keys.append(np.array(held[start:stop]))
        rows.append(load(folder / f"{names[1]}.npy")[start:stop].astype(np.int64) + run.first)
    all_keys, all_rows = np.concatenate(keys), np.concatenate(rows)
    order = np.lexsort((all_rows, all_keys))
    return all_keys[order], all_rows[order]


def _verify_rows(join: Join, number: int) -> tuple[_I64, NDArray[np.float64]]:
    """The near pairs whose later row is in this run, and their similarities."""
    run = join.runs.each[number]
    found = [np.zeros((0, 2), dtype=np.int64)]
    for partition in range(join.partitions):
        pairs = load(Path(join.folder) / f"pairs-{partition:06}.npy")
        start, stop = np.searchsorted(pairs[1], [run.first, run.first + run.rows])
        found.append(np.array(pairs[:, start:stop]).T)
    return _compared(join, unique_pairs(np.concatenate(found)))


def _compared(join: Join, pairs: _I64) -> tuple[_I64, NDArray[np.float64]]:
    """Those of the pairs that are near, and their similarities."""
    compiled = len(pairs) >= _MIN_PAIRS_FOR_NUMBA and has_numba()
    batches = [pairs[start : start + _PAIRS_AT_A_TIME] for start in range(0, len(pairs), _PAIRS_AT_A_TIME)]
    scores = [join.runs.similarities(batch, compiled=compiled) for batch in batches]
    score = np.concatenate([np.zeros(0), *scores])
    near = score >= join.threshold
    return pairs[near], score[near]


def parted_near_pairs(
    mapper: Mapper, join: Join, parts: NDArray[np.int16], counts: _I64
) -> tuple[_I64, NDArray[np.float64]]:
    """All near pairs of rows in different parts, sorted, and their similarities; exact, without MinHash.

    `parts`: of each row, -1 for none. `counts`: features of all rows, see `joining.feature_counts`.
    """
    folder = Path(join.folder)
    write_array(folder / "parts.npy", parts)
    write_array(folder / "counts.npy", counts)
    sizes = list(mapper(_write_prefixes, join, range(len(join.runs.each))))
    ranges = 1 + sum(sizes) // _KEYS_PER_RANGE
    exact = Join(join.folder, join.runs, join.threshold, ranges, join.since)
    found = list(mapper(_match_prefixes, exact, range(ranges)))
    pairs = np.concatenate([np.zeros((0, 2), dtype=np.int64), *(each for each, _ in found)])
    scores = np.concatenate([np.zeros(0), *(each for _, each in found)])
    order = np.lexsort((pairs[:, 0], pairs[:, 1]))
    pairs, scores = pairs[order], scores[order]
    new = np.ones(len(pairs), dtype=np.bool_)
    new[1:] = (pairs[1:] != pairs[:-1]).any(axis=1)
    return pairs[new], scores[new]


def _write_prefixes(join: Join, number: int) -> int:
    run = join.runs.each[number]
    grams, bags = join.runs.gather(np.arange(run.first, run.first + run.rows), 0)
    keys, owners = prefix_records(grams, bags, np.load(Path(join.folder) / "counts.npy"), join.threshold)
    folder = _prefix_folder(join, number)
    folder.mkdir(parents=True, exist_ok=True)
    write_array(folder / "prefixes.npy", keys)
    write_array(folder / "owners.npy", owners.astype(np.int32))
    return len(keys)


def _prefix_folder(join: Join, number: int) -> Path:
    return Path(join.folder) / f"prefixes-{number:06}"


def _match_prefixes(join: Join, partition: int) -> tuple[_I64, NDArray[np.float64]]:
    folders = [_prefix_folder(join, number) for number in range(len(join.runs.each))]
    keys, rows = _read_keys(folders, ("prefixes", "owners"), partition, join)
    parts = np.asarray(load(Path(join.folder) / "parts.npy")[rows])
    pairs = parted_pairs(keys, rows, parts)
    return _compared(join, pairs[pairs[:, 1] >= join.since])
