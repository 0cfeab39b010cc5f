"""What is known of batches that were handed in: one small file for each in the project folder."""

import json
import os
import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from pairsmith.errors import InputError

__all__ = ["BatchState", "read_states"]


@dataclass(slots=True)
class BatchState:
    """One batch: `tag` is its name on the server, `tried` whether it may have been made there.

    `unanswered` are the requests it ended without answering; they are free to be handed in again.
    """

    path: Path
    tag: str
    base_url: str
    ids: list[str]
    tried: bool = False
    batch_id: str = ""
    unanswered: list[str] = field(default_factory=list)

    @classmethod
    def new(cls, folder: Path, base_url: str, ids: Sequence[str]) -> "BatchState":
        """A batch of these requests, noted on disk."""
        tag = f"bat_{secrets.token_hex(8)}"  # not made from the ids: they may be handed in again
        state = cls(folder / f"{tag}.json", tag, base_url, list(ids))
        state.note()
        return state

    @property
    def open(self) -> list[str]:
        """The requests this batch has answered or may still answer."""
        unanswered = set(self.unanswered)
        return [key for key in self.ids if key not in unanswered]

    def note(self, **changes: Any) -> None:
        """Change fields, on disk too."""
        for name, value in changes.items():
            setattr(self, name, value)
        fields = {name: value for name, value in asdict(self).items() if name != "path"}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        temporary = self.path.with_suffix(".tmp")
        with temporary.open("w", encoding="utf-8") as stream:
            json.dump(fields, stream, indent=1)
            stream.flush()
            os.fsync(stream.fileno())
        temporary.replace(self.path)

    def forget(self) -> None:
        """Remove the note."""
        self.path.unlink(missing_ok=True)


def read_states(folder: Path, base_url: str) -> list[BatchState]:
    """All batches noted in a folder that belong to one server, in order of their names.

    Raises:
        InputError: a note cannot be read; without it, what was handed in could be paid for twice.
    """
    states = []
    for path in sorted(folder.glob("*.json")):
        try:
            states.append(BatchState(path, **json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError) as error:
            raise InputError(
                f"{path}: cannot be read ({error}); restore it, or delete it and what was handed in is asked again"
            ) from None
    return [state for state in states if state.base_url == base_url]
