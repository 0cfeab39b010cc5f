"""Asking one server until it answers: retries, deadlines, circuit breaker, and as many requests at once as it bears."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, Final, Generic, TypeVar

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.errors import ConfigError, Incomplete, ModelError, ModelUnavailable
from pairsmith.models.concurrency import Gate, Place
from pairsmith.models.http import Http, Lost, Reply, key_from_environment
from pairsmith.models.retry import Circuit, RetryPolicy, retry_after_s

__all__ = ["Lossy", "Read", "ServerClient", "Unusable"]

T = TypeVar("T")

REFUSALS_BEFORE_GIVING_UP: Final = 3
"""A server that refuses this many requests before it has answered any is misconfigured: no more samples are spent."""
_RETRIED: Final = frozenset({408, 409, 425, 429})  # and all of 5xx
_BUSY: Final = frozenset({429, 503, 529})
_HOPELESS: Final = frozenset({401, 402, 403, 404, 405, 407, 410})  # key, credit or address: true of every request


@dataclass(frozen=True, slots=True)
class Unusable:
    """What came is no answer, and why; `usage` is what the server says it cost."""

    cause: str
    usage: Mapping[str, int] = field(default_factory=dict)


Read = Callable[[bytes], tuple[T, float] | Unusable]
"""Reads a body: the answer and the work it took (tokens, if the server counts them, else 1), or what is wrong."""

Lossy = Callable[[Mapping[str, int]], Awaitable[bool]]
"""Told of every attempt that may be charged but gave no answer, with its tokens if known; false: do not try again."""


@dataclass(frozen=True, slots=True)
class _Answered(Generic[T]):
    value: T
    work: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """An attempt to be made again.

    `unusable`: the server answered, but what it sent is no answer. `counted`: it uses up one of the attempts.
    `overload`: the server has too much to do. `billed`: it may charge for the attempt.
    """

    cause: str
    unusable: bool = False
    limited: bool = False
    overload: bool = False
    billed: bool = False
    retry_after: float | None = None
    counted: bool = True
    usage: Mapping[str, int] = field(default_factory=dict)


class ServerClient:
    """One server, and what its requests learn from each other. What is asked and how answers read is for others."""

    def __init__(
        self,
        name: str,
        http: Http,
        *,
        gate: Gate,
        policy: RetryPolicy | None = None,
    ) -> None:
        """A client of one server.

        Args:
            name: the model's name in the configuration, for messages.
            http: the connections.
            gate: how many requests may be in flight.
            policy: how patient to be.
        """
        self.gate = gate
        self._name = name
        self._http = http
        self._policy = policy or RetryPolicy()
        self._circuit = Circuit(self._policy)
        self._answered = False
        self._refusals = 0
        self._counts: Counter[str] = Counter()

    @classmethod
    def from_config(cls, name: str, config: ModelConfig, runtime: RuntimeConfig) -> "ServerClient":
        """The client of the server at `base_url`.

        Raises:
            ConfigError: no model name, no usable address, or the key's environment variable is not set.
        """
        if not config.model:
            raise ConfigError(f"models.{name}.model: missing; give the model name the server knows")
        key = key_from_environment(config.api_key_env, f"models.{name}.api_key_env")
        http = Http(config.base_url, f"models.{name}.base_url", api_key=key, timeout_s=runtime.timeout_s)
        gate = Gate(runtime.most_in_flight, search=runtime.concurrency == "auto")
        return cls(name, http, gate=gate, policy=RetryPolicy(attempts=runtime.attempts))

    async def ask(
        self, url: str, body: bytes, read: Read[T], *, lost: Lossy | None = None, excused: Collection[int] = ()
    ) -> T:
        """The answer to one request.

        Args:
            url: the whole address.
            body: what is sent, as JSON.
            read: what makes an answer of the body that comes back.
            lost: told of attempts that may be charged without an answer.
            excused: statuses that say something about this request or address, not about the server.

        Raises:
            ModelError: the server refuses this request, or never answers it usably.
            ModelUnavailable: it is down, refuses everybody, or did not answer after all attempts.
            Incomplete: `lost` wants no further attempt.
        """
        async with self.gate.place() as place:
            tries = failures = 0
            while True:
                outcome = await self._attempt(place, url, body, read, excused)
                if isinstance(outcome, _Answered):
                    return outcome.value
                tries += 1
                failures += outcome.counted
                go_on = lost is None or not outcome.billed or await lost(outcome.usage)
                if failures >= self._policy.attempts:
                    raise self._hopeless(url, outcome, tries)
                if not go_on:
                    raise Incomplete(self.message(url, f"{outcome.cause}; the budget allows no further attempt"))
                self._counts["retries"] += 1
                await self._wait(outcome, tries)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    def traffic(self) -> dict[str, Any]:
        """How many requests at once turned out right, and what went wrong how often."""
        kinds = ("requests", "retries", "throttled", "timeouts")
        return {**self.gate.describe(), **{kind: self._counts[kind] for kind in kinds}}

    def message(self, url: str, cause: str) -> str:
        """A cause with the model and address it is about."""
        return f"models.{self._name} at {url}: {cause}"

    async def _wait(self, failure: _Failure, tries: int) -> None:
        """A server that says it is busy is left alone by all requests, after other failures only this one waits."""
        backoff = self._policy.backoff_s(tries)
        if failure.limited or failure.retry_after is not None:
            self._circuit.slow_down(backoff if failure.retry_after is None else failure.retry_after)
        else:
            await asyncio.sleep(backoff)

    def _hopeless(self, url: str, failure: _Failure, tries: int) -> ModelError:
        """The end of a request; of all of them, unless its answers alone were no use."""
        cause = f"{failure.cause}; gave up after {tries} attempts"
        if failure.unusable:
            return ModelError(cause)
        self._circuit.give_up(self.message(url, cause))
        return ModelUnavailable(self.message(url, cause))

    async def _attempt(
        self, place: Place, url: str, body: bytes, read: Read[T], excused: Collection[int]
    ) -> _Answered[T] | _Failure:
        """Ask once, when the circuit lets us, and tell the gate what came of it."""
        probe = await self._circuit.admit()
        place.begin()
        outcome = await self._learn(probe, url, self._once(url, body, read, excused))
        if isinstance(outcome, _Answered):
            place.end(outcome.work)
        else:
            place.end(overload=outcome.overload)
        return outcome

    async def _learn(self, probe: bool, url: str, sent: Awaitable[_Answered[T] | _Failure]) -> _Answered[T] | _Failure:
        """Let all other requests learn from this one."""
        try:
            outcome = await sent
        except ModelUnavailable as error:
            self._circuit.give_up(str(error))
            raise
        except ModelError:
            self._circuit.succeeded()
            raise
        except BaseException:
            self._circuit.abandoned(probe)
            raise
        if isinstance(outcome, _Answered):
            self._circuit.succeeded()
            return outcome
        if outcome.limited:
            self._circuit.abandoned(probe)
            # Until then others may be getting through: it is a matter of waiting.
            return replace(outcome, counted=self._circuit.idle_s() > self._http.timeout_s)
        self._circuit.failed(probe, self.message(url, outcome.cause))
        return replace(outcome, counted=not probe)

    async def _once(self, url: str, body: bytes, read: Read[T], excused: Collection[int]) -> _Answered[T] | _Failure:
        """Send one request and read what comes.

        Raises:
            ModelError: the server refuses this request.
            ModelUnavailable: the server refuses every request.
        """
        self._counts["requests"] += 1
        reply = await self._http.post_json(url, body)
        if isinstance(reply, Lost):
            self._counts["timeouts"] += reply.timed_out
            return _Failure(reply.cause, unusable=reply.too_large, overload=reply.timed_out, billed=reply.reached)
        if reply.status != HTTPStatus.OK:
            return self._read_refusal(url, reply, excused)
        answer = read(reply.body)
        if isinstance(answer, Unusable):
            cause = f"{answer.cause}; it sent: {self._http.excerpt(reply.body)}"
            return _Failure(cause, unusable=True, billed=True, usage=answer.usage)
        self._answered = True
        return _Answered(*answer)

    def _read_refusal(self, url: str, reply: Reply, excused: Collection[int]) -> _Failure:
        status = reply.status
        cause = f"HTTP {status}: {self._http.excerpt(reply.body)}"
        if status in excused:
            raise ModelError(cause)
        if status in _RETRIED or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            self._counts["throttled"] += status in _BUSY
            wait = retry_after_s(reply.headers.get("Retry-After"), self._policy.retry_after_cap_s)
            limited = status == HTTPStatus.TOO_MANY_REQUESTS
            return _Failure(cause, limited=limited, overload=status in _BUSY, retry_after=wait)
        if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
            target = reply.headers.get("Location", "")
            raise ModelUnavailable(self.message(url, f"HTTP {status} to {target}; put the final address into base_url"))
        if status in _HOPELESS:
            raise ModelUnavailable(self.message(url, f"{cause}; check base_url, model and the key"))
        self._refusals += 1
        if not self._answered and self._refusals >= REFUSALS_BEFORE_GIVING_UP:
            raise ModelUnavailable(self.message(url, f"{cause}; the first {self._refusals} requests were all refused"))
        raise ModelError(cause)
