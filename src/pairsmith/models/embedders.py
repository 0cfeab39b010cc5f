"""What all embedders share: unit vectors, zero for a blank text, no text asked for twice; and reading options."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pairsmith.config import ModelConfig
from pairsmith.errors import ConfigError, ModelError

__all__ = ["EMBEDDER_KINDS", "Vectors", "embed_distinct", "take_options", "unit_vectors"]

EMBEDDER_KINDS: Final = ("minilm", "openai", "sentence_transformers")
"""The kinds that ship; others are classes of your own."""

Vectors = NDArray[np.float32]

# Servers refuse empty texts; this is asked instead when no text is visible, to learn how many dimensions there are.
_STAND_IN: Final = "."


def embed_distinct(texts: Sequence[str], ask: Callable[[Sequence[str]], ArrayLike]) -> Vectors:
    """The vectors of `texts`, shape (texts, dimensions): each distinct visible text is asked for once.

    Args:
        texts: any; the vector of a text without visible characters is zero, so that it is like no other.
        ask: the vectors of distinct visible texts, shape (texts, dimensions), of any length.

    Raises:
        ModelError: what came back is not one finite vector for each text.
    """
    texts = [text.encode("utf-8", "replace").decode() for text in texts]  # half a character stops a tokenizer
    wanted = list(dict.fromkeys(text for text in texts if text.strip())) or [_STAND_IN]
    vectors = unit_vectors(ask(wanted), len(wanted))
    place = {text: number for number, text in enumerate(wanted)}
    rows = np.array([place[text] if text.strip() else -1 for text in texts], dtype=np.int64)
    found = vectors[rows]
    found[rows < 0] = 0.0
    return found


def unit_vectors(vectors: ArrayLike, count: int) -> Vectors:
    """`vectors` as float32 of unit length; a zero vector stays zero.

    Raises:
        ModelError: they are not `count` finite vectors of one length.
    """
    try:
        rows = np.asarray(vectors, dtype=np.float64)
    except (TypeError, ValueError):
        raise ModelError("the vectors are not numbers, or not all of one length") from None
    if rows.ndim != 2 or rows.shape[0] != count or rows.shape[1] == 0:
        raise ModelError(f"expected {count} vectors, got an array of shape {rows.shape}")
    if not np.isfinite(rows).all():
        raise ModelError("a vector holds a number that is not finite")
    # Hostile magnitudes: the square of 1e200 is no number any more.
    largest = np.abs(rows).max(axis=1, keepdims=True)
    rows = np.divide(rows, largest, out=np.zeros_like(rows), where=largest > 0)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    unit: Vectors = np.divide(rows, norms, out=np.zeros_like(rows), where=norms > 0).astype(np.float32)
    return unit


def take_options(name: str, config: ModelConfig, allowed: Mapping[str, type]) -> dict[str, Any]:
    """The `options` of an embedder's section; whole numbers are positive.

    Args:
        name: of the section, for messages.
        config: the section.
        allowed: option -> `int` or `str`.

    Raises:
        ConfigError: an option is not known, or its value is of another kind.
    """
    for key, value in config.options.items():
        if key not in allowed:
            known = ", ".join(allowed) or "none"
            raise ConfigError(f"models.{name}.options: {config.kind} has no option {key!r} (options: {known})")
        if type(value) is not allowed[key] or not value or (isinstance(value, int) and value < 1):
            raise ConfigError(f"models.{name}.options.{key}: cannot be {value!r}")
    return dict(config.options)
