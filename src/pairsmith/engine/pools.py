"""The engine `processes`: a pool of spawned processes that survives the death of a worker."""

import multiprocessing
import pickle
import signal
import tempfile
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from pairsmith.engine import MIN_BATCHES_FOR_PROCESSES, Mapper, serially
from pairsmith.errors import Incomplete

__all__ = ["MAX_RESTARTS", "process_session"]

MAX_RESTARTS = 3
_ATOMIC_BYTES = 2048
"""Longer results travel through files: a process killed in the middle of a message would leave the parent waiting for
the rest of it for ever, and only what fits into 4096 bytes is written to a pipe as a whole or not at all."""
_AHEAD = 2  # tasks per worker that wait or run: enough to keep it busy, little enough to stay small


class _Processes:
    """A pool that is started when it is first needed, and again when it broke."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        self._pool: ProcessPoolExecutor | None = None
        self._others = set(multiprocessing.active_children())

    def pool(self) -> ProcessPoolExecutor:
        if self._pool is None:
            # spawn, not fork: the parent has threads (database, progress bar) that a forked child would inherit
            # half-alive
            self._pool = ProcessPoolExecutor(self.workers, multiprocessing.get_context("spawn"), _prepare)
        return self._pool

    def stop(self, *, at_once: bool) -> None:
        if self._pool is None:
            return
        for process in set(multiprocessing.active_children()) - self._others if at_once else ():
            process.terminate()
        self._pool.shutdown(cancel_futures=at_once)
        self._pool = None


@contextmanager
def process_session(workers: int) -> Iterator[Mapper]:
    """A mapper over so many processes, which live until the block ends; at once if it ends by an exception."""
    processes = _Processes(workers)

    def over_processes(function: Callable[[Any, Any], Any], shared: Any, items: Sequence[Any]) -> Iterator[Any]:
        few = len(items) < MIN_BATCHES_FOR_PROCESSES
        return serially(function, shared, items) if few else _mapped(processes, function, shared, items)

    try:
        yield over_processes
    except BaseException:  # Ctrl-C too
        processes.stop(at_once=True)
        raise
    processes.stop(at_once=False)


def _mapped(
    processes: _Processes, function: Callable[[Any, Any], Any], shared: Any, items: Sequence[Any]
) -> Iterator[Any]:
    """`function(shared, item)` for each item, in order. `shared` goes to each process once.

    Raises:
        Incomplete: if workers died in the same place more than `MAX_RESTARTS` times (killed for memory?).
    """
    with tempfile.TemporaryDirectory(prefix="pairsmith-") as folder:
        parcel = Path(folder) / "shared.pickle"
        parcel.write_bytes(pickle.dumps((function, shared), protocol=pickle.HIGHEST_PROTOCOL))
        done = 0
        restarts = 0
        while done < len(items):
            try:
                for result in _in_order(processes.pool(), str(parcel), items[done:], processes.workers * _AHEAD):
                    done += 1
                    restarts = 0
                    yield result
            except BrokenProcessPool:
                processes.stop(at_once=True)
                restarts += 1
                if restarts > MAX_RESTARTS:
                    raise Incomplete(
                        f"worker processes died {restarts} times at task {done + 1} of {len(items)} (killed for "
                        "memory?); run again with fewer --workers"
                    ) from None


def _in_order(pool: ProcessPoolExecutor, parcel: str, items: Sequence[Any], ahead: int) -> Iterator[Any]:
    pending: deque[Future[Any]] = deque()
    for item in items:
        pending.append(pool.submit(_run, parcel, item))
        if len(pending) > ahead:
            yield _received(pending.popleft().result())
    while pending:
        yield _received(pending.popleft().result())


def _prepare() -> None:
    """Ctrl-C reaches all processes of a terminal; the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(parcel: str, item: Any) -> bytes | str:
    """The pickled result, or the file beside the parcel that holds it."""
    function, shared = _opened(parcel)
    result = pickle.dumps(function(shared, item), protocol=pickle.HIGHEST_PROTOCOL)
    if len(result) <= _ATOMIC_BYTES:
        return result
    with tempfile.NamedTemporaryFile(dir=Path(parcel).parent, delete=False) as file:
        file.write(result)
    return file.name


def _received(message: bytes | str) -> Any:
    if isinstance(message, bytes):
        return pickle.loads(message)  # noqa: S301 - written by our own child
    path = Path(message)
    result = pickle.loads(path.read_bytes())  # noqa: S301 - written by our own child
    path.unlink()
    return result


@lru_cache(maxsize=1)
def _opened(parcel: str) -> tuple[Callable[[Any, Any], Any], Any]:
    function, shared = pickle.loads(Path(parcel).read_bytes())  # noqa: S301 - written by our own parent
    return function, shared
