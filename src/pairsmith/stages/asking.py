"""One answer to ask a model for, and the ways to ask: spoilt prompts, guidelines kept and broken, edits.

The wordings below are part of what is asked: they are hashed into the ids of candidates, so changing one asks anew.
"""

import random
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from pairsmith.ids import seed_for
from pairsmith.models.protocols import ChatRequest
from pairsmith.records import Candidate, Message, Origin, Prompt

__all__ = ["EDIT_INSTRUCTION", "Ask", "corrupted", "guideline_system"]

STAGE: Final = "generate"

EDIT_INSTRUCTION: Final = (
    "Improve your last answer. Correct what is wrong, add what is missing, and leave everything that is good as it "
    "stands, word for word. Reply with the whole improved answer and nothing else."
)
_FOLLOW: Final = "Follow this guideline to the letter, without mentioning it:\n{guideline}"
_VIOLATE: Final = (
    "Answer as someone would who does the opposite of this guideline, in a natural way and without mentioning it:\n"
    "{guideline}"
)

_HOTTEST: Final = 2.0
_KEPT_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Ask:
    """One answer to ask for. `params` holds all that is asked beside the prompt; `source` is the response to edit."""

    id: str
    prompt: Prompt
    model: str
    number: int
    params: Mapping[str, Any]
    origin: Origin = "model"
    source: Candidate | None = None

    @classmethod
    def of(
        cls,
        prompt: Prompt,
        model: str,
        number: int,
        params: Mapping[str, Any],
        *,
        origin: Origin = "model",
        source: Candidate | None = None,
    ) -> "Ask":
        """The question with the id that what is asked gives it."""
        return cls(
            Candidate.asked_id(prompt.id, model, params, number, origin), prompt, model, number, params, origin, source
        )

    def request(self, lost: Callable[[Mapping[str, int]], Awaitable[bool]] | None = None) -> ChatRequest:
        """What the model is sent; `lost` as in `ChatRequest`."""
        settings = {key: self.params[key] for key in ("temperature", "top_p", "max_tokens", "seed")}
        return ChatRequest(self._messages(), **settings, lost=lost)

    def candidate(self, **outcome: Any) -> Candidate:
        """The fact that the question with this id came out like this."""
        return Candidate(
            self.id,
            self.prompt.id,
            model=self.model,
            params=self.params,
            sample=self.number,
            origin=self.origin,
            **outcome,
        )

    def again(self, attempt: int, hotter: float, seed: int) -> "Ask":
        """The same at a higher temperature, because the answer repeated another one."""
        temperature = max(self.params["temperature"], min(self.params["temperature"] + hotter, _HOTTEST))
        params = {
            **self.params,
            "temperature": temperature,
            "instead_of": self.id,
            "seed": seed_for(seed, STAGE, self.id, attempt),
        }
        return Ask.of(self.prompt, self.model, self.number, params, origin=self.origin, source=self.source)

    def _messages(self) -> tuple[Message, ...]:
        messages = list(self.prompt.messages)
        if "asked" in self.params:
            messages[_last_user_turn(self.prompt)] = Message("user", self.params["asked"])
        if "system" in self.params:
            own = next((index for index, turn in enumerate(messages) if turn.role == "system"), None)
            if own is None:
                messages.insert(0, Message("system", self.params["system"]))
            else:
                messages[own] = Message("system", f"{messages[own].content}\n\n{self.params['system']}")
        if self.source is not None:
            messages += [*self.source.completion, Message("user", self.params["instruction"])]
        return tuple(messages)


def guideline_system(guideline: str, side: Literal["follow", "violate"]) -> str:
    """The system prompt that makes a model follow or violate a guideline."""
    return (_FOLLOW if side == "follow" else _VIOLATE).format(guideline=guideline.strip())


def corrupted(prompt: Prompt, kind: str, seed: int) -> str:
    """The last question of a prompt, spoilt; empty if it is too short to be spoilt.

    `truncate` keeps the first half of the words, `drop_words` a random half in their order, `shuffle_words` all of
    them in random order. A prompt without a question by the user cannot be spoilt.
    """
    turn = _last_user_turn(prompt)
    text = prompt.messages[turn].content if turn >= 0 else ""
    tokens = text.split()
    keep = max(int(len(tokens) * _KEPT_SHARE), 1)
    rng = random.Random(seed)
    if kind == "truncate":
        spoilt = tokens[:keep]
    elif kind == "drop_words":
        spoilt = [tokens[index] for index in sorted(rng.sample(range(len(tokens)), keep))] if tokens else []
    else:
        spoilt = rng.sample(tokens, len(tokens))
    return "" if spoilt == tokens else " ".join(spoilt)


def _last_user_turn(prompt: Prompt) -> int:
    """The position of the user's last turn, -1 if there is none."""
    return max((index for index, turn in enumerate(prompt.messages) if turn.role == "user"), default=-1)
