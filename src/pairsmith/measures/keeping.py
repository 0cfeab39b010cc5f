"""Which of near-duplicate texts stays: the first. A text goes only if it is near one that stays."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

__all__ = ["repeats"]


def repeats(
    pairs: NDArray[np.int64],
    similarities: NDArray[np.float64],
    threshold: float,
    similarity_of: Callable[[int, int], float],
) -> dict[int, tuple[int, float]]:
    """The texts to leave out, each with the text that stays for it and their similarity.

    No chain of small differences removes a text that nothing kept resembles, so no cluster can swallow a set.

    Args:
        pairs: near texts, shape (pairs, 2), smaller number first, sorted by the second.
        similarities: that of each pair, at least `threshold`.
        threshold: the smallest similarity of near texts.
        similarity_of: of two texts; asked where a text is near one left out, about the one that stays for that.
    """
    gone: dict[int, tuple[int, float]] = {}
    second = pairs[:, 1]
    starts = np.flatnonzero(np.append(True, second[1:] != second[:-1])[: len(second)])
    for start, stop in zip(starts.tolist(), [*starts[1:].tolist(), len(second)], strict=False):
        text = int(second[start])
        near = list(zip(pairs[start:stop, 0].tolist(), similarities[start:stop].tolist(), strict=True))
        staying = [(other, score) for other, score in near if other not in gone]
        if not staying:
            asked = sorted({gone[other][0] for other, _ in near})
            staying = [(other, score) for other in asked if (score := similarity_of(other, text)) >= threshold]
        if staying:
            gone[text] = max(staying, key=lambda each: (each[1], -each[0]))
    return gone
