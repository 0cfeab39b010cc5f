"""What a reward head sees of a response, in blocks: its surface, its manner, its embedding, a model's hidden states."""

import hashlib
import sqlite3
import threading
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from pairsmith.engine import available_cores
from pairsmith.errors import UsageError
from pairsmith.ids import canonical_json
from pairsmith.measures.manner import MANNER, manner_features
from pairsmith.measures.surface import FEATURES, surface_features
from pairsmith.models.hidden_states import HIDDEN_REVISION, HiddenStates
from pairsmith.models.minilm import DIMENSIONS, MINILM, MiniLMEmbedder
from pairsmith.records import Candidate, Prompt

__all__ = ["BLOCKS", "CACHE_FILE", "REVISIONS", "FeatureReader", "Item", "columns_of"]

Item = tuple[Prompt, Candidate]
Matrix = npt.NDArray[np.float64]
Rows = npt.NDArray[np.float32]
Done = Callable[[int], None]
"""Called with how many more responses are read."""

CACHE_FILE: Final = "features.sqlite"
EMBEDDED_CHARACTERS: Final = 512
"""What the embedder sees of a response (its beginning) and of a prompt (the end of its last turn)."""

REVISIONS: Final = {
    "surface": f"surface/{len(FEATURES)}",
    "manner": f"manner/1/{len(MANNER)}",
    "minilm": f"all-MiniLM-L6-v2-int8@{MINILM.sha256[:12]}/response+product+cosine/{EMBEDDED_CHARACTERS}",
    "hidden": HIDDEN_REVISION,
}
"""What the numbers of each block are of. With another revision all numbers are others."""

BLOCKS: Final = tuple(REVISIONS)
_COMPUTED_AT_ONCE: Final = 16  # what Ctrl-C can cost


def columns_of(block: str) -> tuple[str, ...]:
    """The names of a block's columns; empty where they have none."""
    return {"surface": FEATURES, "manner": MANNER}.get(block, ())


class FeatureReader:
    """Reads responses, block by block. Use it in a `with` block, or close it.

    Args:
        blocks: some of `BLOCKS`.
        cache: folder for what models were paid time for; it may be deleted at any moment. `None`: nothing is kept.
        workers: processes and threads for the blocks that need a model; 0: one per core.

    Raises:
        UsageError: a block is not known.
        MissingExtra: a block needs a package that is not installed.
    """

    def __init__(self, blocks: Sequence[str], cache: Path | None = None, *, workers: int = 0) -> None:
        for block in blocks:
            if block not in BLOCKS:
                raise UsageError(f"there are no features {block!r}; take some of {', '.join(BLOCKS)}")
        self.blocks = tuple(dict.fromkeys(blocks))
        self._hidden = HiddenStates(workers=workers) if "hidden" in self.blocks else None
        self._embedder = MiniLMEmbedder(threads=workers or available_cores()) if "minilm" in self.blocks else None
        self._cache = None if cache is None else _Cache(cache / CACHE_FILE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End worker processes and close the cache."""
        if self._hidden is not None:
            self._hidden.close()
        if self._cache is not None:
            self._cache.close()

    def read(self, items: Sequence[Item], done: Done | None = None) -> dict[str, Matrix]:
        """The features of responses by block, each float64 of shape (len(items), columns of the block).

        Args:
            items: prompts and responses.
            done: called as responses are read, once for each block and response.

        Raises:
            MissingExtra, ModelError, ModelUnavailable: a model behind a block cannot be had or refuses a text.
        """
        return {block: self._block(block, items, done or (lambda _: None)) for block in self.blocks}

    def _block(self, block: str, items: Sequence[Item], done: Done) -> Matrix:
        if block in ("surface", "manner"):
            of = surface_features if block == "surface" else manner_features
            rows = []
            for prompt, candidate in items:
                rows.append(of(prompt.text, candidate.text))
                done(1)
            return np.array(rows).reshape(len(items), len(columns_of(block)))
        keys = [_key(block, item) for item in items]
        known = self._cache.get(keys) if self._cache is not None else {}
        missing = [place for place, key in enumerate(keys) if key not in known]
        done(len(items) - len(missing))
        for start in range(0, len(missing), _COMPUTED_AT_ONCE):
            places = missing[start : start + _COMPUTED_AT_ONCE]
            rows_now = self._compute(block, [items[place] for place in places])
            new = {keys[place]: row for place, row in zip(places, rows_now, strict=True)}
            if self._cache is not None:
                self._cache.put(new)
            known |= new
            done(len(places))
        return np.array([known[key] for key in keys], dtype=np.float64)

    def _compute(self, block: str, items: Sequence[Item]) -> Rows:
        if block == "hidden":
            assert self._hidden is not None
            return self._hidden.features(
                [((*prompt.messages, *candidate.context), candidate.text) for prompt, candidate in items]
            )
        assert self._embedder is not None
        return _relations(self._embedder, items)


def _relations(embedder: MiniLMEmbedder, items: Sequence[Item]) -> Rows:
    """The response's vector, its product with the prompt's, and their cosine; (n, 2 * DIMENSIONS + 1)."""
    prompts = [prompt.messages[-1].content[-EMBEDDED_CHARACTERS:] for prompt, _ in items]
    vectors = embedder.embed([*prompts, *(candidate.text[:EMBEDDED_CHARACTERS] for _, candidate in items)])
    asked, answered = vectors[: len(items)], vectors[len(items) :]
    assert vectors.shape[1] == DIMENSIONS
    product = asked * answered
    rows: Rows = np.concatenate([answered, product, product.sum(axis=1, keepdims=True)], axis=1)
    return rows


def _key(block: str, item: Item) -> str:
    prompt, candidate = item
    turns = [[turn.role, turn.content] for turn in (*prompt.messages, *candidate.context)]
    said = canonical_json([REVISIONS[block], turns, candidate.text])
    return hashlib.sha256(said.encode("utf-8", "surrogatepass")).hexdigest()  # models do write half characters


class _Cache:
    """Rows of numbers by key, in a file that several processes may use at once."""

    def __init__(self, path: Path) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self._path = path
        self._lock = threading.Lock()
        self._connection = self._open()

    def get(self, keys: Sequence[str]) -> dict[str, Rows]:
        """What is known of these."""
        found: dict[str, Rows] = {}
        with self._lock:
            for start in range(0, len(keys), 500):  # stays below SQLite's limit on variables
                some = list(keys[start : start + 500])
                marks = ",".join("?" * len(some))
                query = f"SELECT key, row FROM features WHERE key IN ({marks})"  # noqa: S608 - question marks only
                found |= {
                    key: np.frombuffer(row, dtype=np.float32) for key, row in self._connection.execute(query, some)
                }
        return found

    def put(self, rows: dict[str, Rows]) -> None:
        """Keep these, all or none."""
        values = [(key, row.astype(np.float32).tobytes()) for key, row in rows.items()]
        with self._lock, self._connection:
            self._connection.executemany("INSERT OR REPLACE INTO features VALUES (?, ?)", values)

    def close(self) -> None:
        with self._lock:
            self._connection.close()

    def _open(self) -> sqlite3.Connection:
        try:
            return _connect(self._path)
        except sqlite3.DatabaseError as error:
            if isinstance(error, sqlite3.OperationalError):
                raise UsageError(f"{self._path}: {error}; check free space and permissions, or delete it") from error
            self._path.unlink()  # damaged, and only a cache
            return _connect(self._path)


def _connect(path: Path) -> sqlite3.Connection:
    connection: Any = sqlite3.connect(path, timeout=30.0, check_same_thread=False)
    try:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS features (key TEXT PRIMARY KEY, row BLOB NOT NULL) WITHOUT ROWID"
        )
    except BaseException:
        with closing(connection):
            raise
    opened: sqlite3.Connection = connection
    return opened
