"""Chat models whose answers are scripted: fakes that are named fakes, for tests of judges."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from pairsmith.models.protocols import ChatRequest, Completion
from pairsmith.records import Candidate, Check, Comparison, Message, Prompt

CRITERIA = ("helpfulness", "harmlessness", "honesty")


def verdict(choice: str, rationale: str = "because", **criteria: str) -> str:
    """The JSON a well-behaved judge answers."""
    return json.dumps({"rationale": rationale, **dict.fromkeys(CRITERIA, choice), **criteria, "verdict": choice})


class ScriptedChat:
    """Answers with what `script` makes of the request; counts and keeps every request."""

    name = "scripted"
    slots = 4
    shares_prompt = False

    def __init__(self, script: Callable[[ChatRequest], str]) -> None:
        self.script = script
        self.requests: list[ChatRequest] = []

    async def complete(self, request: ChatRequest) -> Completion:
        self.requests.append(request)
        return Completion(self.script(request), "stop")

    async def close(self) -> None:
        pass


def shown(request: ChatRequest) -> list[Any]:
    """The blocks of data a judge was given, decoded: conversation, first response, second response."""
    blocks = re.findall(r"--- [a-z ]+ (\w+) begins ---\n(.*)\n--- [a-z ]+ \1 ends ---", request.messages[1].content)
    return [json.loads(text) for _, text in blocks]


def prefers_the_longer(request: ChatRequest) -> str:
    """A consistent judge."""
    _, first, second = shown(request)
    return verdict("tie" if len(first) == len(second) else "first" if len(first) > len(second) else "second")


def prefers_the_first_shown(request: ChatRequest) -> str:
    """A position detector."""
    return verdict("first")


def asked(
    *texts: str, prompt: str = "Why is the sky blue?", checks: tuple[tuple[str, Mapping[str, Any]], ...] = ()
) -> tuple[Prompt, Comparison, Candidate, Candidate]:
    """A prompt, its candidates, and the comparison of the first two."""
    question = Prompt.of([Message("user", prompt)], checks=tuple(Check(kind, args) for kind, args in checks))
    candidates = [
        Candidate(Candidate.asked_id(question.id, "m", {}, sample), question.id, text, model="m", sample=sample)
        for sample, text in enumerate(texts)
    ]
    comparison = Comparison.of(candidates[0], candidates[1])
    by_id = {candidate.id: candidate for candidate in candidates}
    return question, comparison, by_id[comparison.a], by_id[comparison.b]
