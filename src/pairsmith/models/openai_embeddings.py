"""Embeddings of any server that answers `POST {base_url}/embeddings`: vLLM, TEI, llama.cpp, Ollama, commercial ones."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.models.embedders import Vectors, embed_distinct, take_options
from pairsmith.models.json_client import JsonClient
from pairsmith.models.openai_server import server_address
from pairsmith.models.reward_wire import numbered_entries

__all__ = ["OpenAIEmbedder"]

BATCH: Final = 32
MAX_CHARACTERS: Final = 8000
"""By default the rest of a longer text is not sent: servers refuse what does not fit, and with it the whole batch."""


class OpenAIEmbedder:
    """A client with the patience of the chat client: retries, deadlines, circuit breaker.

    Args:
        name: the section's name.
        config: the section: `base_url`, `model`, `api_key_env`; options `batch` (texts per request), `dimensions`
            (asked of the server), `max_characters` per text, `revision` (your name for the version of the model).
        runtime: how patient to be, and how many requests may be in flight.

    Raises:
        ConfigError: no usable address, no model name, the key's environment variable is not set, or a wrong option.
    """

    def __init__(self, name: str, config: ModelConfig, runtime: RuntimeConfig) -> None:
        allowed = {"batch": int, "dimensions": int, "max_characters": int, "revision": str}
        options = take_options(name, config, allowed)
        client = JsonClient.from_config(name, config, runtime)
        assert isinstance(client, JsonClient)
        self.name = name
        self._batch: int = options.get("batch", BATCH)
        self._longest: int = options.get("max_characters", MAX_CHARACTERS)
        self._body: dict[str, Any] = {"model": config.model, "encoding_format": "float"}
        if "dimensions" in options:
            self._body["dimensions"] = options["dimensions"]
        self.revision = ":".join(
            [config.model, str(options.get("dimensions", "")), str(self._longest), options.get("revision", "")]
        )
        self._client = client
        self._url = server_address(config.base_url, f"models.{name}.base_url") + "/embeddings"
        self._concurrency = runtime.concurrency

    def embed(self, texts: Sequence[str]) -> Vectors:
        """See `Embedder.embed`."""
        return embed_distinct(texts, lambda wanted: asyncio.run(self._ask_all(wanted)))

    async def _ask_all(self, texts: Sequence[str]) -> Any:
        """All vectors; texts of like length share a request, as servers fill them up to the longest."""
        order = sorted(range(len(texts)), key=lambda place: (len(texts[place]), place))
        batches = [order[start : start + self._batch] for start in range(0, len(order), self._batch)]
        in_flight = asyncio.Semaphore(self._concurrency)

        async def ask(batch: Sequence[int]) -> Any:
            async with in_flight:
                return await self._ask([texts[place][: self._longest] for place in batch])

        try:
            async with asyncio.TaskGroup() as group:
                tasks = [group.create_task(ask(batch)) for batch in batches]
        except* ModelError as errors:
            raise errors.exceptions[0] from None
        finally:
            await self._client.close()
        answered = [row for task in tasks for row in task.result()]
        if len({len(row) for row in answered}) > 1:
            raise ModelError(f"models.{self.name} at {self._url}: the vectors are not all of one length")
        vectors = np.empty((len(texts), len(answered[0])), dtype=np.float64)
        vectors[order] = answered
        return vectors

    async def _ask(self, texts: Sequence[str]) -> list[Any]:
        try:
            answer = await self._client.post(self._url, {**self._body, "input": list(texts)})
        except ModelUnavailable:
            raise
        except ModelError as error:
            raise ModelUnavailable(
                f"models.{self.name} at {self._url}: {error}; check base_url, that this is an embedding model, and "
                "the options `max_characters` and `batch`"
            ) from error
        try:
            return [_numbers(entry.get("embedding")) for entry in numbered_entries(answer, len(texts))]
        except ModelError as error:
            raise ModelError(f"models.{self.name} at {self._url}: {error}") from None


def _numbers(vector: Any) -> list[float]:
    if not isinstance(vector, list) or not vector or not all(type(each) in (int, float) for each in vector):
        raise ModelError(f"{str(vector)[:40]!r} is no vector")
    return vector
