"""Finding out, while answers are still awaited, of which prompts nothing more will be asked."""

import asyncio
import time
from collections import deque
from collections.abc import Sequence, Set
from dataclasses import dataclass, field
from typing import Final

from pairsmith.config import GenerateConfig
from pairsmith.records import Candidate, Prompt
from pairsmith.stages.asking import Ask
from pairsmith.stages.strategies import follow_ups, follows_from_planned

__all__ = ["Watch"]

_MOST_OPEN: Final = 2000
"""Prompts whose candidates are kept until all have come."""
_PAUSE_S: Final = 0.02
_WHILE_S: Final = 0.002
"""Looking at them takes this of every pause: at most about a tenth of the time."""


@dataclass(slots=True)
class Watch:
    """Finds the prompts of which nothing more will be asked, soon after their last answer, while others are awaited.

    It looks at a few at a time: answers tend to come together, and who asks next must not wait for it. `done` are the
    prompts found, `whole` those to be looked at. What is not seen as a whole is left to the end of the run: `aside` are
    prompts of which a part was there before, and those that came while too many were open.
    """

    cfg: GenerateConfig
    seed: int
    aside: set[str]
    done: set[str] = field(default_factory=set)
    open: dict[str, tuple[Prompt, Sequence[Ask], dict[str, Candidate]]] = field(default_factory=dict)
    whole: deque[str] = field(default_factory=deque)
    timer: asyncio.TimerHandle | None = None

    def expect(self, prompt: Prompt, asks: Sequence[Ask]) -> None:
        """Answers to some or all of `asks`, the planned ones of a prompt, are going to come."""
        if prompt.id in self.open or prompt.id in self.aside:
            return
        if len(self.open) < _MOST_OPEN and follows_from_planned(self.cfg):
            self.open[prompt.id] = (prompt, asks, {})
        else:
            self.aside.add(prompt.id)

    def drawn(self, candidate: Candidate) -> None:
        """Take note of a candidate."""
        if candidate.prompt_id not in self.open:
            return
        prompt, asks, there = self.open[candidate.prompt_id]
        there[candidate.id] = candidate
        if len(there) == len(asks):
            self.whole.append(prompt.id)
            self._look_soon()

    def all_done(self) -> Set[str]:
        """The ids of the prompts found, once nothing more will come."""
        if self.timer is not None:
            self.timer.cancel()
        while self.whole:
            self._look()
        return self.done

    def _look_soon(self) -> None:
        if self.timer is None and self.whole:
            self.timer = asyncio.get_running_loop().call_later(_PAUSE_S, self._look_a_while)

    def _look_a_while(self) -> None:
        self.timer = None
        until = time.perf_counter() + _WHILE_S
        while self.whole and time.perf_counter() < until:
            self._look()
        self._look_soon()

    def _look(self) -> None:
        prompt, asks, there = self.open.pop(self.whole.popleft())
        if not follow_ups(self.cfg, prompt, asks, there, seed=self.seed):
            self.done.add(prompt.id)
