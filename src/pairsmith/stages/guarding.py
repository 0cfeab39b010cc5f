"""When a judge is asked on: decided at fixed points in the order of the comparisons, never by which answer came first.

Stopping after whatever happened to be answered would store other votes in every run. So the comparisons of a judge are
cut into blocks, and at the end of each block its record over *all* comparisons up to there decides. Two runs over the
same comparisons, one of them killed and continued, ask exactly the same ones.
"""

import asyncio
from bisect import bisect_right
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate
from typing import Any, Final

from pairsmith.measures.judge_audit import MIN_SWAPS, canary_fooled, surely_detects_position

__all__ = ["LARGEST_BLOCK", "Guard", "block_ends"]

LARGEST_BLOCK: Final = 320
"""Blocks double from `MIN_SWAPS` to this, so that few requests wait for the last one of a block."""


def block_ends(count: int) -> Sequence[int]:
    """Where blocks end, up to the first end at or after `count`.

    >>> block_ends(700)
    (20, 40, 80, 160, 320, 640, 960)
    """
    ends = []
    for end in accumulate(_sizes()):
        ends.append(end)
        if end >= count:
            return tuple(ends)
    raise AssertionError("the sizes never end")


def _sizes() -> Iterator[int]:
    yield MIN_SWAPS
    size = MIN_SWAPS
    while True:
        yield size
        size = min(2 * size, LARGEST_BLOCK)


@dataclass(slots=True)
class Guard:
    """The record of one judge over the comparisons it is wanted for, in their order.

    `count` is how many there are. The first block ends before the second begins; later on, a block begins when the
    one before the last is done and speaks for the judge.
    """

    count: int
    _known: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    _ends: Sequence[int] = ()
    _done: int = 0
    _swaps: int = 0
    _agreeing: int = 0
    _fooled: bool = False
    _stopped_at: int | None = None
    _closed: bool = False
    _moved: asyncio.Event = field(default_factory=asyncio.Event)

    def __post_init__(self) -> None:
        self._ends = block_ends(self.count)

    @property
    def stopped(self) -> bool:
        """Whether the judge failed at the end of a block."""
        return self._stopped_at is not None

    def put(self, place: int, criteria: Mapping[str, Any]) -> None:
        """What came of the comparison at `place`: the `criteria` of the vote, empty if there was none."""
        self._known[place] = criteria
        before = self._done
        while self._done in self._known and not self.stopped:
            self._take(self._known.pop(self._done))
        if self._done != before or self.stopped:
            self._wake()

    async def may_ask(self, place: int) -> bool:
        """Whether the comparison at `place` is to be asked; waits until that can be said."""
        block = bisect_right(self._ends, place)
        needed = 0 if block == 0 else self._ends[0] if block <= 2 else self._ends[block - 2]
        while not (self._closed or self.stopped) and self._done < needed:
            await self._moved.wait()
        if self._closed:
            return False
        return self._stopped_at is None or place < self._stopped_at

    def close(self) -> None:
        """Let nobody wait any longer: the run is over."""
        self._closed = True
        self._wake()

    def _take(self, criteria: Mapping[str, Any]) -> None:
        if isinstance(criteria.get("swap_consistent"), bool):
            self._swaps += 1
            self._agreeing += criteria["swap_consistent"]
        canary = criteria.get("canary")
        self._fooled |= isinstance(canary, Mapping) and canary_fooled(canary)
        self._done += 1
        if self._done in self._ends and (self._fooled or surely_detects_position(self._agreeing, self._swaps)):
            block = self._ends.index(self._done)
            self._stopped_at = self._done if block == 0 or self._done >= self.count else self._ends[block + 1]

    def _wake(self) -> None:
        moved, self._moved = self._moved, asyncio.Event()
        moved.set()
