"""Group commit: a thread that writes what has piled up, so that facts that trickle in share the cost of the disk."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import dataclass

from pairsmith.records import Fact

__all__ = ["PACE_S", "Appended", "Committer"]

PACE_S = 0.1
"""Facts wait this long for others to share their commit, in seconds; the first after a pause does not wait."""


@dataclass(frozen=True, slots=True)
class Appended:
    """What became of the facts given to `append`: new ones, ones that were there, and ids whose content differs."""

    new: int = 0
    present: int = 0
    conflicts: tuple[str, ...] = ()


class Committer:
    """A writer thread that commits whatever has piled up since its last commit, at most every `PACE_S`.

    A commit costs as much as many facts do, so facts that trickle in share one. Who cannot go on without being sure
    says so by `hurry`.
    """

    def __init__(self, append: Callable[[Iterable[Fact]], Appended]) -> None:
        self._append = append
        self._queue: queue.SimpleQueue[tuple[tuple[Fact, ...], Future[Appended]] | None] = queue.SimpleQueue()
        self._failure: BaseException | None = None
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, name="ledger-committer", daemon=True)
        self._thread.start()

    def add(self, *facts: Fact) -> "Future[Appended]":
        """Hand in facts; the future is done when they are on disk. Raises what stopped the writer, if anything did."""
        if self._failure is not None:
            raise self._failure
        future: Future[Appended] = Future()
        future.set_running_or_notify_cancel()  # from here on nobody can cancel it under the writer's hands
        self._queue.put((facts, future))
        return future

    def hurry(self) -> None:
        """Somebody waits for what was handed in."""
        self._hurry.set()

    async def durable(self, future: "Future[Appended] | None") -> None:
        """Wait until facts are on disk. Raises what stopped the writer, if anything did."""
        if future is None:
            return
        if not future.done():
            self.hurry()
            # Shielded: a future cancelled under the writer's hands would stop the writer.
            await asyncio.shield(asyncio.wrap_future(future))
        future.result()

    def close(self) -> None:
        """Commit the rest and stop. Raises what stopped the writer, if anything did."""
        self._queue.put(None)
        self.hurry()
        self._thread.join()
        if self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        stopping = False
        next_at = 0.0
        while not stopping:
            batch = [self._queue.get()]
            self._hurry.wait(max(next_at - time.monotonic(), 0.0))
            self._hurry.clear()
            next_at = time.monotonic() + PACE_S
            while not self._queue.empty():
                batch.append(self._queue.get())
            stopping = None in batch
            waiting = [item for item in batch if item is not None]
            try:
                if self._failure is not None:
                    raise self._failure
                result = self._append(fact for facts, _ in waiting for fact in facts)
            except BaseException as error:  # handed to every caller: the thread must not die unseen
                self._failure = error
                for _, future in waiting:
                    future.set_exception(error)
            else:
                for _, future in waiting:
                    future.set_result(result)
