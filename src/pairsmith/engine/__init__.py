"""How work over many records is executed: serially or over processes, with the same result."""

import gc
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

__all__ = ["available_cores", "map_batches", "without_cycle_search"]

Item = TypeVar("Item")
Result = TypeVar("Result")

MIN_BATCHES_FOR_PROCESSES = 4  # below this, starting processes costs more than it saves


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def without_cycle_search() -> Iterator[None]:
    """Work that makes no reference cycles, undisturbed by the search for them. Also a decorator.

    Records are plain values that counting references frees. Python's search for cycles among millions of them finds
    nothing and takes a third of the time.
    """
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def map_batches(
    function: Callable[[Sequence[Item]], Sequence[Result]],
    items: Sequence[Item],
    *,
    batch_size: int = 1024,
    workers: int = 1,
) -> Iterator[Result]:
    """Apply `function` to batches of `items`; the results come in the order of the items.

    `function` must treat every item by itself: batch size and number of workers change nothing but speed. With
    `workers` above 1 it runs in other processes and must be picklable.
    """
    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    if workers <= 1 or len(batches) < MIN_BATCHES_FOR_PROCESSES:
        for batch in batches:
            yield from function(batch)
        return
    # spawn, not fork: the parent has threads (database, progress bar) that a forked child would inherit half-alive
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        for results in pool.map(function, batches):
            yield from results
