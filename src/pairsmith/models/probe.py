"""Finding out what a server can do by asking it: fields it does not know are dropped without a word."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final

import httpx

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.models.openai_server import key_from_environment, read_capped, server_address

__all__ = ["Abilities", "probe", "shortcomings"]

_ASK: Final = "Write a short sentence about anything you like."
_MAX_TOKENS: Final = 24
_PROBE_TIMEOUT_S: Final = 30.0
_WORD: Final = "zebra"
_SCHEMA: Final = {
    "type": "object",
    "properties": {"answer": {"type": "string", "enum": [_WORD]}},
    "required": ["answer"],
    "additionalProperties": False,
}


@dataclass(frozen=True, slots=True)
class Abilities:
    """What a server did when it was asked to; `None` where its answers do not tell.

    `seed`: the same seed gives the same text and another seed another one. `n`: several answers to one request.
    `json_schema`: a schema is enforced. `logprobs`: log-probabilities come along. `usage`: tokens are counted.
    """

    seed: bool | None = None
    n: bool | None = None
    json_schema: bool | None = None
    logprobs: bool | None = None
    usage: bool | None = None


_MEANING: Final = {
    "seed": "ignores `seed`: its samples cannot be repeated",
    "json_schema": "does not enforce a JSON schema: as a judge its answers are parsed strictly and repaired once",
    "usage": "does not count tokens: a budget charges it the most every answer could take",
}


async def probe(name: str, config: ModelConfig, runtime: RuntimeConfig) -> dict[str, dict[str, bool | None]]:
    """The abilities of every server of a model of kind `openai`, by address; six short requests to each.

    A server that does not answer has no known abilities: what to do about it is for the run itself.

    Raises:
        ConfigError: an address or a key cannot be used.
    """
    key = key_from_environment(config.api_key_env, f"models.{name}.api_key_env")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    found = {}
    for base_url in config.base_urls or (config.base_url,):
        url = server_address(base_url, f"models.{name}.base_url")
        local = httpx.URL(url).host in {"localhost", "127.0.0.1", "::1"}
        async with httpx.AsyncClient(headers=headers, trust_env=not local) as client:
            ask = _Asker(client, f"{url}/chat/completions", config.model, min(_PROBE_TIMEOUT_S, runtime.timeout_s))
            found[base_url] = asdict(await _abilities(ask))
    return found


def shortcomings(name: str, found: Mapping[str, Mapping[str, bool | None]]) -> list[str]:
    """What a user should know about the servers of a model, one line for each thing that matters here."""
    return [
        f"models.{name} at {address}: {meaning}"
        for address, abilities in found.items()
        for ability, meaning in _MEANING.items()
        if abilities.get(ability) is False
    ]


@dataclass(frozen=True, slots=True)
class _Asker:
    client: httpx.AsyncClient
    url: str
    model: str
    timeout_s: float

    async def __call__(self, **fields: Any) -> dict[str, Any] | None:
        """The answer to one request; an empty one if the request was refused, `None` if nothing can be learned."""
        messages = [{"role": "user", "content": _ASK}]
        body = {"model": self.model, "messages": messages, "max_tokens": _MAX_TOKENS, "temperature": 1.0, **fields}
        try:
            async with (
                asyncio.timeout(self.timeout_s),
                self.client.stream("POST", self.url, json=body, timeout=self.timeout_s) as response,
            ):
                raw = await read_capped(response)
        except (TimeoutError, httpx.RequestError):
            return None
        if response.status_code in (400, 422):
            return {}
        try:
            answer = json.loads(raw or b"")
        except ValueError:
            return None
        return answer if response.status_code == httpx.codes.OK and isinstance(answer, dict) else None


async def _abilities(ask: _Asker) -> Abilities:
    first = await ask(seed=1)
    if first is None:
        return Abilities()
    again, other = await ask(seed=1), await ask(seed=2)
    several = await ask(seed=1, n=2)
    shape = {"name": "answer", "strict": True, "schema": _SCHEMA}
    shaped = await ask(seed=1, response_format={"type": "json_schema", "json_schema": shape})
    detailed = await ask(seed=1, logprobs=True, top_logprobs=2)
    return Abilities(
        seed=_keeps_seeds(_text(first), _text(again), _text(other)),
        n=None if several is None else len(_choices(several)) == 2,
        json_schema=None if shaped is None else _is_shaped(_text(shaped)),
        logprobs=None if detailed is None else any(_has_logprobs(choice) for choice in _choices(detailed)),
        usage="completion_tokens" in usage if isinstance(usage := first.get("usage"), dict) else False,
    )


def _keeps_seeds(first: str, again: str, other: str) -> bool | None:
    if not (first and again and other):
        return None
    if first != again:
        return False
    return True if other != first else None  # says the same whatever the seed: that tells nothing


def _is_shaped(text: str) -> bool:
    try:
        return bool(json.loads(text) == {"answer": _WORD})
    except ValueError:
        return False


def _has_logprobs(choice: Mapping[str, Any]) -> bool:
    logprobs = choice.get("logprobs")
    return isinstance(logprobs, dict) and bool(logprobs.get("content"))


def _choices(answer: Mapping[str, Any]) -> list[dict[str, Any]]:
    choices = answer.get("choices")
    return [each for each in choices if isinstance(each, dict)] if isinstance(choices, list) else []


def _text(answer: Mapping[str, Any] | None) -> str:
    """The text of the first choice; empty if there is none."""
    for choice in _choices(answer or {}):
        message = choice.get("message")
        content = message.get("content") if isinstance(message, dict) else None
        return content if isinstance(content, str) else ""
    return ""
