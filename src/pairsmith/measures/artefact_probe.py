"""How well the surface of one response alone tells whether it was chosen: the trace a trainer would learn instead.

A classifier that sees words and layout of a single response, and neither the prompt nor the other response, guesses
whether it is the chosen or the rejected one of its pair. At 0.5 there is nothing to exploit. Real preferences leave
some surface too (people like longer answers), so the figure says most when two kinds of pairs are compared.
"""

import zlib
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from pairsmith.measures.intervals import cluster_bootstrap_mean, figure
from pairsmith.measures.surface import surface_features
from pairsmith.measures.text import words

__all__ = ["MIN_PROBED", "MOST_PROBED", "artefact_probe"]

MIN_PROBED: Final = 50
"""Fewer pairs, or pairs of fewer prompts, teach the classifier nothing."""

MOST_PROBED: Final = 500
"""Of more pairs so many are drawn: their 95 % interval is about 0.06 wide, and they take half a second."""

_FOLDS: Final = 5
_COLUMNS: Final = 2048
_RIDGE: Final = 1.0
_UNDECIDED: Final = 1e-9  # rounding differs between machines; below this a guess counts as half right

_Matrix = NDArray[np.float64]


def artefact_probe(
    chosen: Sequence[str], rejected: Sequence[str], prompts: Sequence[str], *, seed: int, what: str = "pairs"
) -> dict[str, Any]:
    """Accuracy, over five folds of prompts, of guessing from one response whether it is the chosen one.

    Kernel ridge regression on the words (present or not, hashed) and the surface features of a response, one half of
    the weight each. All pairs of a prompt are in one fold. The interval draws whole prompts.

    Args:
        chosen: the chosen response of each pair.
        rejected: the rejected one.
        prompts: id of each pair's prompt.
        seed: of the folds, the sample and the interval. The result does not depend on the order of the pairs.
        what: which pairs these are, for the reason.

    Returns:
        A figure in [0, 1]; `n` counts pairs. Not evaluated for less than `MIN_PROBED` pairs or prompts.
    """
    rows = sorted(zip(prompts, chosen, rejected, strict=True))
    if min(len(rows), len(set(prompts))) < MIN_PROBED:
        found = f"{len(rows)} {what} of {len(set(prompts))} prompts"
        return figure(None, None, len(rows), f"{found}; a surface-only classifier needs {MIN_PROBED} of each")
    rng = np.random.default_rng(seed)
    if len(rows) > MOST_PROBED:
        rows = [rows[place] for place in sorted(rng.permutation(len(rows))[:MOST_PROBED])]
    ids, groups = np.unique([prompt for prompt, _, _ in rows], return_inverse=True)
    folds = rng.permutation(np.arange(ids.size) % _FOLDS)[groups]
    right = _right(_kernel([text for _, one, other in rows for text in (one, other)]), np.repeat(folds, 2))
    per_pair = right.reshape(-1, 2).mean(axis=1)
    return figure(float(per_pair.mean()), cluster_bootstrap_mean(per_pair, groups, seed=seed), len(rows))


def _right(kernel: _Matrix, folds: NDArray[np.int64]) -> _Matrix:
    """1 where the guess on a response is right, 0.5 where there is none; chosen and rejected take turns."""
    truth = np.tile([1.0, -1.0], len(folds) // 2)
    right = np.full(len(folds), 0.5)
    for fold in range(_FOLDS):
        seen, unseen = folds != fold, folds == fold
        if not unseen.any():
            continue
        inner = kernel[np.ix_(seen, seen)] + _RIDGE * np.eye(int(seen.sum()))
        guess = kernel[np.ix_(unseen, seen)] @ np.linalg.solve(inner, truth[seen])
        decided = np.abs(guess) > _UNDECIDED
        right[unseen] = np.where(decided, guess * truth[unseen] > 0, 0.5)
    return right


def _kernel(texts: Sequence[str]) -> _Matrix:
    """Similarity of responses: mean of the cosines of their words and of their surfaces, both around their means."""
    return (_cosines(_bags(texts)) + _cosines(_surfaces(texts))) / 2


def _cosines(rows: _Matrix) -> _Matrix:
    centred = rows - rows.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    unit = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > 0)
    cosines: _Matrix = unit @ unit.T
    return cosines


def _bags(texts: Sequence[str]) -> _Matrix:
    bags = np.zeros((len(texts), _COLUMNS))
    for row, text in enumerate(texts):
        bags[row, [zlib.crc32(word.encode("utf-8", "replace")) % _COLUMNS for word in set(words(text))]] = 1.0
    shares: _Matrix = bags / np.maximum(np.linalg.norm(bags, axis=1, keepdims=True), 1.0)
    return shares


def _surfaces(texts: Sequence[str]) -> _Matrix:
    features = np.array([surface_features("", text) for text in texts])
    spread = features.std(axis=0)
    scaled: _Matrix = np.divide(features - features.mean(axis=0), spread, out=np.zeros_like(features), where=spread > 0)
    return scaled
