"""How probable a language model finds given tokens, from what it held before each of them."""

from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

__all__ = ["token_log_probs"]

Floats = npt.NDArray[np.float32]

_AT_ONCE: Final = 64  # positions whose logits are held at the same time


def token_log_probs(hidden: Floats, tokens: Sequence[int], output: Floats) -> npt.NDArray[np.float64]:
    """The natural log-probability of each token, float64 of shape (n,), each at most 0.

    Args:
        hidden: (n, width); row i is the final hidden state before token i, after the last normalisation.
        tokens: n numbers of tokens.
        output: (vocabulary, width), the matrix whose product with a hidden state is the logits; with tied weights the
            embeddings of the tokens.

    Raises:
        ValueError: the shapes do not fit, or there is no such token.
    """
    if hidden.shape != (len(tokens), output.shape[1]):
        raise ValueError(f"hidden states {hidden.shape} do not fit {len(tokens)} tokens and a matrix {output.shape}")
    if len(tokens) and not 0 <= min(tokens) <= max(tokens) < len(output):
        raise ValueError(f"there are {len(output)} tokens, numbered from 0; asked for {min(tokens)} to {max(tokens)}")
    found = np.empty(len(tokens))
    for start in range(0, len(tokens), _AT_ONCE):
        wanted = np.array(tokens[start : start + _AT_ONCE], dtype=np.intp)
        logits = hidden[start : start + _AT_ONCE] @ output.T
        logits -= logits.max(axis=1, keepdims=True)  # so that the largest exponential is 1
        said = logits[np.arange(len(wanted)), wanted].astype(np.float64)
        found[start : start + _AT_ONCE] = said - np.log(np.exp(logits).sum(axis=1, dtype=np.float64))
    return found
