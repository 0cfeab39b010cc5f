"""The budget of `generate`: every request is admitted only if even its dearest outcome stays within all limits."""

import asyncio
import math
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pairsmith.config import BudgetConfig, PriceConfig
from pairsmith.ledger import Ledger
from pairsmith.records import Candidate, Message, Prompt
from pairsmith.stages.asking import Ask

__all__ = ["Bill", "Budget", "Spent", "lost_before", "most_spent", "prompt_at_most", "really_spent"]

_MILLION: Final = 1_000_000
_TEMPLATE_TOKENS: Final = 64
"""Tokens a chat template adds to a prompt at most: role marks, and a system prompt of its own."""
_TURN_TOKENS: Final = 16


@dataclass(frozen=True, slots=True)
class Spent:
    """Calls, tokens and cost of some requests together."""

    calls: int = 0
    tokens: int = 0
    cost: float = 0.0

    def __add__(self, other: "Spent") -> "Spent":
        return Spent(self.calls + other.calls, self.tokens + other.tokens, self.cost + other.cost)

    def __sub__(self, other: "Spent") -> "Spent":
        return Spent(self.calls - other.calls, self.tokens - other.tokens, self.cost - other.cost)


def most_spent(messages: tuple[Message, ...], max_tokens: int, price: PriceConfig | None) -> Spent:
    """What one request may come to: no tokenizer makes more tokens than there are bytes."""
    return _spent(prompt_at_most(messages), max_tokens, price)


def prompt_at_most(messages: tuple[Message, ...]) -> int:
    """The most tokens a prompt may have."""
    return _TEMPLATE_TOKENS + sum(_TURN_TOKENS + len(turn.content.encode("utf-8", "replace")) for turn in messages)


def really_spent(usage: Mapping[str, Any], error: str, most: Spent, price: PriceConfig | None) -> Spent:
    """What one answer came to; where the server does not count tokens, all that it may have come to.

    A refused request costs a call and nothing else. One that was given up is booked as lost attempts already.
    """
    if "completion_tokens" in usage and "prompt_tokens" in usage:
        return _spent(usage["prompt_tokens"], usage["completion_tokens"], price)
    if error and error != "empty":
        return Spent(calls=0 if "lost_calls" in usage else 1)
    return most


def lost_before(usage: Mapping[str, Any], price: PriceConfig | None) -> Spent:
    """What attempts without an answer came to before the one that is stored, as its `usage` says."""
    lost = _spent(usage.get("lost_prompt_tokens", 0), usage.get("lost_completion_tokens", 0), price)
    return Spent(usage.get("lost_calls", 0), lost.tokens, lost.cost)


def _spent(prompt: int, completion: int, price: PriceConfig | None) -> Spent:
    cost = (prompt * price.input + completion * price.output) / _MILLION if price else 0.0
    return Spent(1, prompt + completion, cost)


class Budget:
    """What was spent and what may still be; one for a whole run."""

    def __init__(
        self, limits: BudgetConfig, prices: Mapping[str, PriceConfig | None], spent: Spent | None = None
    ) -> None:
        """A budget of which `spent` is gone; `prices` by the models' names."""
        self._limits = limits
        self._prices = prices
        self._limited = any(value is not None for value in limits.model_dump().values())
        self._spent = spent or Spent()
        self._reserved = Spent()
        self._started = time.monotonic()
        self._seconds = 0.0
        self._calls = 0
        self._settled = asyncio.Condition()
        self.exhausted = ""
        """Which limit stopped the run, in words; empty as long as none did."""

    @classmethod
    def of(cls, limits: BudgetConfig, prices: Mapping[str, PriceConfig | None], ledger: Ledger) -> "Budget":
        """The budget of a project: what its candidates cost counts, whichever run drew them."""
        if all(value is None for value in (limits.max_calls, limits.max_tokens, limits.max_cost)):
            return cls(limits, prices)
        prompts = {prompt.id: prompt.messages for prompt in ledger.read(Prompt)}
        spent = Spent()
        for candidate in ledger.read(Candidate):
            if "seed" in candidate.params:  # drawn, not brought
                price = prices.get(candidate.model)
                most = most_spent(prompts.get(candidate.prompt_id, ()), candidate.params.get("max_tokens", 0), price)
                spent += really_spent(candidate.usage, candidate.error, most, price)
                spent += lost_before(candidate.usage, price)
        return cls(limits, prices, spent)

    async def admit(self, asks: Sequence[Ask]) -> bool:
        """Wait until requests are sure to stay within all limits, together; false if they never will.

        Whoever is admitted reports each by `settle`, whatever comes of it.
        """
        if not self._limited:
            return True
        most = sum((self._most(ask) for ask in asks), Spent())
        async with self._settled:
            return await self._reserve(most)

    async def lost(self, asks: Sequence[Ask], usage: Mapping[str, int]) -> bool:
        """An attempt gave no answer and may be charged: book `usage` if it says all, else the most.

        Returns:
            Whether there is room for another attempt, which the reservation then stands for.
        """
        if not self._limited:
            return True
        most = sum((self._most(ask) for ask in asks), Spent())
        gone = really_spent(usage, "", most, self._prices.get(asks[0].model))
        async with self._settled:
            self._spent += Spent(len(asks), gone.tokens, gone.cost)
            self._reserved -= most
            room = await self._reserve(most)
            if not room:
                self._reserved += most  # until `settle`; nobody else is admitted any more
        return room

    async def _reserve(self, most: Spent) -> bool:
        while True:
            if self.exhausted:
                return False
            crossed = self._crossed(self._spent + self._reserved + most)
            if not crossed:
                self._reserved += most
                return True
            if not self._reserved.calls or self._crossed(self._spent + most):
                self.exhausted = crossed
                self._settled.notify_all()
                return False
            await self._settled.wait()  # what is under way may come out cheaper than it could

    def admit_now(self, ask: Ask, *, anyway: bool = False) -> bool:
        """Like `admit`, but without waiting for what is under way; `anyway` for what is handed in already."""
        if not self._limited:
            return True
        most = self._most(ask)
        crossed = self._crossed(self._spent + self._reserved + most)
        if crossed and not anyway:
            self.exhausted = crossed
            return False
        self._reserved += most
        return True

    async def settle(self, ask: Ask, candidate: Candidate | None, seconds: float = 0.0) -> None:
        """The request is over; without a candidate it came to nothing."""
        if not self._limited:
            return
        most = self._most(ask)
        async with self._settled:
            self._reserved -= most
            if candidate is not None:
                self._spent += really_spent(candidate.usage, candidate.error, most, self._prices.get(ask.model))
                self._calls += 1
                self._seconds += seconds
            self._settled.notify_all()

    def _most(self, ask: Ask) -> Spent:
        request = ask.request()
        return most_spent(request.messages, request.max_tokens, self._prices.get(ask.model))

    def _crossed(self, total: Spent) -> str:
        """The limit that this total would cross, in words; empty if none."""
        limits = self._limits
        for name, limit, value in (
            ("max_calls", limits.max_calls, total.calls),
            ("max_tokens", limits.max_tokens, total.tokens),
            ("max_cost", limits.max_cost, total.cost),
        ):
            if limit is not None and value > limit and not math.isclose(value, limit, rel_tol=1e-12):
                spent = _plain(getattr(self._spent, name.removeprefix("max_")))
                return f"generate.budget.{name} is {_plain(limit)}, {spent} are spent, and one more call could cross it"
        if limits.max_minutes is not None:
            elapsed = time.monotonic() - self._started
            mean = self._seconds / self._calls if self._calls else 0.0
            if elapsed + mean > limits.max_minutes * 60:
                return f"generate.budget.max_minutes is {limits.max_minutes:g}, and {elapsed / 60:.2f} have passed"
        return ""


class Bill:
    """What attempts without an answer came to, before an answer came or did not."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._prompt = self._completion = self._calls = 0

    def of(self, asks: Sequence[Ask]) -> Callable[[Mapping[str, int]], Awaitable[bool]]:
        """What a request for these answers tells of an attempt that may be charged; false: the budget is used up."""

        async def lost(usage: Mapping[str, int]) -> bool:
            known = "prompt_tokens" in usage and "completion_tokens" in usage
            requests = [ask.request() for ask in asks]
            self._calls += len(asks)
            self._prompt += usage["prompt_tokens"] if known else sum(prompt_at_most(each.messages) for each in requests)
            self._completion += usage["completion_tokens"] if known else sum(each.max_tokens for each in requests)
            return await self._budget.lost(asks, usage)

        return lost

    def usage(self) -> dict[str, int]:
        """What is stored with the candidate; nothing if its first attempt was answered."""
        if not self._calls:
            return {}
        return {
            "lost_calls": self._calls,
            "lost_prompt_tokens": self._prompt,
            "lost_completion_tokens": self._completion,
        }


def _plain(value: float) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
