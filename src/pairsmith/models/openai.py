"""Chat models behind any server that speaks the OpenAI protocol: vLLM, SGLang, TGI, llama.cpp, Ollama, commercial."""

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.models.client import ServerClient, Unusable
from pairsmith.models.concurrency import Gate
from pairsmith.models.http import MAX_ANSWER_BYTES, Http
from pairsmith.models.openai_wire import Answer, Answers, chat_payload, parse_answer, parse_answers, usage_of
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.models.retry import RetryPolicy

__all__ = ["MAX_ANSWER_BYTES", "OpenAIChatModel"]

_NO_SEVERAL: Final = frozenset({400, 422, 501})

_log = logging.getLogger(__name__)


class OpenAIChatModel:
    """A chat model behind `POST {base_url}/chat/completions`."""

    def __init__(
        self,
        name: str,
        base_url: str,
        model: str,
        *,
        api_key: str = "",
        slots: int = 16,
        timeout_s: float = 120.0,
        policy: RetryPolicy | None = None,
    ) -> None:
        """A client of one server.

        Args:
            name: the model's name in the configuration, for records and messages.
            base_url: address up to and including `/v1`.
            model: model name sent to the server.
            api_key: sent as bearer token unless empty; never shown in any message.
            slots: requests in flight at once.
            timeout_s: time for one attempt from first byte sent to last byte read, in seconds.
            policy: how patient to be.

        Raises:
            ConfigError: for an address that cannot be used.
        """
        http = Http(base_url, f"models.{name}.base_url", api_key=api_key, timeout_s=timeout_s)
        self._set_up(name, http.base_url, model, ServerClient(name, http, gate=Gate(slots), policy=policy))

    def _set_up(self, name: str, base_url: str, model: str, client: ServerClient) -> None:
        self.name = name
        self.slots = client.gate.most
        self.shares_prompt = False
        self._url = f"{base_url}/chat/completions"
        self._model = model
        self._client = client
        self._counts_all = False
        self._together_works = False
        self._reported: set[str] = set()

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "OpenAIChatModel":
        """The model as configured.

        Raises:
            ConfigError: no usable address, no model name, or the key's environment variable is not set.
        """
        made = cls.__new__(cls)
        client = ServerClient.from_config(name, config, runtime)
        made._set_up(name, config.base_url.rstrip("/"), config.model, client)
        return made

    @property
    def gate(self) -> Gate:
        """How many requests may be in flight now."""
        return self._client.gate

    def learn(self, abilities: Mapping[str, bool | None]) -> None:
        """Use what the server can do, as the probe found: several samples of one prompt by one request."""
        self.shares_prompt = abilities.get("n") is True
        self._counts_all = abilities.get("usage_of_n") is True

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample. See `ChatModel.complete`."""
        body = json.dumps({"model": self._model, **chat_payload(request)}).encode("ascii")
        return self._completion(await self._client.ask(self._url, body, _read_one, lost=request.lost))

    async def complete_together(self, requests: Sequence[ChatRequest]) -> Sequence[Completion | None]:
        """Draw several samples by one request. See `SamplingModel.complete_together`."""
        first, count = requests[0], len(requests)
        body = json.dumps({"model": self._model, **chat_payload(first), "n": count}).encode("ascii")

        def read(raw: bytes) -> tuple[Answers, float] | Unusable:
            found = parse_answers(raw, count)
            if isinstance(found, str):
                return Unusable(found, usage_of(raw))
            return found, float(found.usage.get("completion_tokens") or count)

        try:
            answers = await self._client.ask(self._url, body, read, lost=first.lost, excused=_NO_SEVERAL)
        except ModelUnavailable:
            raise
        except ModelError as error:  # whatever is wrong, one by one it may be right
            _log.debug(f"models.{self.name}: {count} samples by one request failed: {error}")
            self.shares_prompt = self._together_works
            return [None] * count
        self._together_works = True
        return list(self._shared(answers, first))

    def halt(self) -> None:
        """Send nothing any more; what is in flight comes back as it will."""
        self.gate.shut()

    def traffic(self) -> dict[str, Any]:
        """How many requests at once turned out right, and what went wrong how often."""
        return self._client.traffic()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.close()

    def _completion(self, answer: Answer) -> Completion:
        engine = {"engine": "openai", "model": self._model}
        if answer.model and answer.model != self._model:
            engine["reported_model"] = answer.model
            if answer.model not in self._reported:
                self._reported.add(answer.model)
                cause = f"asked for {self._model!r}, answered by {answer.model!r}"
                _log.warning(self._client.message(self._url, cause))
        if answer.fingerprint:
            engine["system_fingerprint"] = answer.fingerprint
        return Completion(answer.text, answer.finish_reason, answer.usage, engine, answer.first_token)

    def _shared(self, answers: Answers, first: ChatRequest) -> Iterator[Completion | None]:
        """The samples with their shares of what all of them cost: the prompt to the first, the answers by length.

        A server that counts the tokens of only one answer leaves those of all unknown. `engine` says with which seed
        the request was sent, and as which of how many this sample came.
        """
        shares = _shares(answers.usage if self._counts_all else {}, answers.each)
        for index, answer in enumerate(answers.each):
            if answer is None:
                yield None
                continue
            made = self._completion(answer)
            together = {"n": len(answers.each), "index": index, "seed": first.seed}
            yield replace(made, usage=shares[index], engine={**made.engine, "together": together})


def _read_one(raw: bytes) -> tuple[Answer, float] | Unusable:
    answer = parse_answer(raw)
    if isinstance(answer, str):
        return Unusable(answer, usage_of(raw))
    return answer, float(answer.usage.get("completion_tokens") or 1)


def _shares(usage: Mapping[str, int], answers: Sequence[Answer | None]) -> list[dict[str, int]]:
    """Whole numbers of tokens that add up to `usage`, in proportion to the lengths of the answers; 0 for none."""
    if "completion_tokens" not in usage or "prompt_tokens" not in usage:
        return [{} for _ in answers]
    lengths = [len(answer.text) + 1 if answer is not None else 0 for answer in answers]
    total, given, so_far = usage["completion_tokens"], 0, 0
    shares: list[dict[str, int]] = []
    prompt = usage["prompt_tokens"]
    for length in lengths:
        so_far += length
        upto = total * so_far // sum(lengths)
        shares.append({"prompt_tokens": prompt if length else 0, "completion_tokens": upto - given})
        given = upto
        prompt = 0 if length else prompt
    return shares
