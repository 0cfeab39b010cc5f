"""What the fake server says as an embedding server: the more words two texts share, the closer their vectors."""

import hashlib
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["EMBEDDINGS_PATH", "fake_embeddings"]

EMBEDDINGS_PATH: Final = "/v1/embeddings"
_DIMENSIONS: Final = 64


def fake_embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request for embeddings.

    Raises:
        KeyError: what this address needs is not there.
        ValueError: a text is empty.
    """
    texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
    entries = [
        {"object": "embedding", "index": number, "embedding": _vector(text, body.get("dimensions", _DIMENSIONS))}
        for number, text in enumerate(texts)
    ]
    # out of order on purpose: `index` says which is which
    return {"object": "list", "model": body["model"], "data": entries[::-1]}


def _vector(text: str, dimensions: int) -> list[float]:
    """How often each word stands there, words hashed to dimensions."""
    if not text:
        raise ValueError("'input' cannot be an empty string")
    vector = [0.0] * dimensions
    for word in text.lower().split():
        vector[int.from_bytes(hashlib.sha256(word.encode()).digest()[:4], "big") % dimensions] += 1.0
    return vector
