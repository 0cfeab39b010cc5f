"""Reading rows into runs: their features and band keys on disk, with where each row stands."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pairsmith.engine import Mapper
from pairsmith.formats.rows import BadRow, Row
from pairsmith.formats.shards import Piece, read_piece
from pairsmith.formats.text_fields import prompt_text, row_texts
from pairsmith.measures.compiled import has_numba
from pairsmith.measures.contamination import PART_SEPARATOR
from pairsmith.measures.joining import band_records, feature_counts
from pairsmith.measures.shingles import features
from pairsmith.measures.text import squash
from pairsmith.pipeline.plain_files import Findings, Inputs
from pairsmith.pipeline.runs import Run, Runs, load, save_run

__all__ = ["Locator", "Place", "Signed", "SignedRows", "Signing", "sign_rows"]

_ROWS_PER_RUN = 8192
_CHARACTERS_PER_RUN = 4_000_000
_MIN_ROWS_FOR_NUMBA = 5_000

_I64 = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Signing:
    """What `_sign_piece` needs to know.

    Attributes:
        folder: where runs are written.
        threshold: smallest similarity of near rows.
        fields: by the name of the shard, its fields by role.
        roles: compared one by one, all of which must be near; () compares the prompts.
        stratify: columns that make up the stratum of a row.
        seed: of the draws.
    """

    folder: str
    threshold: float
    fields: Mapping[str, Mapping[str, str]]
    roles: tuple[str, ...] = ()
    stratify: tuple[str, ...] = ()
    seed: int = 0

    def columns(self, shard: str) -> list[str]:
        """The columns to read of a shard."""
        return [*dict.fromkeys([*self.fields[shard].values(), *self.stratify])]


@dataclass(frozen=True, slots=True)
class Signed:
    """What became of a piece: its runs (folder, rows, keys), lines, rows without text, bad rows, feature counts."""

    runs: tuple[tuple[str, int, int], ...]
    lines: int
    empty: int
    bad: tuple[BadRow, ...]
    counts: _I64


@dataclass(frozen=True, slots=True)
class Place:
    """Where the rows of a run stand: the name of the file, and how many lines of it come before its piece."""

    name: str
    offset: int


@dataclass(frozen=True, slots=True)
class SignedRows:
    """What reading all pieces came to.

    Attributes:
        runs: new ones, after those that were there before.
        places: of the new runs.
        counts: features by their hash, see `joining.feature_counts`; of the new rows.
        left_out: by the name of the file, lines that cannot be read.
        tally: rows, empty (rows without text) and unreadable.
    """

    runs: Runs
    places: tuple[Place, ...]
    counts: _I64
    left_out: Mapping[str, list[int]]
    tally: Mapping[str, int]


def sign_rows(
    mapper: Mapper, signing: Signing, inputs: Inputs, findings: Findings, known: Sequence[Run] = ()
) -> SignedRows:
    """Read all pieces; unreadable rows go to the findings. `known`: runs of rows that came before."""
    runs, places = list(known), list[Place]()
    counts = np.zeros((2, 1 << 16), dtype=np.int64)
    left_out: dict[str, list[int]] = {shard.name: [] for shard in inputs.shards}
    tally = {"rows": 0, "empty": 0, "unreadable": 0}
    pieces = inputs.pieces()
    for piece, signed in zip(pieces, mapper(_sign_piece, signing, list(enumerate(pieces))), strict=True):
        name = piece.shard.name
        left_out[name] += findings.add_bad(name, signed.bad)
        for folder, rows, keys in signed.runs:
            first = runs[-1].first + runs[-1].rows if runs else 0
            runs.append(Run(folder, first, rows, keys))
            places.append(Place(name, findings.lines[name]))
            tally["rows"] += rows
        findings.lines[name] += signed.lines
        counts += signed.counts
        tally["empty"] += signed.empty
        tally["unreadable"] += len(signed.bad)
    return SignedRows(Runs(tuple(runs), max(1, len(signing.roles))), tuple(places), counts, left_out, tally)


class Locator:
    """File and line of a row, by its number."""

    def __init__(self, runs: Sequence[Run], places: Sequence[Place]) -> None:
        self._runs, self._places = runs, places
        self._firsts = np.array([run.first for run in runs], dtype=np.int64)
        self._last: tuple[int, NDArray[Any]] = (-1, np.zeros(0))

    def of(self, row: int) -> tuple[str, int]:
        """Name of the file, and line in it."""
        number = int(np.searchsorted(self._firsts, row, side="right")) - 1
        if self._last[0] != number:
            self._last = (number, load(Path(self._runs[number].folder) / "lines.npy"))
        place = self._places[number]
        return place.name, place.offset + int(self._last[1][row - self._runs[number].first])


def _sign_piece(signing: Signing, item: tuple[int, Piece]) -> Signed:
    """Write the runs of one piece."""
    number, piece = item
    runs: list[tuple[str, int, int]] = []
    bad: list[BadRow] = []
    counts = np.zeros((2, 1 << 16), dtype=np.int64)
    lines = empty = 0
    rows: list[tuple[int, tuple[str, ...], tuple[str, ...]]] = []
    size = 0

    def finish() -> None:
        folder = Path(signing.folder) / f"{number:06}-{len(runs):06}"
        keys, here = _write_run(signing, folder, rows)
        runs.append((str(folder), len(rows), keys))
        np.add(counts, here, out=counts)
        rows.clear()

    for row in read_piece(piece, signing.columns(piece.shard.name)):
        if isinstance(row, BadRow):
            bad.append(row)
        elif isinstance(row, Row):
            texts = _texts(signing, piece, row.values)
            empty += not any(texts)
            rows.append((row.line, texts, tuple(_value(row.values.get(name)) for name in signing.stratify)))
            size += sum(map(len, texts))
            if len(rows) >= _ROWS_PER_RUN or size >= _CHARACTERS_PER_RUN:
                finish()
                size = 0
        else:
            lines = row
    if rows:
        finish()
    return Signed(tuple(runs), lines, empty, tuple(bad), counts)


def _texts(signing: Signing, piece: Piece, values: Mapping[str, Any]) -> tuple[str, ...]:
    fields = signing.fields[piece.shard.name]
    if not signing.roles:
        return (prompt_text(values, fields),)
    found = row_texts(values, fields)
    return tuple(found.get(role, "").replace(PART_SEPARATOR, "\n\n") for role in signing.roles)


def _value(value: Any) -> str:
    return "" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _write_run(
    signing: Signing, folder: Path, rows: Sequence[tuple[int, tuple[str, ...], tuple[str, ...]]]
) -> tuple[int, _I64]:
    """Write a run; how many keys it has, and the counts of its features."""
    compiled = len(rows) >= _MIN_ROWS_FOR_NUMBA and has_numba()
    whole = ["\n\n".join(texts) for _, texts, _ in rows]
    grams, bags = features(whole, compiled=compiled)
    keys, owners = band_records(grams, bags, signing.threshold, compiled=compiled)
    strata = list(dict.fromkeys(stratum for _, _, stratum in rows))
    numbers = {stratum: number for number, stratum in enumerate(strata)}
    arrays: dict[str, NDArray[Any]] = {
        "lines": np.array([line for line, _, _ in rows], dtype=np.int64),
        "draws": np.array([_draw(signing.seed, text) for text in whole]),
        "strata": np.array([numbers[stratum] for _, _, stratum in rows], dtype=np.int32),
        "keys": keys,
        "owners": owners.astype(np.int32),
    }
    for field in range(len(rows[0][1])):
        sets = (grams, bags) if len(rows[0][1]) == 1 else features([texts[field] for _, texts, _ in rows])
        for kind, each in zip(("grams", "bags"), sets, strict=True):
            arrays |= {f"{kind}-{field}": each.hashes, f"{kind}-{field}-starts": each.starts}
        arrays[f"digests-{field}"] = np.array([_digest(texts[field]) for _, texts, _ in rows], dtype=np.uint64)
    save_run(folder, arrays, strata)
    return len(keys), feature_counts(grams, bags)


def _digest(text: str) -> int:
    """Tells texts apart that have no words, and so no features: signs, emoji."""
    return int.from_bytes(hashlib.blake2b(squash(text).encode("utf-8", "surrogatepass"), digest_size=8).digest())


def _draw(seed: int, text: str) -> float:
    """In [0, 1), from the text and the seed alone."""
    digest = hashlib.blake2b(f"{seed}\0{text}".encode("utf-8", "surrogatepass"), digest_size=6).digest()
    return int.from_bytes(digest) / 2**48
