"""One model behind several servers: every request goes to the least busy one, and those that fail are left out."""

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Protocol, TypeVar

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, ModelUnavailable
from pairsmith.models.concurrency import Gate
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import ChatRequest, Completion, SamplingModel

__all__ = ["BalancedChatModel"]

_log = logging.getLogger(__name__)

T = TypeVar("T")


class _Served(SamplingModel, Protocol):
    """What an endpoint must offer."""

    @property
    def gate(self) -> Gate: ...

    def learn(self, abilities: Mapping[str, bool | None]) -> None: ...

    def halt(self) -> None: ...

    def traffic(self) -> dict[str, Any]: ...


class BalancedChatModel:
    """A chat model with several endpoints. What they answer must not depend on which one is asked."""

    def __init__(self, name: str, endpoints: Sequence[_Served]) -> None:
        """A model over endpoints that are open already; `close` closes them."""
        self.name = name
        self.slots = sum(endpoint.slots for endpoint in endpoints)
        self._endpoints = list(endpoints)
        self._failures: dict[int, str] = {}

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "BalancedChatModel":
        """The model as configured, with `runtime.concurrency` requests in flight to each server.

        Raises:
            ConfigError: `base_url` is given too, an address is given twice, or one of them is no use.
        """
        if config.base_url:
            raise ConfigError(f"models.{name}: has both base_url and base_urls; put all addresses into base_urls")
        if len(set(config.base_urls)) < len(config.base_urls):
            raise ConfigError(f"models.{name}.base_urls: names an address twice; raise runtime.concurrency instead")
        single = [config.model_copy(update={"base_url": url, "base_urls": ()}) for url in config.base_urls]
        return cls(name, [OpenAIChatModel.from_config(name, each, runtime) for each in single])

    def learn(self, abilities: Mapping[str, bool | None]) -> None:
        """Use what all servers can do."""
        for endpoint in self._endpoints:
            endpoint.learn(abilities)

    @property
    def shares_prompt(self) -> bool:
        """Whether the samples of a prompt are drawn together."""
        return all(endpoint.shares_prompt for endpoint in self._endpoints)

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample. See `ChatModel.complete`.

        Raises:
            ModelUnavailable: no endpoint is left; the message is that of the last one.
        """
        return await self._somewhere(lambda endpoint: endpoint.complete(request))

    async def complete_together(self, requests: Sequence[ChatRequest]) -> Sequence[Completion | None]:
        """Draw several samples by one request. See `SamplingModel.complete_together`."""
        return await self._somewhere(lambda endpoint: endpoint.complete_together(requests))

    def halt(self) -> None:
        """Send nothing any more; what is in flight comes back as it will."""
        for endpoint in self._endpoints:
            endpoint.halt()

    def traffic(self) -> dict[str, Any]:
        """The sum over all servers."""
        total: dict[str, Any] = {}
        for endpoint in self._endpoints:
            for key, value in endpoint.traffic().items():
                total[key] = total.get(key, 0) + value
        return total

    async def close(self) -> None:
        """Close all endpoints."""
        for endpoint in self._endpoints:
            await endpoint.close()

    async def _somewhere(self, ask: Callable[[_Served], Awaitable[T]]) -> T:
        """Ask the server that is least busy for what it bears; one that is unavailable is left out from then on."""
        while True:
            up = [index for index in range(len(self._endpoints)) if index not in self._failures]
            if not up:
                raise ModelUnavailable(self._failures[len(self._endpoints) - 1])
            index = min(up, key=self._busy)
            try:
                return await ask(self._endpoints[index])
            except ModelUnavailable as error:
                if index not in self._failures:
                    _log.warning(f"{error}; left out from here on")
                self._failures[index] = str(error)

    def _busy(self, index: int) -> float:
        gate = self._endpoints[index].gate
        return gate.load / gate.limit
