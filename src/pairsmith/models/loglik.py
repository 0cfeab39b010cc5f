"""How probable a local model finds a response, as a scorer: `kind: loglik`. A signal, not a judgement.

llama.cpp's server tells log-probabilities of what it writes, not of text it is given. So its final hidden states are
multiplied with the output matrix of the same file, here.
"""

import asyncio
import threading
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal, cast

import numpy as np
import numpy.typing as npt

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, MissingExtra, ModelError
from pairsmith.measures.likelihood import token_log_probs
from pairsmith.models.batching import Item
from pairsmith.models.gguf import output_tensor, read_header, read_matrix
from pairsmith.models.hidden_states import HiddenStates, States
from pairsmith.models.weights import SMOLLM2, file_sha256, smollm2_path

__all__ = ["REDUCTIONS", "LoglikScorer"]

Reduction = Literal["mean", "sum"]
REDUCTIONS: Final = ("mean", "sum")


class LoglikScorer:
    """Scores a response by its log-probability after the prompt, in nats: per token, or of all of it.

    Prompt and response stand in the model's own chat template; the end of the turn is not counted. Of a prompt longer
    than half the window its end is read.

    Args:
        name: the model's name in the configuration.
        path: a GGUF file; `None` is SmolLM2-135M-Instruct, fetched when first needed.
        reduction: `mean` over the tokens, or `sum`, which is mostly minus the length.
        context_tokens: the window; half is for the prompt, half for the response.
        workers: worker processes; 0: one per core.
        states: what reads the texts, instead of worker processes with these settings.

    Raises:
        MissingExtra: llama.cpp is not installed.
        ConfigError: the file cannot be read, or is of a kind whose output matrix cannot.
    """

    scale: tuple[float, float] | None = None

    def __init__(
        self,
        name: str,
        path: Path | None = None,
        *,
        reduction: Reduction = "mean",
        context_tokens: int = 2048,
        workers: int = 0,
        states: HiddenStates | None = None,
    ) -> None:
        if states is None and find_spec("xllamacpp") is None:
            raise MissingExtra(f"models.{name}: kind `local` needs llama.cpp; pip install 'pairsmith[local]'")
        if path is not None:
            output_tensor(read_header(path), path)  # refused before any work starts
        self.name = f"loglik:{name}"
        digest = SMOLLM2.sha256 if path is None else file_sha256(path)
        self.revision = f"{digest[:12]}/{reduction}/{context_tokens}"
        self._path = path
        self._mean = reduction == "mean"
        self._half = context_tokens // 2
        self._states = states or HiddenStates(
            path, workers=workers, prompt_tokens=self._half, response_tokens=self._half, add_special=True
        )
        self._lock = threading.Lock()
        self._output: npt.NDArray[np.float32] | None = None

    @classmethod
    def from_config(
        cls,
        name: str,
        config: ModelConfig,
        runtime: RuntimeConfig,
        project: Path = Path(),
        *,
        reduction: str = REDUCTIONS[0],
    ) -> "LoglikScorer":
        """The scorer as configured; a relative `path` starts at the `project` folder."""
        if reduction not in REDUCTIONS:
            raise ConfigError(f"annotate.annotators: loglik reduces by {' or '.join(REDUCTIONS)}, not {reduction!r}")
        path = project / Path(config.path).expanduser() if config.path else None
        return cls(
            name,
            path,
            reduction=cast("Reduction", reduction),
            context_tokens=config.context_tokens,
            workers=runtime.workers,
        )

    async def score_many(self, items: Sequence[Item]) -> Sequence[float]:
        """See `BatchScorer.score_many`."""
        return await asyncio.to_thread(self.score_now, items)

    def score_now(self, items: Sequence[Item]) -> list[float]:
        """One number for each response, in their order, each at most 0.

        Raises:
            ModelError: a response has no tokens or more than half the window.
            ModelUnavailable: the engine does not start or died.
        """
        return [float(each.mean() if self._mean else each.sum()) for each in self.token_log_probs(items)]

    def token_log_probs(self, items: Sequence[Item]) -> list[npt.NDArray[np.float64]]:
        """The log-probability of each token of each response."""
        asked = [((*prompt.messages, *candidate.context), candidate.text) for prompt, candidate in items]
        with self._lock:  # batches that arrive together must not each start worker processes of their own
            if self._output is None:
                path = self._path or smollm2_path()
                self._output = read_matrix(path, output_tensor(read_header(path), path))
            output = self._output

            def of(index: int, states: States) -> npt.NDArray[np.float64] | str:
                if states.unread or not states.tokens:
                    count = len(states.tokens) + states.unread
                    return f"{items[index][1].id} has {count} tokens, and 1 to {self._half} can be scored"
                return token_log_probs(states.hidden[:-1], states.tokens, output)

            found = self._states.each(asked, of)
        refused = [each for each in found if isinstance(each, str)]
        if refused:
            raise ModelError(f"{self.name}: {refused[0]}; raise context_tokens of the model")
        return [each for each in found if not isinstance(each, str)]

    async def close(self) -> None:
        """End the worker processes."""
        self._states.close()

    def describe(self) -> dict[str, Any]:
        """What a report must say."""
        return {"name": self.name, "revision": self.revision, **self.provenance()}

    def provenance(self) -> dict[str, Any]:
        """What every vote carries."""
        return {"calibrated": False, "signal": f"{'mean' if self._mean else 'sum'} log-probability"}
