"""What the fake server says: texts that look like language, decided by the request alone."""

import hashlib
import math
import random
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pairsmith.ids import canonical_json

__all__ = ["Counts", "example_of", "fake_answer", "fake_logprobs", "fake_reply"]

_TEXT = """the a of and to in is it that for on with as this by from be are or an at not which but have one can all
you answer question because first then however example number simple water time people small large often useful
reason method result careful check list word line code table light sound river city winter"""
_WORDS = tuple(_TEXT.split())
_SHORTEST, _LONGEST = 8, 60
Counts = Literal["all", "one"]
_MAX_DEPTH = 8


def fake_reply(body: Mapping[str, Any]) -> str:
    """A text that depends on messages and seed alone; JSON of the wanted shape if the request names a schema."""
    digest = hashlib.sha256(canonical_json([body.get("messages"), body.get("seed")]).encode("utf-8")).hexdigest()
    rng = random.Random(digest)
    wanted = body.get("response_format")
    if isinstance(wanted, Mapping) and wanted.get("type") == "json_schema":
        return canonical_json(example_of(wanted["json_schema"]["schema"], rng))
    words = rng.choices(_WORDS, k=rng.randint(_SHORTEST, _LONGEST))
    return f"{' '.join(words).capitalize()}."


def fake_answer(
    body: Mapping[str, Any], reply: Callable[[Mapping[str, Any]], str], counts: Counts = "all"
) -> dict[str, Any]:
    """The whole answer to a request body, with `n` choices, and log-probabilities if they are asked for."""
    choices: list[dict[str, Any]] = []
    used = 0
    for index in range(body.get("n") or 1):
        seeded = {**body, "seed": body["seed"] + index} if index and "seed" in body else body
        words = reply(seeded).split(" ")
        limit = body.get("max_tokens") or len(words)
        used += min(len(words), limit) if counts == "all" or not index else 0
        choice: dict[str, Any] = {
            "index": index,
            "message": {"role": "assistant", "content": " ".join(words[:limit])},
            "finish_reason": "length" if len(words) > limit else "stop",
        }
        choices.append(choice | fake_logprobs(body, words[0]))
    asked = sum(len(str(turn["content"]).split()) for turn in body["messages"])
    return {
        "id": "fake",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": choices,
        "usage": {"prompt_tokens": asked, "completion_tokens": used},
    }


def fake_logprobs(body: Mapping[str, Any], word: str) -> dict[str, Any]:
    """The `logprobs` of a choice, if they were asked for: the word that was said at 0.7, `other` at 0.2."""
    if not body.get("logprobs"):
        return {}
    said = {"token": word, "logprob": math.log(0.7)}
    top = [said, {"token": "other", "logprob": math.log(0.2)}][: int(body.get("top_logprobs") or 0)]
    return {"logprobs": {"content": [{**said, "top_logprobs": top}]}}


def example_of(schema: Mapping[str, Any], rng: random.Random, depth: int = 0) -> Any:
    """A value that fits a JSON schema made of enum, const, anyOf, object, array, string, number, integer, boolean."""
    if depth > _MAX_DEPTH:
        return None
    if "const" in schema:
        return schema["const"]
    if "enum" in schema:
        return rng.choice(list(schema["enum"]))
    if "anyOf" in schema:
        return example_of(rng.choice(list(schema["anyOf"])), rng, depth + 1)
    kind = schema.get("type", "string")
    if kind == "object":
        properties = schema.get("properties", {})
        return {key: example_of(each, rng, depth + 1) for key, each in properties.items()}
    if kind == "array":
        length = max(int(schema.get("minItems", 1)), 1)
        return [example_of(schema.get("items", {}), rng, depth + 1) for _ in range(length)]
    if kind in {"number", "integer"}:
        low, high = schema.get("minimum", 0), schema.get("maximum", 10)
        return rng.randint(int(low), int(high)) if kind == "integer" else rng.uniform(low, high)
    if kind == "boolean":
        return rng.random() < 0.5
    return " ".join(rng.choices(_WORDS, k=6)) if kind == "string" else None
