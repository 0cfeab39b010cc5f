"""Where a configuration key stands: for messages that come after loading, when a model or an annotator is checked."""

from collections.abc import Mapping
from typing import Final

__all__ = ["CONFIG_FILE", "place_of"]

CONFIG_FILE: Final = "pairsmith.yaml"

Path_ = tuple[str | int, ...]


def place_of(path: Path_, places: Mapping[Path_, str]) -> str:
    """File and line of a key, of the nearest section around it that is written down, or the file alone."""
    return next((places[path[:end]] for end in range(len(path), 0, -1) if path[:end] in places), CONFIG_FILE)
