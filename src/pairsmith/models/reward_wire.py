"""The dialects of reward servers as JSON: what is sent for some responses, and what an answer must look like.

`pooling`, `classify` and `score` are vLLM's; `openrlhf` is what OpenRLHF's remote reward models speak. `classify_text`
is `classify` for servers that take no messages there.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from pairsmith.errors import ModelError
from pairsmith.models.batching import Item

__all__ = ["DIALECTS", "Dialect", "numbered_entries"]

UNIT: Final = (0.0, 1.0)


class Dialect(NamedTuple):
    """One way to ask for rewards. `scale` is what its numbers are bounded by; `batched`: several in one request."""

    path: str
    batched: bool
    scale: tuple[float, float] | None
    ask: Callable[[Sequence[Item]], Mapping[str, Any]]
    read: Callable[[Mapping[str, Any], int], list[float]]


def _messages(items: Sequence[Item]) -> Mapping[str, Any]:
    [(prompt, candidate)] = items
    turns = (*prompt.messages, *candidate.completion)
    return {"messages": [{"role": turn.role, "content": turn.content} for turn in turns]}


def _plain(item: Item) -> tuple[str, str]:
    prompt, candidate = item
    return prompt.text, "\n\n".join(turn.content for turn in candidate.completion)


def _texts(items: Sequence[Item]) -> Mapping[str, Any]:
    return {"input": ["\n\n".join(_plain(item)) for item in items]}


def _pairs(items: Sequence[Item]) -> Mapping[str, Any]:
    """VLLM pairs text_1 and text_2 one to one if both are lists."""
    sides = [_plain(item) for item in items]
    return {"text_1": [prompt for prompt, _ in sides], "text_2": [response for _, response in sides]}


def _queries(items: Sequence[Item]) -> Mapping[str, Any]:
    sides = [_plain(item) for item in items]
    prompts = [prompt for prompt, _ in sides]
    return {"query": ["\n\n".join(each) for each in sides], "prompts": prompts, "labels": [""] * len(items)}


def _read_pooling(answer: Mapping[str, Any], n: int) -> list[float]:
    """One number each; of one number per token, the last: that is where a reward head is trained to speak."""
    values = []
    for entry in numbered_entries(answer, n):
        data = entry.get("data")
        last = data[-1] if isinstance(data, list) and data and isinstance(data[-1], list) else data
        if not isinstance(last, list) or len(last) != 1:
            size = len(last) if isinstance(last, list) else 0
            raise ModelError(f"{size} numbers for a response instead of one: this model gives no reward")
        values.append(_number(last[0]))
    return values


def _read_classes(answer: Mapping[str, Any], n: int) -> list[float]:
    """The probability of the only class, or of the second of two (by custom "good")."""
    values = []
    for entry in numbered_entries(answer, n):
        probabilities = entry.get("probs")
        if not isinstance(probabilities, list) or len(probabilities) not in (1, 2):
            raise ModelError("expected the probabilities of one or two classes")
        value = _number(probabilities[-1])
        if not 0.0 <= value <= 1.0:
            raise ModelError(f"{value} is no probability")
        values.append(value)
    return values


def _read_scores(answer: Mapping[str, Any], n: int) -> list[float]:
    return [_number(entry.get("score")) for entry in numbered_entries(answer, n)]


def _read_rewards(answer: Mapping[str, Any], n: int) -> list[float]:
    rewards = answer.get("rewards")
    if not isinstance(rewards, list) or len(rewards) != n:
        raise ModelError(f"expected {n} rewards")
    return [_number(reward[0] if isinstance(reward, list) and len(reward) == 1 else reward) for reward in rewards]


def numbered_entries(answer: Mapping[str, Any], n: int) -> list[Mapping[str, Any]]:
    """The entries of `data` in the order of their `index`, which is the order of the question.

    Raises:
        ModelError: there is not exactly one for each of `n`.
    """
    data = answer.get("data")
    if not isinstance(data, list) or not all(isinstance(entry, dict) for entry in data):
        raise ModelError("the answer has no list `data`")
    ordered = sorted(data, key=lambda entry: entry["index"] if type(entry.get("index")) is int else -1)
    if [entry.get("index") for entry in ordered] != list(range(n)):
        raise ModelError(f"expected one entry for each of {n} texts")
    return ordered


def _number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ModelError(f"{str(value)[:40]!r} is not a finite number")
    return float(value)


DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "pooling": Dialect("/pooling", False, None, _messages, _read_pooling),
        "classify": Dialect("/classify", False, UNIT, _messages, _read_classes),
        "classify_text": Dialect("/classify", True, UNIT, _texts, _read_classes),
        "score": Dialect("/score", True, None, _pairs, _read_scores),
        "openrlhf": Dialect("/get_reward", True, None, _queries, _read_rewards),
    }
)
"""All of them, in the order in which a server is tried."""
