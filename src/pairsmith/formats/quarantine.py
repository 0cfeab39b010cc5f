"""The list of rows that were not used, one file per source, for the person who has to mend them."""

import json
import os
import re
from pathlib import Path
from types import TracebackType
from typing import IO, Self

from pairsmith.errors import InputError
from pairsmith.formats.rows import BadRow
from pairsmith.ids import content_id

__all__ = ["Quarantine"]

FOLDER = "quarantine"
MAX_NAME_CHARACTERS = 150


class Quarantine:
    """Writes `quarantine/<source>.jsonl` in one piece when the block ends well; no bad rows, no file."""

    def __init__(self, project: Path, source: str) -> None:
        self.path = project / self.place(source)
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._file: IO[str] | None = None
        folder = project / FOLDER
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise InputError(f"{folder}: must be a plain folder of the project, as bad rows are listed there; move it")

    @staticmethod
    def place(source: str) -> Path:
        """Where the bad rows of a source are listed, relative to the project: never outside its folder."""
        plain = re.sub(r"[^A-Za-z0-9._-]+", "_", source).lstrip("._")[:MAX_NAME_CHARACTERS]
        stem = plain.removesuffix(".jsonl")
        if plain != source or ("." in stem and stem != plain):  # two names may look alike once they are plain
            return Path(FOLDER) / f"{stem}-{content_id('src', source)[-8:]}.jsonl"
        if "." in stem:
            return Path(FOLDER) / f"{plain}.jsonl"
        return Path(FOLDER) / (plain if stem != plain else f"{plain}.rows.jsonl")  # `a.jsonl` and `a` are two sources

    def add(self, row: BadRow) -> None:
        """List one more row."""
        if self._file is None:
            self.path.parent.mkdir(exist_ok=True)
            self._file = self._part.open("w", encoding="utf-8", errors="backslashreplace")
        entry = {"line": row.line, "field": row.field, "reason": row.reason, "detail": row.detail}
        self._file.write(json.dumps(entry, ensure_ascii=False) + "\n")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if self._file is not None:
            self._file.flush()
            os.fsync(self._file.fileno())
            self._file.close()
        if kind is not None:
            self._part.unlink(missing_ok=True)
        elif self._file is not None:
            self._part.replace(self.path)
            _sync_folder(self.path.parent)
        else:
            self.path.unlink(missing_ok=True)  # what an earlier version of the source left there


def _sync_folder(folder: Path) -> None:
    """Make the new name survive a power cut."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
