"""The OpenAI chat protocol as bytes: what is sent, and what an answer must look like to be believed."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pairsmith.models.protocols import ChatRequest

__all__ = ["Answer", "Answers", "chat_payload", "first_token_logprobs", "parse_answer", "parse_answers", "usage_of"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The parts of an answer that are kept; `model` and `fingerprint` are empty where the server says nothing."""

    text: str
    finish_reason: str
    usage: Mapping[str, int]
    model: str
    fingerprint: str
    first_token: Mapping[str, float]


def chat_payload(request: ChatRequest) -> dict[str, Any]:
    """The body of a request, all but the name of the model."""
    payload: dict[str, Any] = {
        "messages": [{"role": turn.role, "content": turn.content} for turn in request.messages],
        "temperature": request.temperature,
        "top_p": request.top_p,
        "max_tokens": request.max_tokens,
        "seed": request.seed,
    }
    if request.top_logprobs:
        payload |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    if request.json_schema is not None:
        schema = {"name": "answer", "strict": True, "schema": dict(request.json_schema)}
        payload["response_format"] = {"type": "json_schema", "json_schema": schema}
    return payload


@dataclass(frozen=True, slots=True)
class Answers:
    """All answers to one request, by their index; `None` where one is missing or no use. `usage` is of all together."""

    each: Sequence[Answer | None]
    usage: Mapping[str, int]


def parse_answer(raw: bytes) -> Answer | str:
    """The answer, or what is wrong with it.

    A filtered answer may come without content; it is an answer with an empty text.
    """
    whole = _object(raw)
    if isinstance(whole, str):
        return whole
    choices = whole.get("choices")
    return _answer(choices[0] if isinstance(choices, list) and choices else None, whole)


def parse_answers(raw: bytes, wanted: int) -> Answers | str:
    """The answers to a request for several, or what is wrong with all of them. Choices may come in any order."""
    whole = _object(raw)
    if isinstance(whole, str):
        return whole
    choices = whole.get("choices")
    by_index: dict[int, Answer] = {}
    problem = "the answer has no choices[0].message"
    for place, choice in enumerate(choices if isinstance(choices, list) else []):
        read = _answer(choice, whole)
        if isinstance(read, str):
            problem = read
            continue
        index = choice.get("index")
        by_index.setdefault(index if type(index) is int else place, read)
    each = [by_index.get(index) for index in range(wanted)]
    return Answers(each, _token_counts(whole.get("usage"))) if any(each) else problem


def usage_of(raw: bytes) -> dict[str, int]:
    """What an answer, even one that is no use, says it cost; nothing if it does not say."""
    whole = _object(raw)
    return {} if isinstance(whole, str) else _token_counts(whole.get("usage"))


def _object(raw: bytes) -> dict[str, Any] | str:
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        return "the answer is not JSON" if raw.strip() else "the answer is empty"
    return whole if isinstance(whole, dict) else "the answer is not a JSON object"


def _answer(choice: Any, whole: Mapping[str, Any]) -> Answer | str:
    message = choice.get("message") if isinstance(choice, dict) else None
    if not isinstance(choice, dict) or not isinstance(message, dict):
        return "the answer has no choices[0].message"
    finish_reason = choice.get("finish_reason") or ""
    content = message.get("content")
    if content is None and finish_reason == "content_filter":
        content = ""
    if not isinstance(content, str) or not isinstance(finish_reason, str):
        return "the answer's content is not a text"
    return Answer(
        text=content,
        finish_reason=finish_reason,
        usage=_token_counts(whole.get("usage")),
        model=_name(whole.get("model")),
        fingerprint=_name(whole.get("system_fingerprint")),
        first_token=first_token_logprobs(choice),
    )


def first_token_logprobs(choice: Mapping[str, Any]) -> dict[str, float]:
    """Log-probabilities of the likeliest first tokens of a choice; empty where the server does not tell them."""
    told = choice.get("logprobs")
    content = told.get("content") if isinstance(told, dict) else None
    first = content[0] if isinstance(content, list) and content else None
    top = first.get("top_logprobs") if isinstance(first, dict) else None
    entries = [entry for entry in top if isinstance(entry, dict)] if isinstance(top, list) else []
    return {
        entry["token"]: float(entry["logprob"])
        for entry in entries
        if isinstance(entry.get("token"), str)
        and isinstance(entry.get("logprob"), int | float)
        and math.isfinite(entry["logprob"])
    }


def _token_counts(usage: Any) -> dict[str, int]:
    """The counts a server reports; what is not a whole number of tokens is left out."""
    if not isinstance(usage, dict):
        return {}
    wanted = ("prompt_tokens", "completion_tokens")
    return {key: usage[key] for key in wanted if type(usage.get(key)) is int and usage[key] >= 0}


def _name(value: Any) -> str:
    """A name the server gives, or nothing if it is none."""
    return value if isinstance(value, str) and value.isprintable() else ""
