"""Ask a model for JSON of one shape: read strictly, with one repair call, and then no answer rather than a guess."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pairsmith.errors import ModelError
from pairsmith.models.protocols import ChatModel, ChatRequest
from pairsmith.models.verdicts import storable
from pairsmith.records import Message

__all__ = ["StrictAnswer", "ask_strictly"]

Parsed = TypeVar("Parsed")


@dataclass(frozen=True, slots=True)
class StrictAnswer(Generic[Parsed]):
    """What was read, the text it was read from, and whether that took the repair call."""

    parsed: Parsed
    text: str
    repaired: bool


async def ask_strictly(
    model: ChatModel,
    messages: tuple[Message, ...],
    parse: Callable[[str], Parsed],
    *,
    repair: Callable[[ModelError], str],
    schema: Mapping[str, Any],
    max_tokens: int,
    seed: Callable[[int], int],
) -> StrictAnswer[Parsed]:
    """Ask at temperature 0; if `parse` refuses the answer, ask once more with what was wrong with it.

    Args:
        model: who is asked.
        messages: the question.
        parse: reads an answer, or raises `ModelError` saying what is wrong.
        repair: the second question, from what was wrong.
        schema: JSON schema of the answer.
        max_tokens: longest answer.
        seed: the seed of call 0 and of call 1.

    Raises:
        ModelError: neither answer could be read.
        ModelUnavailable: the model is down.
    """

    async def complete(turns: tuple[Message, ...], call: int) -> str:
        request = ChatRequest(
            messages=turns,
            temperature=0.0,
            top_p=1.0,
            max_tokens=max_tokens,
            seed=seed(call),
            json_schema=schema,
        )
        return storable((await model.complete(request)).text)

    answer = await complete(messages, 0)
    try:
        return StrictAnswer(parse(answer), answer, repaired=False)
    except ModelError as problem:
        turns = (*messages, Message("assistant", answer or "(nothing)"), Message("user", repair(problem)))
    answer = await complete(turns, 1)
    try:
        return StrictAnswer(parse(answer), answer, repaired=True)
    except ModelError as again:
        raise ModelError(f"asked twice: {again}") from None
