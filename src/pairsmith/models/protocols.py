"""The doors to the outside: what a chat model, a scorer, an annotator and an embedder must offer, one method each."""

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from pairsmith.errors import ModelError
from pairsmith.records import Annotation, Candidate, Comparison, Message, Prompt, Score

__all__ = [
    "Annotator",
    "BatchModel",
    "BatchScorer",
    "ChatModel",
    "ChatRequest",
    "Completion",
    "Embedder",
    "Scorer",
]


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """One sample to draw. With `top_logprobs` the likeliest first tokens are asked for, too; not all servers say."""

    messages: tuple[Message, ...]
    temperature: float
    top_p: float
    max_tokens: int
    seed: int
    json_schema: Mapping[str, Any] | None = None
    top_logprobs: int = 0


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back.

    `finish_reason` is `stop`, `length`, `content_filter` or what the server said; `usage` counts tokens
    (`prompt_tokens`, `completion_tokens`); `engine` says what produced it (build, file hash). `first_token` holds the
    log-probabilities of what the answer could have begun with, empty if not asked for or not told.
    """

    text: str
    finish_reason: str
    usage: Mapping[str, int] = field(default_factory=dict)
    engine: Mapping[str, Any] = field(default_factory=dict)
    first_token: Mapping[str, float] = field(default_factory=dict)


@runtime_checkable
class ChatModel(Protocol):
    """A model that answers.

    `slots` requests may be in flight at once; with `shares_prompt` the samples of one prompt are cheaper when
    they follow each other.
    """

    name: str
    slots: int
    shares_prompt: bool

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample.

        Raises:
            ModelError: the request cannot be answered; asking again would not help.
            ModelUnavailable: the server is down, refuses the key, or did not answer after all attempts.
        """
        ...

    async def close(self) -> None:
        """Release processes and connections."""
        ...


@runtime_checkable
class BatchModel(ChatModel, Protocol):
    """A chat model that takes many requests at once and may answer days later."""

    def under_way(self) -> frozenset[str]:
        """The ids of requests that were handed in by an earlier run, or this one, and may still be answered."""
        ...

    def complete_many(self, requests: Mapping[str, ChatRequest]) -> AsyncIterator[tuple[str, Completion | ModelError]]:
        """Hand in the requests that are not under way, and yield id and outcome of each as soon as it is known.

        Raises:
            Incomplete: not all are answered yet; calling again later carries on.
            ModelUnavailable: the server is down or refuses us.
        """
        ...


@runtime_checkable
class Annotator(Protocol):
    """Someone who votes on comparisons. `wants` says whether it has anything to say about a prompt.

    `guideline` names the version of the instructions it follows, empty if it has none: with another one the same
    comparison is another question.
    """

    name: str
    guideline: str

    def wants(self, prompt: Prompt) -> bool:
        """Whether this annotator can judge responses to `prompt`."""
        ...

    async def annotate(
        self, prompt: Prompt, comparison: Comparison, a: Candidate, b: Candidate
    ) -> tuple[Sequence[Annotation], Sequence[Score]]:
        """Votes on one comparison, and the scores behind them.

        Raises:
            ModelError: no usable verdict; the comparison is left unvoted and counted as failed.
            ModelUnavailable: the model behind the annotator is down.
        """
        ...


@runtime_checkable
class Scorer(Protocol):
    """Someone who gives one response a number. Higher is better; `scale` is [low, high] if the scorer declares one."""

    name: str
    scale: tuple[float, float] | None

    def score(self, prompt: Prompt, candidate: Candidate) -> float:
        """The number."""
        ...


@runtime_checkable
class BatchScorer(Protocol):
    """A scorer that is asked for several responses at once, and may be far away.

    `revision` names the version of the model behind it. `scale` may become known with the first answer.
    """

    name: str
    scale: tuple[float, float] | None
    revision: str

    async def score_many(self, items: Sequence[tuple[Prompt, Candidate]]) -> Sequence[float]:
        """One number each, in their order.

        Raises:
            ModelError: no scores for these responses.
            ModelUnavailable: the scorer is down.
        """
        ...


@runtime_checkable
class Embedder(Protocol):
    """Turns texts into vectors whose dot product says how alike they are.

    `revision` names the version of the model behind it: with another one all vectors are others.
    """

    name: str
    revision: str

    def embed(self, texts: Sequence[str]) -> Any:
        """A numpy array of float32, shape (texts, dimensions): unit vectors, zero for a text that is blank.

        Blocks until all are there; inside an event loop, call it through `asyncio.to_thread`.

        Raises:
            ModelError: the model cannot embed these texts.
            ModelUnavailable: it is down, or not to be had.
        """
        ...
