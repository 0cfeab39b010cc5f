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

from pairsmith.errors import Incomplete

__all__ = ["MAX_RESTARTS", "map_over_processes"]

MAX_RESTARTS = 3
_AHEAD = 2  # tasks per worker that wait or run: enough to keep it busy, little enough to stay small


def map_over_processes(
    workers: int, function: Callable[[Any, Any], Any], shared: Any, items: Sequence[Any]
) -> Iterator[Any]:
    """`function(shared, item)` for each item, in order. `shared` goes to each process once.

    Raises:
        Incomplete: if workers died in the same place `MAX_RESTARTS` times (killed for memory?).
    """
    with tempfile.TemporaryDirectory(prefix="pairsmith-") as folder:
        parcel = Path(folder) / "shared.pickle"
        parcel.write_bytes(pickle.dumps((function, shared), protocol=pickle.HIGHEST_PROTOCOL))
        done = 0
        restarts = 0
        while done < len(items):
            try:
                with _pool(workers) as pool:
                    for result in _in_order(pool, str(parcel), items[done:], workers * _AHEAD):
                        done += 1
                        restarts = 0
                        yield result
            except BrokenProcessPool:
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
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """A pool whose processes are ended at once if the block is left by an exception, as by Ctrl-C."""
    others = set(multiprocessing.active_children())
    # spawn, not fork: the parent has threads (database, progress bar) that a forked child would inherit half-alive
    pool = ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), _prepare)
    try:
        yield pool
        pool.shutdown()
    except BaseException:
        for process in set(multiprocessing.active_children()) - others:
            process.terminate()
        pool.shutdown(cancel_futures=True)
        raise


def _prepare() -> None:
    """Ctrl-C reaches all processes of a terminal; the parent alone answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _run(parcel: str, item: Any) -> Any:
    function, shared = _opened(parcel)
    return function(shared, item)


@lru_cache(maxsize=1)
def _opened(parcel: str) -> tuple[Callable[[Any, Any], Any], Any]:
    function, shared = pickle.loads(Path(parcel).read_bytes())  # noqa: S301 - written by our own parent
    return function, shared
