"""One model behind several servers: every request goes to the least busy one, and those that fail are left out."""

import asyncio
import logging
from collections.abc import Sequence

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, ModelUnavailable
from pairsmith.models.openai import OpenAIChatModel
from pairsmith.models.protocols import ChatModel, ChatRequest, Completion

__all__ = ["BalancedChatModel"]

_log = logging.getLogger(__name__)


class BalancedChatModel:
    """A chat model with several endpoints. What they answer must not depend on which one is asked."""

    shares_prompt = False

    def __init__(self, name: str, endpoints: Sequence[ChatModel]) -> None:
        """A model over endpoints that are open already; `close` closes them."""
        self.name = name
        self.slots = sum(endpoint.slots for endpoint in endpoints)
        self._endpoints = [_Endpoint(each) for each in endpoints]

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

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample. See `ChatModel.complete`.

        Raises:
            ModelUnavailable: no endpoint is left; the message is that of the last one.
        """
        while True:
            up = [each for each in self._endpoints if not each.failure]
            if not up:
                raise ModelUnavailable(self._endpoints[-1].failure)
            endpoint = min(up, key=lambda each: each.load / each.model.slots)
            try:
                return await endpoint.complete(request)
            except ModelUnavailable as error:
                if not endpoint.failure:
                    _log.warning(f"{error}; left out from here on")
                endpoint.failure = str(error)

    async def close(self) -> None:
        """Close all endpoints."""
        for endpoint in self._endpoints:
            await endpoint.model.close()


class _Endpoint:
    """One server: `load` counts requests in flight or waiting for it, `failure` says why it is left out."""

    def __init__(self, model: ChatModel) -> None:
        self.model = model
        self.load = 0
        self.failure = ""
        self._free = asyncio.Semaphore(model.slots)

    async def complete(self, request: ChatRequest) -> Completion:
        self.load += 1
        try:
            async with self._free:
                if self.failure:
                    raise ModelUnavailable(self.failure)
                return await self.model.complete(request)
        finally:
            self.load -= 1
