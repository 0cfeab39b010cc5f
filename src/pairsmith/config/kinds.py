"""The kinds of models and annotators that ship, and how to tell a misspelt one from a class of your own."""

import difflib
from importlib.metadata import entry_points
from typing import Final

__all__ = ["ANNOTATOR_KINDS", "MODEL_KINDS", "known_kind"]

MODEL_KINDS: Final = ("local", "openai", "minilm", "sentence_transformers")
ANNOTATOR_KINDS: Final = (
    "verifier", "scorer", "judge", "panel", "rubric", "reward_server", "reward_model", "fitted", "loglik"
)  # fmt: skip

_ENTRY_POINT_GROUP: Final = "pairsmith"


def known_kind(kind: str, built_in: tuple[str, ...]) -> str:
    """The kind itself, if it ships, has the form `package.module:Class`, or is the name of an entry point.

    Nothing is imported here: whether the class is there is found when the doors are checked.

    Raises:
        ValueError: for any other name, with the nearest one.
    """
    if kind in built_in or ":" in kind or entry_points(group=_ENTRY_POINT_GROUP, name=kind):
        return kind
    nearest = difflib.get_close_matches(kind, built_in, n=1, cutoff=0.5)
    hint = f"did you mean {nearest[0]!r}?" if nearest else f"use {', '.join(built_in)} or `package.module:Class`"
    raise ValueError(f"unknown kind {kind!r}; {hint}")
