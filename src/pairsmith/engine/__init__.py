"""How work over many records is executed: serially, over processes or on Ray, with the same result."""

import gc
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Literal, TypeVar, get_args

__all__ = [
    "ENGINES",
    "MIN_BATCHES_FOR_PROCESSES",
    "EngineKind",
    "Mapper",
    "available_cores",
    "map_batches",
    "open_engine",
    "serially",
    "without_cycle_search",
]

EngineKind = Literal["serial", "processes", "ray"]
ENGINES: tuple[EngineKind, ...] = get_args(EngineKind)

Item = TypeVar("Item")
Result = TypeVar("Result")

Mapper = Callable[[Callable[[Any, Any], Any], Any, Sequence[Any]], Iterator[Any]]
"""`mapper(function, shared, items)` yields `function(shared, item)` for each item, in the order of the items.

`function` must be importable by name; `shared`, items and results must be picklable. It may run again for the same
item (a worker died), so what it writes it must write whole and the same each time.
"""

MIN_BATCHES_FOR_PROCESSES = 4  # below this, starting processes costs more than it saves


def available_cores() -> int:
    """Cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def open_engine(kind: EngineKind, workers: int) -> Iterator[Mapper]:
    """A mapper over `workers` workers; what it started is gone when the block ends, however it ends.

    Raises:
        MissingExtra: for `ray` where it is not installed.
    """
    if kind == "ray":
        from pairsmith.engine.on_ray import ray_session

        with ray_session(workers) as mapper:
            yield mapper
    elif kind == "processes" and workers > 1:
        from pairsmith.engine.pools import process_session

        with process_session(workers) as mapper:
            yield mapper
    else:
        yield serially


def serially(function: Callable[[Any, Any], Any], shared: Any, items: Sequence[Any]) -> Iterator[Any]:
    """The mapper of the engine `serial`."""
    return (function(shared, item) for item in items)


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
    engine: EngineKind = "processes",
) -> Iterator[Result]:
    """Apply `function` to batches of `items`; the results come in the order of the items.

    `function` must treat every item by itself: batch size, engine and number of workers change nothing but speed.
    With `workers` above 1 it runs in other processes and must be picklable.
    """
    batches = [items[start : start + batch_size] for start in range(0, len(items), batch_size)]
    few = engine != "ray" and len(batches) < MIN_BATCHES_FOR_PROCESSES
    with open_engine("serial" if few or workers <= 1 else engine, workers) as mapper:
        for results in mapper(_call, function, batches):
            yield from results


def _call(function: Callable[[Any], Any], batch: Any) -> Any:
    return function(batch)
