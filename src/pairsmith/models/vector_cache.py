"""An embedder that remembers: vectors by the hash of their text, in one file below `cache/` that may be deleted."""

import hashlib
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import numpy as np

from pairsmith.errors import ModelError, UsageError
from pairsmith.models.embedders import Vectors
from pairsmith.models.protocols import Embedder

__all__ = ["CachedEmbedder"]

_AT_A_TIME = 512
_TABLE = "CREATE TABLE IF NOT EXISTS vectors (text BLOB PRIMARY KEY, vector BLOB NOT NULL) WITHOUT ROWID"


class CachedEmbedder:
    """Asks `embedder` only for texts it was not asked for before; what came is kept at once, so a run can be killed.

    Args:
        embedder: whom to ask.
        folder: where the file is; its name tells embedder and revision, so that a new one starts afresh.
    """

    def __init__(self, embedder: Embedder, folder: Path) -> None:
        self.name = embedder.name
        self.revision = embedder.revision
        self._embedder = embedder
        self._path = folder / f"vectors-{hashlib.sha256(embedder.revision.encode()).hexdigest()[:16]}.sqlite"

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`.

        Raises:
            UsageError: the file cannot be written, or is none of ours.
        """
        keys = [hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest() for text in texts]
        wanted = dict(zip(keys, texts, strict=True))
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            with closing(sqlite3.connect(self._path, timeout=60)) as file:
                file.execute(_TABLE)
                known = _read(file, list(wanted))
                missing = [key for key in wanted if key not in known]
                for start in range(0, len(missing), _AT_A_TIME):
                    batch = missing[start : start + _AT_A_TIME]
                    vectors = self._embedder.embed([wanted[key] for key in batch])
                    rows = [(key, vector.astype("<f4").tobytes()) for key, vector in zip(batch, vectors, strict=True)]
                    with file:
                        file.executemany("INSERT OR REPLACE INTO vectors VALUES (?, ?)", rows)
                    known |= {key: np.asarray(vector, np.float32) for key, vector in zip(batch, vectors, strict=True)}
        except ModelError:
            raise
        except (OSError, sqlite3.Error) as error:
            raise UsageError(f"{self._path}: {error}; delete this file, it only saves time") from error
        return np.stack([known[key] for key in keys]) if texts else np.asarray(self._embedder.embed([]))


def _read(file: sqlite3.Connection, keys: Sequence[bytes]) -> dict[bytes, Vectors]:
    found: dict[bytes, Vectors] = {}
    for start in range(0, len(keys), _AT_A_TIME):
        batch = keys[start : start + _AT_A_TIME]
        marks = ", ".join("?" * len(batch))
        rows = file.execute(f"SELECT text, vector FROM vectors WHERE text IN ({marks})", batch)  # noqa: S608
        found |= {key: np.frombuffer(vector, dtype="<f4") for key, vector in rows}
    return found
