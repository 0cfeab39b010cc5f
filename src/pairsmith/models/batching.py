"""Single questions gathered into batches of similar length, for scorers that are faster that way."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

from pairsmith.errors import ModelError, ModelUnavailable
from pairsmith.records import Candidate, Prompt

__all__ = ["Batcher", "Item", "by_length"]

Item = tuple[Prompt, Candidate]
Waiting = tuple[Item, "asyncio.Future[float]"]
ScoreMany = Callable[[Sequence[Item]], Awaitable[Sequence[float]]]

_WAIT_S: Final = 0.005  # long enough for the other workers to put their questions, too short to be felt


def by_length(items: Sequence[Item], size: int) -> list[list[int]]:
    """The positions of the items in batches of `size` of similar length: padding costs as much as text."""
    order = sorted(range(len(items)), key=lambda at: len(items[at][0].text) + len(items[at][1].text))
    return [order[start : start + size] for start in range(0, len(order), size)]


class Batcher:
    """Collects what is asked at about the same time, and asks for it in batches of at most `size`."""

    def __init__(self, score_many: ScoreMany, size: int) -> None:
        self._score_many = score_many
        self._size = size
        self._waiting: list[Waiting] = []
        self._running: set[asyncio.Task[None]] = set()

    async def score(self, prompt: Prompt, candidate: Candidate) -> float:
        """The score of one response.

        Raises:
            ModelError: there is none for this response.
            ModelUnavailable: the scorer is down.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[float] = loop.create_future()
        self._waiting.append(((prompt, candidate), future))
        if len(self._waiting) == 1:
            loop.call_later(_WAIT_S, self._flush)
        return await future

    def _flush(self) -> None:
        waiting, self._waiting = self._waiting, []
        for positions in by_length([item for item, _ in waiting], self._size):
            task = asyncio.ensure_future(self._run([waiting[at] for at in positions]))
            self._running.add(task)
            task.add_done_callback(self._running.discard)

    async def _run(self, batch: Sequence[Waiting]) -> None:
        try:
            values = await self._score_many([item for item, _ in batch])
            if len(values) != len(batch):
                raise ModelError(f"{len(values)} scores for {len(batch)} responses")
        except ModelError as error:
            if len(batch) == 1 or isinstance(error, ModelUnavailable):
                _fail(batch, error)
                return
            for each in batch:  # one text that cannot be scored must not cost its neighbours theirs
                await self._run([each])
        except Exception as error:  # whoever waits must hear of it
            _fail(batch, error)
        else:
            for (_, future), value in zip(batch, values, strict=True):
                if not future.done():
                    future.set_result(value)


def _fail(batch: Sequence[Waiting], error: Exception) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
