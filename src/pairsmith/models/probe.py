"""Finding out what a server can do by asking it: fields it does not know are dropped without a word."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from http import HTTPStatus
from typing import Any, Final

from pairsmith.config import ModelConfig, RuntimeConfig
from pairsmith.models.http import Http, Lost, key_from_environment

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
    `usage_of_n`: the tokens of all of them are counted. `json_schema`: a schema is enforced. `logprobs`:
    log-probabilities come along. `usage`: tokens are counted.
    """

    seed: bool | None = None
    n: bool | None = None
    usage_of_n: bool | None = None
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
    timeout_s = min(_PROBE_TIMEOUT_S, runtime.timeout_s)
    found = {}
    for base_url in config.base_urls or (config.base_url,):
        http = Http(base_url, f"models.{name}.base_url", api_key=key, timeout_s=timeout_s)
        try:
            found[base_url] = asdict(await _abilities(_Asker(http, config.model)))
        finally:
            await http.close()
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
    http: Http
    model: str

    async def __call__(self, **fields: Any) -> dict[str, Any] | None:
        """The answer to one request; an empty one if the request was refused, `None` if nothing can be learned."""
        messages = [{"role": "user", "content": _ASK}]
        body = {"model": self.model, "messages": messages, "max_tokens": _MAX_TOKENS, "temperature": 1.0, **fields}
        reply = await self.http.post_json(f"{self.http.base_url}/chat/completions", json.dumps(body).encode("ascii"))
        if isinstance(reply, Lost):
            return None
        if reply.status in (HTTPStatus.BAD_REQUEST, HTTPStatus.UNPROCESSABLE_ENTITY):
            return {}
        try:
            answer = json.loads(reply.body)
        except (ValueError, RecursionError):
            return None
        return answer if reply.status == HTTPStatus.OK and isinstance(answer, dict) else None


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
        usage_of_n=_counts_all(first, several or {}),
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


def _counts_all(one: Mapping[str, Any], two: Mapping[str, Any]) -> bool | None:
    """Whether the tokens of both answers are counted: they are more than the first takes alone, or than any may take.

    Untold where the two do not begin with the answer that came alone, for then its tokens say nothing about theirs.
    """
    alone, together = _tokens(one), _tokens(two)
    if len(_choices(two)) != 2 or alone is None or together is None:
        return None
    if together > _MAX_TOKENS:
        return True
    cut_off = all(choice.get("finish_reason") == "length" for choice in _choices(two))
    return together > alone if cut_off or _text(one) == _text(two) else None


def _tokens(answer: Mapping[str, Any]) -> int | None:
    usage = answer.get("usage")
    count = usage.get("completion_tokens") if isinstance(usage, dict) else None
    return count if type(count) is int else None


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
