"""Chat models behind any server that speaks the OpenAI protocol: vLLM, SGLang, TGI, llama.cpp, Ollama, commercial."""

import asyncio
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

import httpx

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, ModelError, ModelUnavailable
from pairsmith.models.openai_server import MAX_ANSWER_BYTES, key_from_environment, read_capped, server_address
from pairsmith.models.openai_wire import chat_payload, parse_answer
from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.models.retry import Circuit, RetryPolicy, retry_after_s

__all__ = ["MAX_ANSWER_BYTES", "OpenAIChatModel"]

REFUSALS_BEFORE_GIVING_UP = 3
"""A server that refuses this many requests before it has answered any is misconfigured: no more samples are spent."""
KEEP_ALIVE_S = 60.0
_EXCERPT_CHARS = 300
_BUSY = 429
_RETRIED = {408, 409, 425}  # and all of 5xx
_HOPELESS = {401, 402, 403, 404, 405, 407, 410}  # key, credit or address: true of every request

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt to be made again.

    `unusable`: the server answered, but what it sent is no answer. `counted`: it uses up one of the attempts.
    """

    cause: str
    unusable: bool = False
    busy: bool = False
    retry_after: float | None = None
    counted: bool = True


class OpenAIChatModel:
    """A chat model behind `POST {base_url}/chat/completions`."""

    shares_prompt = False

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
        self.name = name
        self.slots = slots
        self._url = server_address(base_url, f"models.{name}.base_url") + "/chat/completions"
        self._model = model
        self._api_key = api_key
        self._timeout_s = timeout_s
        self._policy = policy or RetryPolicy()
        self._circuit = Circuit(self._policy)
        self._answered = False
        self._refusals = 0
        self._reported: set[str] = set()
        self._tls = httpx.create_ssl_context()
        self._idle: list[httpx.AsyncClient] = []
        self._loop: asyncio.AbstractEventLoop | None = None

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "OpenAIChatModel":
        """The model as configured.

        Raises:
            ConfigError: no usable address, no model name, or the key's environment variable is not set.
        """
        if not config.model:
            raise ConfigError(f"models.{name}.model: missing; give the model name the server knows")
        return cls(
            name,
            config.base_url,
            config.model,
            api_key=key_from_environment(config.api_key_env, f"models.{name}.api_key_env"),
            slots=runtime.concurrency,
            timeout_s=runtime.timeout_s,
            policy=RetryPolicy(attempts=runtime.attempts),
        )

    async def complete(self, request: ChatRequest) -> Completion:
        """Draw one sample. See `ChatModel.complete`."""
        return await self._ask(json.dumps({"model": self._model, **chat_payload(request)}).encode("ascii"))

    async def _ask(self, body: bytes) -> Completion:
        tries = failures = 0
        while True:
            outcome = await self._attempt(body)
            if isinstance(outcome, Completion):
                return outcome
            tries += 1
            failures += outcome.counted
            if failures >= self._policy.attempts:
                cause = f"{outcome.cause}; gave up after {tries} attempts"
                raise ModelError(cause) if outcome.unusable else ModelUnavailable(self._message(cause))
            await self._wait(outcome, tries)

    async def close(self) -> None:
        """Close all connections."""
        idle, self._idle = self._idle, []
        if self._loop is asyncio.get_running_loop():
            for client in idle:
                await client.aclose()

    async def _wait(self, failure: _Failure, tries: int) -> None:
        """A server that says it is busy is left alone by all requests, after other failures only this one waits."""
        backoff = self._policy.backoff_s(tries)
        if failure.busy or failure.retry_after is not None:
            self._circuit.slow_down(backoff if failure.retry_after is None else failure.retry_after)
        else:
            await asyncio.sleep(backoff)

    async def _attempt(self, body: bytes) -> Completion | _Failure:
        """Ask once, when the circuit lets us, and let all other requests learn from it."""
        probe = await self._circuit.admit()
        try:
            outcome = await self._post(body)
        except ModelError:
            self._circuit.succeeded()
            raise
        except BaseException:
            self._circuit.abandoned(probe)
            raise
        if isinstance(outcome, Completion):
            self._circuit.succeeded()
            return outcome
        if outcome.busy:
            self._circuit.abandoned(probe)
            # Until then others may be getting through: it is a matter of waiting.
            return replace(outcome, counted=self._circuit.idle_s() > self._timeout_s)
        self._circuit.failed(probe, self._message(outcome.cause))
        return replace(outcome, counted=not probe)

    async def _post(self, body: bytes) -> Completion | _Failure:
        """Ask once.

        Raises:
            ModelError: the server refuses this request.
            ModelUnavailable: the server refuses every request.
        """
        headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if self._api_key:
            headers["Authorization"] = f"Bearer {self._api_key}"
        try:
            with self._connection() as client:
                async with (
                    asyncio.timeout(self._timeout_s),
                    client.stream("POST", self._url, content=body, headers=headers) as response,
                ):
                    raw = await read_capped(response)
        except TimeoutError:
            return _Failure(f"no complete answer within {self._timeout_s:g} s")
        except httpx.RequestError as error:
            return _Failure(f"{type(error).__name__}: {error}" if str(error) else type(error).__name__)
        if raw is None:
            return _Failure(f"the answer is larger than {MAX_ANSWER_BYTES} bytes", unusable=True)
        if response.status_code == httpx.codes.OK:
            return self._read_answer(raw)
        return self._read_refusal(response, raw)

    def _read_answer(self, raw: bytes) -> Completion | _Failure:
        answer = parse_answer(raw)
        if isinstance(answer, str):
            return _Failure(f"{answer}; it sent: {self._excerpt(raw)}", unusable=True)
        self._answered = True
        engine = {"engine": "openai", "model": self._model}
        if answer.model and answer.model != self._model:
            engine["reported_model"] = answer.model
            if answer.model not in self._reported:
                self._reported.add(answer.model)
                _log.warning(self._message(f"asked for {self._model!r}, answered by {answer.model!r}"))
        if answer.fingerprint:
            engine["system_fingerprint"] = answer.fingerprint
        return Completion(answer.text, answer.finish_reason, answer.usage, engine, answer.first_token)

    def _read_refusal(self, response: httpx.Response, raw: bytes) -> _Failure:
        status = response.status_code
        cause = f"HTTP {status}: {self._excerpt(raw)}"
        if status == _BUSY or status in _RETRIED or status >= httpx.codes.INTERNAL_SERVER_ERROR:
            wait = retry_after_s(response.headers.get("Retry-After"), self._policy.retry_after_cap_s)
            return _Failure(cause, busy=status == _BUSY, retry_after=wait)
        if response.is_redirect:  # not followed: the key must not travel to another host
            target = response.headers.get("Location", "")
            raise ModelUnavailable(self._message(f"HTTP {status} to {target}; put the final address into base_url"))
        if status in _HOPELESS:
            raise ModelUnavailable(self._message(f"{cause}; check base_url, model and the key"))
        self._refusals += 1
        if not self._answered and self._refusals >= REFUSALS_BEFORE_GIVING_UP:
            raise ModelUnavailable(self._message(f"{cause}; the first {self._refusals} requests were all refused"))
        raise ModelError(cause)

    @contextmanager
    def _connection(self) -> Iterator[httpx.AsyncClient]:
        """A client with one connection that nobody else uses meanwhile.

        One client with a pool would do, if choosing from the pool did not cost time that grows with its square.
        """
        loop = asyncio.get_running_loop()
        if self._loop is not loop:  # connections cannot move from one event loop to another
            self._loop, self._idle = loop, []
        client = self._idle.pop() if self._idle else self._new_client()
        try:
            yield client
        finally:
            self._idle.append(client)

    def _new_client(self) -> httpx.AsyncClient:
        local = httpx.URL(self._url).host in {"localhost", "127.0.0.1", "::1"}
        return httpx.AsyncClient(
            timeout=httpx.Timeout(self._timeout_s),
            limits=httpx.Limits(max_connections=1, keepalive_expiry=KEEP_ALIVE_S),
            verify=self._tls,
            trust_env=not local,  # a proxy cannot reach this machine's own ports
        )

    def _excerpt(self, raw: bytes) -> str:
        text = " ".join(raw[: 4 * _EXCERPT_CHARS].decode("utf-8", "replace").split())
        if self._api_key:
            text = text.replace(self._api_key, "***")
        return repr(text[:_EXCERPT_CHARS]) if text else "(nothing)"

    def _message(self, cause: str) -> str:
        return f"models.{self.name} at {self._url}: {cause}"
