"""What the fake server says as a reward server: the longer a response, the better, in every dialect."""

import math
from collections.abc import Mapping
from typing import Any, Final

__all__ = ["REWARD_PATHS", "fake_reward", "fake_rewards"]

REWARD_PATHS: Final = ("pooling", "classify", "score", "get_reward")
_UNIT: Final = 100.0


def fake_reward(text: str) -> float:
    """The reward of a text: a hundredth of its length."""
    return len(text) / _UNIT


def fake_rewards(path: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to a request for rewards.

    Raises:
        KeyError: what this address needs is not there.
    """
    if path == "get_reward":
        sides = zip(body["query"], body["prompts"], strict=True)
        rewards = [fake_reward(text.removeprefix(f"{prompt}\n\n")) for text, prompt in sides]
        return {"rewards": rewards, "scores": rewards}
    if path == "score":
        entries: list[dict[str, Any]] = [{"score": fake_reward(text)} for text in body["text_2"]]
    elif path == "classify":
        texts = body["input"] if "input" in body else [body["messages"][-1]["content"]]
        entries = [{"probs": [1 / (1 + math.exp(-fake_reward(text)))], "num_classes": 1} for text in texts]
    else:
        last = fake_reward(body["messages"][-1]["content"])
        entries = [{"object": "pooling", "data": [[0.0], [last / 2], [last]]}]
    # out of order on purpose: `index` says which is which
    numbered = [{"index": number, **entry} for number, entry in enumerate(entries)][::-1]
    return {"id": "fake", "object": "list", "model": body["model"], "data": numbered}
