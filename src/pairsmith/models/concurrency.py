"""How many requests one server should have at once: the knee, where throughput stops growing and only waiting does.

By Little's law the throughput of a round is its requests in flight times the work they got done per second of waiting.
As in BBR's start-up (Cardwell et al., "BBR: Congestion-Based Congestion Control", ACM Queue 14(5), 2016) the number
doubles as long as throughput grows with it. Then it stays, and is tried a little higher now and then. A server that
is overloaded gets less, as with AIMD, but only if that does not cost throughput: failures that come whatever we do
are no reason to be slow. What is asked never depends on any of this, only when.
"""

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Gate", "Knee", "Place"]

START: Final = 4
"""Requests in flight at the beginning of a search."""
_ROUND: Final = 24
"""Answers that a round takes at least: fewer tell too little."""
_GROWS: Final = 1.1
"""By this factor throughput must grow to justify a higher number."""
_HIGHER: Final = 1.25
_LOWER: Final = 0.7
_HARMLESS: Final = 0.85
"""With `_LOWER` times the requests, this share of the throughput must be left to justify the lower number."""
_OVERLOADED: Final = 0.05
"""The share of busy signals and timeouts from which on a server counts as overloaded."""
_HOPELESS: Final = 8
"""This many times as many refusals as answers wanted also end a round."""
_PATIENCE: Final = 6
"""Rounds between two trials."""


@dataclass(slots=True)
class _Round:
    """What came back of the requests that began after `began`; until one did that began after `changed`, unknown."""

    changed: float
    began: float | None = None
    good: int = 0
    busy: int = 0
    work: float = 0.0
    waited: float = 0.0

    @property
    def answers(self) -> int:
        return self.good + self.busy

    @property
    def overloaded(self) -> bool:
        return self.busy > _OVERLOADED * self.answers


@dataclass(frozen=True, slots=True)
class _Trial:
    """Another number is tried instead of `limit`, of which `before` is the throughput; by the clock, or by waiting."""

    higher: bool
    limit: int
    before: float
    by_clock: bool


class Knee:
    """Finds the number. It knows neither requests nor clocks: it is told what came back, and when."""

    def __init__(self, most: int, *, search: bool, now: float = 0.0) -> None:
        """At most `most` at once; with `search` from a few upwards, else from `most` downwards."""
        self.limit = min(START, most) if search else most
        self.most = most
        self._growing = search
        self._round = _Round(now)
        self._trial: _Trial | None = None
        self._rested = _PATIENCE
        self._go_higher = False
        self._below: tuple[int, float] | None = None

    def observe(self, started: float, ended: float, work: float, *, busy: bool, saturated: bool) -> None:
        """One request is over.

        Args:
            started: when it was sent, in seconds.
            ended: when its answer was there.
            work: what it got done, in tokens or in answers; 0 for a failure.
            busy: the server refused it as too much, or did not answer in time.
            saturated: as many as allowed were in flight; else nothing can be learned about more.
        """
        current = self._round
        if started < current.changed or not (work or busy):
            return
        if not saturated and not busy:
            self._round = _Round(ended)
            return
        if current.began is None:  # from here on the server has felt the change
            current.began = ended
        if started < current.began and not busy:
            return
        current.good += not busy
        current.busy += busy
        current.work += work
        current.waited += ended - started
        if self._complete(current):
            self._decide(current, ended - current.began)

    def _complete(self, current: _Round) -> bool:
        """Whether a round tells enough. Refusals come fast, so an overloaded server is judged by what it answers."""
        size = max(_ROUND, self.limit)
        if current.overloaded:
            return current.good >= 2 * size or current.busy >= _HOPELESS * size
        return current.answers >= (size if self._growing else 2 * size)

    def _decide(self, done: _Round, seconds: float) -> None:
        """A round is complete: change the number, or leave it."""
        speed = self.limit * done.work / done.waited if done.waited else 0.0
        rate = done.work / seconds if seconds else 0.0
        self._rested += 1
        if self._trial is not None:
            self._judge(self._trial, rate if self._trial.by_clock else speed)
        elif done.overloaded:
            self._growing = False
            if self._rested > _PATIENCE:
                self._try(rate, higher=self._go_higher, by_clock=True)
        elif self._growing:
            self._grow(speed)
        elif self._rested > _PATIENCE and self.limit < self.most:
            self._try(speed, higher=True, by_clock=False)
        self._round = _Round((done.began or 0.0) + seconds)

    def _grow(self, speed: float) -> None:
        """Double, or stop at the number that gives this throughput without waiting in line."""
        if self._below is not None and speed < _GROWS * self._below[1]:
            below, before = self._below
            self._settle(min(max(round(below * speed / before), below // 2, 1), self.limit))
        elif self.limit == self.most:
            self._settle(self.limit)
        else:
            self._below = (self.limit, speed)
            self.limit = min(2 * self.limit, self.most)

    def _settle(self, limit: int) -> None:
        self.limit, self._growing, self._rested = limit, False, 0

    def _try(self, before: float, *, higher: bool, by_clock: bool) -> None:
        """Another number for one round, unless there is none."""
        limit = self.limit
        if higher:
            self.limit = min(max(round(limit * _HIGHER), limit + 1), self.most)
        else:
            self.limit = max(int(limit * _LOWER), 1)
        self._go_higher = not higher
        self._trial = _Trial(higher, limit, before, by_clock) if self.limit != limit else None

    def _judge(self, trial: _Trial, after: float) -> None:
        """Keep what was tried and go on in the same direction soon, or go back and rest."""
        self._trial = None
        if after >= (_GROWS if trial.higher else _HARMLESS) * trial.before:
            self._go_higher = trial.higher
            self._rested = _PATIENCE
        else:
            self.limit = trial.limit
            self._rested = _PATIENCE - 2 if trial.by_clock else 0


class Place:
    """A place in flight. A request keeps it while waiting to be repeated: a server in trouble gets no other."""

    __slots__ = ("_began", "_gate")

    def __init__(self, gate: "Gate") -> None:
        self._gate = gate
        self._began = 0.0

    def begin(self) -> None:
        """The request is sent now.

        Raises:
            asyncio.CancelledError: the gate was shut; what was not sent yet is not sent any more.
        """
        self._began = self._gate.begin()

    def end(self, work: float = 0.0, *, overload: bool = False) -> None:
        """The answer is there, and how much work it took; or none is, perhaps as the server has too much to do."""
        self._gate.observe(self._began, work, overload=overload)


class Gate:
    """Lets as many requests through to one server as its `Knee` says; the others wait in line."""

    def __init__(self, most: int, *, search: bool = False, clock: Callable[[], float] = time.monotonic) -> None:
        """A gate for at most `most` requests at once. See `Knee`."""
        self.most = most
        self._knee = Knee(most, search=search, now=clock())
        self._clock = clock
        self._in_flight = 0
        self._highest = 0
        self._line: deque[asyncio.Future[None]] = deque()
        self._shut = False

    @property
    def limit(self) -> int:
        """Requests that may be in flight now."""
        return self._knee.limit

    @property
    def load(self) -> int:
        """Requests in flight or waiting."""
        return self._in_flight + len(self._line)

    @asynccontextmanager
    async def place(self) -> AsyncIterator["Place"]:
        """Wait for a place, and give it back afterwards.

        Raises:
            asyncio.CancelledError: the gate is shut; what was not sent yet is not sent any more.
        """
        await self._enter()
        try:
            yield Place(self)
        finally:
            self._in_flight -= 1
            self._let_in()

    def begin(self) -> float:
        """The time; nothing begins behind a shut gate."""
        if self._shut:
            raise asyncio.CancelledError
        return self._clock()

    def observe(self, began: float, work: float, *, overload: bool) -> None:
        """See `Knee.observe`."""
        saturated = self._in_flight >= self._knee.limit
        self._knee.observe(began, self._clock(), work, busy=overload, saturated=saturated)
        self._let_in()

    def shut(self) -> None:
        """Send nothing any more; what is in flight comes back as it will."""
        self._shut = True
        while self._line:
            self._line.popleft().cancel()

    def describe(self) -> dict[str, Any]:
        """The number found, and the most that were in flight at once."""
        return {"concurrency": self._knee.limit, "most_in_flight": self._highest}

    async def _enter(self) -> None:
        if self._in_flight >= self._knee.limit or self._line:
            turn = asyncio.get_running_loop().create_future()
            self._line.append(turn)
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():  # the place came together with the end: pass it on
                    self._in_flight -= 1
                    self._let_in()
                raise
        else:
            self._in_flight += 1
        self._highest = max(self._highest, self._in_flight)

    def _let_in(self) -> None:
        while self._line and self._in_flight < self._knee.limit:
            turn = self._line.popleft()
            if not turn.done():
                self._in_flight += 1
                turn.set_result(None)
