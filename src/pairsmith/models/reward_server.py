"""Reward models behind a server: which dialect it speaks is found by asking it, not by its name."""

import asyncio
from collections.abc import Sequence
from typing import Any, Final

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.models.batching import Item
from pairsmith.models.json_client import JsonClient
from pairsmith.models.reward_wire import DIALECTS, Dialect
from pairsmith.records import Candidate, Message, Prompt

__all__ = ["RewardServer"]

_GREETING: Final = Prompt.of([Message("user", "Say hello.")])
_PROBE: Final[Item] = (_GREETING, Candidate.imported(_GREETING.id, "Hello!"))


class RewardServer:
    """Scores responses by asking a server (vLLM, or one like OpenRLHF's remote reward models).

    Args:
        section: the server's section of `models`; `base_url` may end in `/v1` or `/get_reward`.
        runtime: how patient to be, and how many requests may be in flight.
        name: the name of the section.
        dialect: one of `reward_wire.DIALECTS`, or nothing to find out.
        revision: version of the reward model; part of every score's name.
    """

    def __init__(
        self, name: str, section: ModelConfig, runtime: RuntimeConfig, *, dialect: str = "", revision: str = ""
    ) -> None:
        self.name = f"reward:{name}"
        self.revision = revision or section.model
        self.scale: tuple[float, float] | None = None
        client = JsonClient.from_config(name, section, runtime)
        assert isinstance(client, JsonClient)
        self._client = client
        self._root = section.base_url.rstrip("/").removesuffix("/v1").removesuffix("/get_reward").rstrip("/")
        self._model = section.model
        self._wanted = dialect
        self._dialect: Dialect | None = None
        self._found = ""
        self._probing: asyncio.Lock = asyncio.Lock()
        self._in_flight = asyncio.Semaphore(runtime.concurrency)

    async def score_many(self, items: Sequence[Item]) -> Sequence[float]:
        """The reward of each response, in their order.

        Raises:
            ModelError: the server refuses these responses, or its answer is unusable.
            ModelUnavailable: it is down, or speaks no dialect we know.
        """
        async with self._probing:
            dialect = self._dialect or await self._probe()
        if dialect.batched:
            return await self._ask(dialect, items)
        answers = await asyncio.gather(*(self._ask(dialect, [item]) for item in items))
        return [value for [value] in answers]

    def describe(self) -> dict[str, Any]:
        """What was found out about the server."""
        return {"name": self.name, "revision": self.revision, "dialect": self._found, "model": self._model}

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    async def _probe(self) -> Dialect:
        """The first dialect in which the server gives one usable number for a greeting."""
        refusals = []
        for name in [self._wanted] if self._wanted else list(DIALECTS):
            try:
                await self._ask(DIALECTS[name], [_PROBE])
            except ModelUnavailable:
                raise
            except ModelError as error:
                refusals.append(f"{name}: {error}")
            else:
                self._found, self._dialect, self.scale = name, DIALECTS[name], DIALECTS[name].scale
                return DIALECTS[name]
        raise ModelUnavailable(
            f"{self.name} at {self._root} gives no rewards ({'; '.join(refusals)}); "
            "check base_url and model, and that the server was started for a reward model"
        )

    async def _ask(self, dialect: Dialect, items: Sequence[Item]) -> list[float]:
        body = {"model": self._model, **dialect.ask(items)}
        async with self._in_flight:
            answer = await self._client.post(self._root + dialect.path, body)
        return dialect.read(answer, len(items))
